"""Windows: words of a question that stand together in a chunk weigh more than the same words apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.pipeline.windows import best_windows, windows
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
