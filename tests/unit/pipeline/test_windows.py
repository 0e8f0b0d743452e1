"""Windows: words of a question that stand together in a chunk weigh more than the same words apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.model import contextual_text
from contextual_rag.pipeline.pieces import pieces
from contextual_rag.pipeline.windows import best_windows, counted, windows
from contextual_rag.pipeline.words import tokenise
from contextual_rag.recipe import Recipe

RARITY = {"tide": 2.0, "log": 3.0}
FILLER = "Nothing was said of anything else that day. " * 20


def scores(*texts: str, words: tuple[str, ...] = ("tide", "log")) -> list[float]:
    recipe = Recipe()
    return best_windows(words, [windows(text, recipe) for text in texts], RARITY, recipe)


def test_prefer_words_that_stand_together() -> None:
    together, apart = scores(f"The log of the tide. {FILLER}", f"The tide. {FILLER} The log.")
    assert together > apart > 0


def test_prefer_the_rarer_word() -> None:
    log, tide, none = scores("The log was here.", "The tide was here.", "The pier was here.")
    assert log > tide > none == 0


def test_of_nothing_are_nothing() -> None:
    assert scores() == []
    assert scores("", " ") == [0, 0]
    assert scores("tide", words=()) == [0]


@given(st.lists(st.text("tidelog .", max_size=400), max_size=5))
def test_are_one_for_each_text_and_never_negative(texts: list[str]) -> None:
    found = scores(*texts)
    assert len(found) == len(texts)
    assert all(score >= 0 for score in found)


# Among others what makes a word of two: an apostrophe, an accent, an identifier, a script without spaces.
@given(st.text("aZs’'-_1 \n.é\u0301敲钟ー", max_size=20), st.text("aZs’'-_1 \n.é\u0301敲钟ー", max_size=700))
def test_are_counted_as_by_themselves_and_the_chunk_as_a_whole(context: str, text: str) -> None:
    recipe = Recipe()
    words, in_windows = counted(context, text, recipe)
    assert words == tokenise(contextual_text(context, text), recipe)
    assert in_windows == [tokenise(window, recipe) for _, window in pieces(text, 300)]


def test_that_cut_a_word_never_cut_it_for_the_chunk() -> None:
    words, in_windows = counted("", "a" * 700, Recipe())
    assert words == ["a" * 700]
    assert len(in_windows) == 3
