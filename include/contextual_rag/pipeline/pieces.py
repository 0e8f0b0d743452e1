"""Cuts a text of any length into pieces, at the ends of lines, sentences or words where that is possible."""

from __future__ import annotations

from collections.abc import Iterator

from semantic_text_splitter import TextSplitter

__all__ = ["first_piece", "pieces"]

# The splitter's time grows with the square of a text's length, so it gets one window of the text after another. A
# piece near the end of a window may depend on what follows; it is cut again, at the start of the next window.
_WINDOW = 4
_UNSURE = 2


def pieces(text: str, capacity: int | tuple[int, int]) -> Iterator[tuple[int, str]]:
    """Yield the pieces of a text with their positions, in order and without white space at their ends.

    None is longer than `capacity` characters. If it is a pair, pieces are packed to the first number or more where the
    second allows it.
    """
    splitter = TextSplitter(capacity)
    most = capacity if isinstance(capacity, int) else capacity[1]
    start, length = 0, _WINDOW * most
    while start < len(text):
        found = splitter.chunk_indices(text[start : start + length])
        last = start + length >= len(text)
        sure = length if last else length - _UNSURE * most
        rest = length
        for at, piece in found:
            if not last and at + len(piece) > sure:
                rest = at
                break
            yield start + at, piece
        start += rest


def first_piece(text: str, capacity: int) -> str:
    """Return the first piece of a text; empty if the text is."""
    return next((piece for _, piece in pieces(text, capacity)), "")
