"""Asks index versions questions as production asks them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from contextual_rag.building.spending import Ledger
from contextual_rag.evaluation.answers import Judged, answer_question, judge
from contextual_rag.evaluation.corpora import SpanQuestion
from contextual_rag.evaluation.datasets import Question
from contextual_rag.evaluation.report import Scored
from contextual_rag.evaluation.scores import Searched, score_spans
from contextual_rag.ports import ChatModel, EmbeddingModel, Indexes, Matrix, Models, ObjectStore, Usage, VectorStore
from contextual_rag.recipe import Prefixes
from contextual_rag.roles import OFFLINE_ANSWERS
from contextual_rag.threads import pool
from contextual_rag.versions.records import Version
from contextual_rag.versions.registry import Registry

__all__ = ["Answered", "Bench", "Examiner"]

# Questions with what their answers came to.
Answered = dict[Question, Judged]


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
    """Asks versions questions, all with the same reranker and the same chat model."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._reranker = bench.models.rerank_model(bench.ledger)
        self._embedders: dict[tuple[str, int | None, Prefixes], _Remembered] = {}

    @property
    def reranker(self) -> str | None:
        """The name of what reranks, if anything does."""
        return self._reranker.name if self._reranker else None

    @property
    def answers_by(self) -> str:
        """The name of what answers."""
        return self._chat.name if self._chat else OFFLINE_ANSWERS

    @cached_property
    def _chat(self) -> ChatModel | None:
        return self._bench.models.chat_model(self._bench.ledger)

    def scores(self, version: Version, questions: Sequence[SpanQuestion | None], *, k: int) -> dict[int, Scored]:
        """Return the figures of each question that is there, over the first k chunks, by its place."""
        there = {n: question for n, question in enumerate(questions) if question}
        if not there:
            return {}
        bench, embedder = self._bench, self._embedder(version)
        embedder.embed([question.question for question in there.values()], kind="query")
        index = bench.indexes.open(version)
        searched = Searched(index, bench.vectors, embedder, self._reranker, bench.concurrency)
        return dict(zip(there, score_spans(searched, questions=list(there.values()), ks=[k]), strict=True))

    def _embedder(self, version: Version) -> _Remembered:
        recipe = version.recipe
        name = (recipe.embedding_model, recipe.embedding_dimension, recipe.prefixes)
        if name not in self._embedders:
            self._embedders[name] = _Remembered(self._bench.models.embedding_model(recipe, self._bench.ledger))
        return self._embedders[name]

    def answers(self, version: Version, questions: Sequence[Question]) -> Answered:
        """Return what each answer comes to, as production gives it: by the chat model that is set, or by quotations."""
        if not questions:
            return {}
        bench, chat = self._bench, self._chat
        reader = bench.models.quote_model()
        index, embedder = bench.indexes.open(version), self._embedder(version)

        def judged(question: Question) -> Judged:
            asked = (index, bench.vectors, embedder, question)
            return judge(question, answer_question(*asked, chat=chat, reranker=self._reranker, reader=reader))

        # Threads help only while questions wait for a model over the network.
        with pool(bench.concurrency if chat else 1) as threads:
            return dict(zip(questions, threads.map(judged, questions), strict=True))


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
