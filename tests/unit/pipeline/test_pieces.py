"""Pieces: those of the splitter, however long the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter

from contextual_rag.pipeline.pieces import first_piece, pieces

words = st.sampled_from(
    ["a", "bell", "Alma", "lighthouse", "日本語", "。", ". ", "! ", ", ", " ", "\n", "\n\n", "e\u0301"]
)


@given(st.lists(words, min_size=100, max_size=300).map("".join), st.sampled_from([20, 30, (15, 30)]))
def test_are_those_that_the_whole_text_has(text: str, capacity: int | tuple[int, int]) -> None:
    assert list(pieces(text, capacity)) == TextSplitter(capacity).chunk_indices(text)


@pytest.mark.parametrize("text", ["a" * 1000, "日" * 1000, "a" + " " * 1000 + "b", " " * 1000, ""])
def test_hold_every_character_once_and_are_never_too_long(text: str) -> None:
    found = list(pieces(text, 30))
    assert "".join(piece for _, piece in found) == "".join(text.split())
    assert all(text[at : at + len(piece)] == piece and len(piece) <= 30 for at, piece in found)
    assert first_piece(text, 30) == (found[0][1] if found else "")
