"""A misspelt word finds the one that is meant; other words are left alone."""

from __future__ import annotations

import pytest

from contextual_rag.adapters.spelling import Spellings, is_english

WORDS = Spellings(
    {
        "viaweb": 40, "yahoo": 30, "paradox": 2, "fairies": 3, "language": 20, "which": 90, "essay": 9, "easy": 12,
        "users": 8, "barker": 7, "measures": 3, "prone": 2, "will": 50, "blogs": 2, "begin": 9, "backed": 4, "sea": 5,
        "land": 9, "eratosthenes": 1,
    }
)  # fmt: skip


class TestMisspeltWords:
    @pytest.mark.parametrize(
        ("word", "meant"),
        [
            ("viawbe", "viaweb"), ("viawb", "viaweb"), ("Yaho", "yahoo"), ("paradoks", "paradox"),
            ("faries", "fairies"), ("langauge", "language"), ("wich", "which"), ("esay", "essay"), ("usres", "users"),
            ("barkr", "barker"), ("eratostenes", "eratosthenes"),
        ],
    )  # fmt: skip
    def test_mean_the_word_that_differs_by_a_slip(self, word: str, meant: str) -> None:
        assert WORDS.nearest(word) == meant

    @pytest.mark.parametrize(
        "word",
        ["measles", "prune", "Wilf", "backlogs", "beginner", "bake", "Nand", "kilimanjaro", "se", "1902", "", "see"],
    )
    def test_do_not_mean_another_word(self, word: str) -> None:
        assert WORDS.nearest(word or "x") is None

    def test_are_not_what_the_vocabulary_has(self) -> None:
        assert "Viaweb" in WORDS
        assert "viawb" not in WORDS


class TestEnglish:
    def test_is_known_whatever_its_case(self) -> None:
        assert is_english("Shark")
        assert not is_english("viawb")
