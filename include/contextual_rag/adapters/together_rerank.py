"""Rerank models of Together AI, or any server with its HTTP API."""

from __future__ import annotations

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

    def __init__(
        self, client: Together, name: str, *, batch_size: int = 1000, setting: str = "RAG_RERANK_MODEL"
    ) -> None:
        self.name = name
        self._client = client
        self._batch_size = batch_size
        self._setting = setting

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        """Return a score for each text, in the order given; higher is better."""
        scores, total = [0.0] * len(texts), Usage()
        for start in range(0, len(texts), self._batch_size):
            batch = list(texts[start : start + self._batch_size])
            read = [*batch, *[query] * len(batch)]
            call = Call.of(self.name, self._setting, read)
            answer = self._client.call(partial(self._scores, query, batch), call)
            for result in answer.results:
                scores[start + result.index] = result.relevance_score
            total += self._client.spent(call, answer.usage, guess=call.tokens)
        return scores, total

    def _scores(self, query: str, batch: list[str]) -> Scores:
        raw = self._client.sdk.rerank.with_raw_response.create(
            model=self.name, query=query, documents=batch, top_n=len(batch), return_documents=False
        )
        answer = Scores.model_validate_json(raw.read())
        check_indices([result.index for result in answer.results], len(batch))
        return answer
