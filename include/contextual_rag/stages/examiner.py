"""One who asks index versions questions as production asks them, and counts what that takes."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Literal

import numpy as np

from contextual_rag.evaluation.corpora import SpanQuestion
from contextual_rag.evaluation.report import Scored
from contextual_rag.evaluation.scores import Searched, score_spans
from contextual_rag.model import Draft
from contextual_rag.ports import Budget, EmbeddingModel, Matrix, RerankModel, Usage
from contextual_rag.wiring import World

__all__ = ["Examiner"]


class Examiner:
    """Asks versions questions within a budget, all with the same reranker; what it took is in `usage`."""

    def __init__(self, world: World, budget: Budget) -> None:
        self._world = world
        self._budget = budget
        model = world.rerank_model(budget)
        self._reranker = _CountedRerank(model) if model else None
        self._embedders: dict[str, _Remembered] = {}

    @property
    def reranker(self) -> str | None:
        """The name of what reranks, if anything does."""
        return self._reranker.name if self._reranker else None

    @property
    def usage(self) -> Usage:
        """What all that was asked took."""
        used = [embedder.usage for embedder in self._embedders.values()]
        return sum([*used, *([self._reranker.usage] if self._reranker else [])], Usage())

    def scores(self, version: Draft, questions: Sequence[SpanQuestion | None], *, k: int) -> dict[int, Scored]:
        """Return the figures of each question that is there, over the first k chunks, by its place."""
        there = {n: question for n, question in enumerate(questions) if question}
        if not there:
            return {}
        name = version.recipe.embedding_model
        embedder = self._embedders.get(name) or _Remembered(self._world.embedding_model(name, self._budget))
        self._embedders[name] = embedder
        embedder.embed([question.question for question in there.values()], kind="query")
        concurrency = self._world.settings.model_concurrency
        index = self._world.indexes.open(version)
        searched = Searched(index, self._world.vectors, embedder, self._reranker, concurrency)
        return dict(zip(there, score_spans(searched, questions=list(there.values()), ks=[k]), strict=True))


class _Remembered:
    """An embedding model that embeds no text twice, and remembers what it took."""

    def __init__(self, model: EmbeddingModel) -> None:
        self.name, self.dimension, self.usage = model.name, model.dimension, Usage()
        self._model = model
        self._rows: dict[str, Matrix] = {}

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if new:
            matrix, usage = self._model.embed(new, kind=kind)
            self._rows |= zip(new, matrix, strict=True)
            self.usage += usage
        return np.stack([self._rows[text] for text in texts]), Usage()


class _CountedRerank:
    """A rerank model that remembers what it took; threads may share it."""

    def __init__(self, model: RerankModel) -> None:
        self.name, self.usage = model.name, Usage()
        self._model = model
        self._counting = Lock()

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        scores, usage = self._model.rerank(query, texts)
        with self._counting:
            self.usage += usage
        return scores, usage
