"""An answer as it was read → the same with its passages numbered in the order in which its text names them."""

from __future__ import annotations

from contextual_rag.qa.citations import Cited, Reading

__all__ = ["in_order"]


def in_order(reading: Reading, passages: int) -> tuple[Reading, list[int]]:
    """Return an answer with new numbers, and the former number of each of its passages, in their new order.

    Passages that are found in come after those that are named, and those that are not cited after both.
    """
    named = [n for mark in reading.marks for n in mark.states]
    found = [one.found_in for one in reading.citations if one.found_in]
    order = list(dict.fromkeys([*named, *found, *range(1, passages + 1)]))
    new = {former: n for n, former in enumerate(order, 1)}
    parts: list[str] = []
    marks: list[Cited] = []
    at = length = 0
    for mark in reading.marks:
        states = dict(sorted((new[n], state) for n, state in mark.states.items()))
        written = f"[{', '.join(map(str, states))}]"
        start = length + mark.start - at
        parts += [reading.text[at : mark.start], written]
        marks.append(Cited(start, start + len(written), states))
        at, length = mark.end, start + len(written)
    citations = [
        one._replace(n=one.n and new[one.n], found_in=one.found_in and new[one.found_in]) for one in reading.citations
    ]
    return Reading("".join([*parts, reading.text[at:]]), citations, marks), order
