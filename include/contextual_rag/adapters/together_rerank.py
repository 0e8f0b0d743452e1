"""Rerank models of Together AI, or any server with its HTTP API."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from contextual_rag.adapters.together import Call, Together, check_indices
from contextual_rag.adapters.together_wire import Scores
from contextual_rag.ports import Usage

__all__ = ["TogetherRerank"]


class TogetherRerank:
    """A rerank model. Each passage is scored separately, so scores of several requests are comparable.

    The provider states no limit of passages per request; others with the same API allow 1,000.
    """

    most = 50

    def __init__(
        self, client: Together, name: str, *, batch_size: int = 1000, setting: str = "RAG_RERANK_MODEL"
    ) -> None:
        self.name = name
        self._client = client
        self._batch_size = batch_size
        self._setting = setting

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        """Return how relevant each text is, from 0 to 1, in the order given."""
        scores, total = [0.0] * len(texts), Usage()
        for start in range(0, len(texts), self._batch_size):
            batch = list(texts[start : start + self._batch_size])
            read = [*batch, *[query] * len(batch)]
            call = Call.of(self.name, self._setting, read)
            answer = self._client.call(partial(self._scores, query, batch), call)
            for result in answer.results:
                scores[start + result.index] = result.relevance_score
            total += self._client.spent(call, answer.usage, guess=call.tokens)
        return _shares(scores), total

    def _scores(self, query: str, batch: list[str]) -> Scores:
        raw = self._client.sdk.rerank.with_raw_response.create(
            model=self.name, query=query, documents=batch, top_n=len(batch), return_documents=False
        )
        answer = Scores.model_validate_json(raw.read())
        check_indices([result.index for result in answer.results], len(batch))
        return answer


def _shares(scores: list[float]) -> list[float]:
    """Return scores from 0 to 1. Some servers return a model's raw output, whose logistic function is the score."""
    if all(0 <= score <= 1 for score in scores):
        return scores
    return [(1 + math.tanh(score / 2)) / 2 for score in scores]
