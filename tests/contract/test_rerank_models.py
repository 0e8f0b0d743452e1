"""What every rerank model does, and what none does."""

from __future__ import annotations

from contextual_rag.ports import RerankModel, Usage

QUESTION = "Which programs do macros write?"
# The shortest one shares most words with the question.
TEXTS = [
    "Painters mix colours, and look at what others have made of the same light before them.",
    "macros write programs",
    "Lisp has macros, which is a thing that is said of few languages and envied by some more.",
]


class TestScores:
    def test_are_a_share_for_each_text(self, reranker: RerankModel) -> None:
        scores, usage = reranker.rerank(QUESTION, TEXTS)
        assert len(scores) == len(TEXTS)
        assert all(0 <= score <= 1 for score in scores)
        assert isinstance(usage, Usage)

    def test_are_higher_for_what_is_better(self, reranker: RerankModel) -> None:
        scores, _ = reranker.rerank(QUESTION, TEXTS)
        assert scores.index(max(scores)) == 1

    def test_come_in_the_order_of_the_texts(self, reranker: RerankModel) -> None:
        assert reranker.rerank(QUESTION, TEXTS[::-1])[0] == reranker.rerank(QUESTION, TEXTS)[0][::-1]

    def test_of_no_texts_are_none_and_cost_nothing(self, reranker: RerankModel) -> None:
        assert reranker.rerank(QUESTION, []) == ([], Usage())

    def test_never_change_the_texts(self, reranker: RerankModel) -> None:
        texts = list(TEXTS)
        reranker.rerank(QUESTION, texts)
        assert texts == TEXTS
