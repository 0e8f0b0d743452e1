"""Scores: what the production's way of asking finds, measured."""

from __future__ import annotations

from contextual_rag.evaluation.corpora import GoldenQuestion, SpanQuestion
from contextual_rag.evaluation.metrics import Span
from contextual_rag.evaluation.scores import Searched, score_spans, score_texts
from tests.small_world import SmallIndex, SmallVectors, WordCounts, passage

CHUNKS = [
    passage("The lamp burns for seven hours.", "lamp", start=0),
    passage("The keeper sleeps at noon.", "lamp", start=40),
    passage("The tide is high at noon.", "tide", start=0),
]
SEARCHED = Searched(SmallIndex(CHUNKS), SmallVectors(CHUNKS), WordCounts(), None)


class TestSpans:
    def test_are_scored_for_each_question_in_order(self) -> None:
        asked: list[tuple[int, int]] = []
        questions = [
            SpanQuestion("When does the keeper sleep?", (Span("lamp", 40, 66),)),
            SpanQuestion("How many hours burns the lamp?", (Span("lamp", 0, 31), Span("tide", 0, 25))),
        ]
        first, second = score_spans(SEARCHED, lambda *done: asked.append(done), questions=questions, ks=[1, 3])
        assert (first.question, second.question) == (questions[0].question, questions[1].question)
        assert first.figures["recall@1"] == first.figures["precision@1"] == first.figures["ndcg@1"] == 1
        assert second.figures["recall@1"] == 31 / 56
        assert second.figures["recall@3"] == 1
        assert asked == [(1, 2), (2, 2)]


class TestEqualTexts:
    """An answer that stands twice: the search returns either place, and both answer the question."""

    ANSWER = "He filled the lamp at six and trimmed it again at midnight."

    def figures(self, found: str, *, answer: str = ANSWER) -> dict[str, float]:
        """Score a question whose answer stands in the essay `first`, if only this text of another is found."""
        first, second = passage(f"First day. {answer} Then he slept.", "first"), passage(found, "second", start=100)
        searched = Searched(SmallIndex([first, second]), SmallVectors([second]), WordCounts(), None)
        asked = SpanQuestion("lamp midnight oil", (Span("first", 11, 11 + len(answer)),))
        (scored,) = score_spans(searched, questions=[asked], ks=[1])
        return scored.figures

    def test_elsewhere_are_found(self) -> None:
        figures = self.figures(f"{self.ANSWER} The oil of the second day was worse.")
        assert figures["recall@1"] == figures["mrr@1"] == 1

    def test_in_other_words_are_not(self) -> None:
        assert self.figures(self.ANSWER.replace("six", "ten") + " The oil was worse.")["recall@1"] == 0

    def test_in_part_are_not(self) -> None:
        half = "He filled the lamp at six and trimmed it again."
        assert self.figures(f"{half} The oil was worse.", answer=f"{half} Then came midnight.")["recall@1"] == 0

    def test_that_are_a_word_or_a_date_are_not(self) -> None:
        figures = self.figures("At midnight the oil of the lamp was gone.", answer="midnight")
        assert figures["recall@1"] == figures["mrr@1"] == 0


class TestTexts:
    def test_are_scored_for_each_question(self) -> None:
        questions = [GoldenQuestion("Is the tide high?", ("The tide is high at noon.\n", "Something else."))]
        (one,) = score_texts(SEARCHED, questions=questions, ks=[1])
        assert one.figures["pass@1"] == 0.5
        assert one.figures["mrr@1"] == 1
