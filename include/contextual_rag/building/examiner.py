"""Asks index versions questions as production asks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from contextual_rag.building.spending import Ledger
from contextual_rag.evaluation.corpora import SpanQuestion
from contextual_rag.evaluation.report import Scored
from contextual_rag.evaluation.scores import Searched, score_spans
from contextual_rag.ports import EmbeddingModel, Indexes, Matrix, Models, ObjectStore, Usage, VectorStore
from contextual_rag.recipe import Prefixes
from contextual_rag.versions.records import Version
from contextual_rag.versions.registry import Registry

__all__ = ["Bench", "Examiner"]


class Bench(NamedTuple):
    """What versions are measured with, within a budget; `concurrency` questions are asked at once."""

    store: ObjectStore
    vectors: VectorStore
    registry: Registry
    indexes: Indexes
    models: Models
    ledger: Ledger
    concurrency: int


class Examiner:
    """Asks versions questions, all with the same reranker."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._reranker = bench.models.rerank_model(bench.ledger)
        self._embedders: dict[tuple[str, int | None, Prefixes], _Remembered] = {}

    @property
    def reranker(self) -> str | None:
        """The name of what reranks, if anything does."""
        return self._reranker.name if self._reranker else None

    def scores(self, version: Version, questions: Sequence[SpanQuestion | None], *, k: int) -> dict[int, Scored]:
        """Return the figures of each question that is there, over the first k chunks, by its place."""
        there = {n: question for n, question in enumerate(questions) if question}
        if not there:
            return {}
        bench, recipe = self._bench, version.recipe
        name = (recipe.embedding_model, recipe.embedding_dimension, recipe.prefixes)
        embedder = self._embedders.get(name) or _Remembered(bench.models.embedding_model(recipe, bench.ledger))
        self._embedders[name] = embedder
        embedder.embed([question.question for question in there.values()], kind="query")
        index = bench.indexes.open(version)
        searched = Searched(index, bench.vectors, embedder, self._reranker, bench.concurrency)
        return dict(zip(there, score_spans(searched, questions=list(there.values()), ks=[k]), strict=True))


class _Remembered:
    """An embedding model that embeds no text twice."""

    def __init__(self, model: EmbeddingModel) -> None:
        self.name, self.dimension = model.name, model.dimension
        self._model = model
        self._rows: dict[str, Matrix] = {}

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if new:
            matrix, _ = self._model.embed(new, kind=kind)
            self._rows |= zip(new, matrix, strict=True)
        return np.stack([self._rows[text] for text in texts]), Usage()
