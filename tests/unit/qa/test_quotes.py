"""Quoted answers can be checked for any essays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.model import IndexedChunk
from contextual_rag.qa.citations import check
from contextual_rag.qa.quotes import quote
from tests.small_world import WordCounts, passage

MODEL = WordCounts()

# Words, and characters that could open or close a quotation, or look like a mark.
tokens = st.sampled_from([
    "log", "I", "The", "kept.", "it,", "sea?", '"said', 'so."', "“no", "way!”", "’tis", "wasn't", "‘ay’", "—", "…",
    "...", "[1]", "why[2]", "[3].", "[1, 2]", "(a", "b).", "3.5", "Ünïcode", "日本語", "x" * 400, "\n\n", "\n",
    "\u00a0",
])  # fmt: skip
texts = st.lists(tokens, min_size=1, max_size=60).map(" ".join)


def quoted(question: str, passages: Sequence[IndexedChunk]) -> str:
    return quote(question, passages, MODEL).text


class TestQuotations:
    @given(st.lists(texts, min_size=1, max_size=4), texts)
    def test_are_always_verified(self, texts: list[str], question: str) -> None:
        passages = [passage(text, f"essay{n}", start=7 * n) for n, text in enumerate(texts)]
        answer = quoted(question, passages)
        text, citations = check(answer, passages)
        assert text == answer
        assert bool(citations) == bool(answer)
        assert [citation for citation in citations if not citation.verified] == []

    def test_are_the_sentences_nearest_to_the_question(self) -> None:
        passages = [
            passage("The sea was grey that day. He kept a log of tides every day. Then we went home again.", "a"),
            passage("Nobody knew what it was for. He kept a log of tides every year.", "b"),
        ]
        assert quoted("Who kept a log of tides every day?", passages) == (
            "“He kept a log of tides every day.” [1] “He kept a log of tides every year.” [2]"
        )

    def test_are_of_the_first_passage_if_sentences_are_equally_near(self) -> None:
        passages = [passage("Nobody knew why he kept it."), passage("Nobody knew how he kept it.")]
        assert quoted("Who kept it?", passages).startswith("“Nobody knew why he kept it.” [1]")
        assert quoted("Who kept it?", passages[::-1]).startswith("“Nobody knew how he kept it.” [1]")

    def test_are_at_most_three_different_ones(self) -> None:
        passages = [passage(f"He kept a log of tides, tides{n}. He kept a log of tides.", f"e{n}") for n in range(6)]
        answer = quoted("Who kept a log of tides?", passages)
        assert answer.count("“") == 3
        assert answer.count("“He kept a log of tides.”") == 1

    def test_leave_out_sentences_far_less_near_than_the_best(self) -> None:
        passages = [passage("He kept a log of tides. Nobody else in town kept anything whatever.")]
        assert quoted("He kept a log of tides?", passages) == "“He kept a log of tides.” [1]"

    def test_prefer_whole_sentences_to_short_ones(self) -> None:
        assert quoted("tides", [passage("Tides came in. He wrote down all the tides.")]) == (
            "“He wrote down all the tides.” [1]"
        )
        assert quoted("tides", [passage("Tides came in. No. Yes.")]) == "“Tides came in.” [1]"

    def test_are_not_questions_unless_there_is_nothing_else(self) -> None:
        asked = "Who kept the log of the tides?"
        assert quoted("Who kept the log of the tides?", [passage(f"{asked} Ann wrote the log herself.")]) == (
            "“Ann wrote the log herself.” [1]"
        )
        assert quoted(asked, [passage(asked)]) == f"“{asked}” [1]"

    def test_keep_the_quotation_marks_of_the_essay_as_single_ones(self) -> None:
        answer = quoted("toad", [passage('He called the jug “a toad” and "a frog" at once.')])
        assert answer == "“He called the jug 'a toad' and 'a frog' at once.” [1]"

    @pytest.mark.parametrize("text", ["He kept a log [1] of all[2] the tides.", "It reads argv[1] and logs argv[0]."])
    def test_keep_the_brackets_of_the_essay(self, text: str) -> None:
        answer = quoted("log", [passage(text)])
        assert answer == f"“{text}” [1]"
        assert check(answer, [passage(text)])[0] == answer

    def test_are_cut_if_a_sentence_is_very_long(self) -> None:
        answer = quoted("word", [passage("word and " * 100)])
        assert 250 < len(answer) <= 330

    def test_are_none_if_there_is_nothing_to_quote(self) -> None:
        assert quoted("why?", []) == ""
        assert quoted("why?", [passage("Oh no.")]) == ""


class TestNearness:
    def test_is_the_cosine_of_the_question_and_each_passage_s_nearest_sentence(self) -> None:
        passages = [
            passage("He kept a log of tides. Nobody else in town kept anything whatever."),
            passage("Oh no."),
            passage("Ann wrote the log herself."),
        ]
        rows = MODEL.embed(["who kept a log", "He kept a log of tides.", "Ann wrote the log herself."], kind="passage")[
            0
        ]
        assert quote("who kept a log", passages, MODEL).nearness == pytest.approx(
            [rows[0] @ rows[1], 0, rows[0] @ rows[2]]
        )

    def test_is_zero_if_nothing_can_be_quoted(self) -> None:
        assert quote("why?", [passage("Oh no.")], MODEL).nearness == [0]
        assert quote("why?", [], MODEL).nearness == []
