"""Citations are numbered in the order in which an answer names them, and their passages with them."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.qa.citations import read
from contextual_rag.qa.numbers import in_order
from tests.small_world import passage

TEXTS = [
    "He kept a log of tides.",
    "The jug on the shelf is ugly.",
    "Somebody in town wrote it down.",
    "It has argv[1] in it.",
]
PASSAGES = [passage(text, f"e{n}") for n, text in enumerate(TEXTS)]
parts = st.sampled_from(
    [*(f"“{text}” [{n}] " for n, text in enumerate(TEXTS, 1)), "So [4]. ", "“wrote it down” ", "“made it up” [2]. ",
     "[3, 1] ", "x[2], ", "`a[0]` ", "Also [4][2]. ", "\n\n"]
)  # fmt: skip


def test_the_first_that_is_named_is_the_first() -> None:
    found, order = in_order(read("“wrote it down” [3], and “a log of tides” [1] [3].", PASSAGES), 4)
    assert found.text == "“wrote it down” [1], and “a log of tides” [2] [1]."
    assert order == [3, 1, 2, 4]


def test_an_answer_that_names_them_in_order_is_unchanged() -> None:
    read_one = read("“a log of tides” [1], and “is ugly” [2, 3], and “wrote” it.", PASSAGES)
    assert in_order(read_one, 4) == (read_one, [1, 2, 3, 4])


def test_a_passage_without_a_number_comes_after_those_that_have_one() -> None:
    found, order = in_order(read("“Somebody in town wrote it down” stands there.\n\n“is ugly” [2].", PASSAGES), 4)
    assert order == [2, 3, 1, 4]
    assert [(one.n, one.found_in) for one in found.citations] == [(None, 2), (1, 1)]


@given(st.lists(parts, max_size=8).map("".join))
def test_any_answer_says_the_same_of_the_same_passages(text: str) -> None:
    before = read(text, PASSAGES)
    after, order = in_order(before, len(PASSAGES))
    assert sorted(order) == [1, 2, 3, 4]
    named = list(dict.fromkeys(chain.from_iterable(sorted(mark.states) for mark in after.marks)))
    assert named == list(range(1, len(named) + 1))
    moved = [PASSAGES[n - 1] for n in order]
    assert [one.chunk for one in after.citations] == [one.chunk for one in before.citations]
    assert [one.n and moved[one.n - 1] for one in after.citations] == [
        one.n and PASSAGES[one.n - 1] for one in before.citations
    ]
    assert [{moved[n - 1].chunk_id: state for n, state in mark.states.items()} for mark in after.marks] == [
        {PASSAGES[n - 1].chunk_id: state for n, state in mark.states.items()} for mark in before.marks
    ]
    for mark in after.marks:
        assert after.text[mark.start : mark.end] == f"[{', '.join(map(str, mark.states))}]"
