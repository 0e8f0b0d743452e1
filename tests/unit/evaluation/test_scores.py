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


class TestTexts:
    def test_are_scored_for_each_question(self) -> None:
        questions = [GoldenQuestion("Is the tide high?", ("The tide is high at noon.\n", "Something else."))]
        (one,) = score_texts(SEARCHED, questions=questions, ks=[1])
        assert one.figures["pass@1"] == 0.5
        assert one.figures["mrr@1"] == 1
