"""How well an assembled version answers the questions that are kept in the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from contextual_rag import keys
from contextual_rag.errors import SettingError, UnknownVersionError
from contextual_rag.evaluation.corpora import SpanQuestion
from contextual_rag.evaluation.datasets import Question, read_questions
from contextual_rag.evaluation.metrics import Span
from contextual_rag.evaluation.report import means
from contextual_rag.evaluation.scores import Searched, score_spans
from contextual_rag.model import Document, Draft, Manifest, Work
from contextual_rag.ports import Budget, EmbeddingModel, Matrix, ObjectStore, RerankModel, Usage
from contextual_rag.qa.citations import locate
from contextual_rag.record import Record, load, require, save
from contextual_rag.stages.essays import paid
from contextual_rag.stages.timing import timed
from contextual_rag.wiring import World

__all__ = ["Measured", "evaluate", "keep_questions", "locate_all"]

_K = 5
_KEPT_FIGURES = (f"recall@{_K}", f"mrr@{_K}")


class Measured(Record):
    """A version's figures, and what it took to measure them."""

    quality: dict[str, float]
    work: Work


def keep_questions(store: ObjectStore, file: Path) -> None:
    """Keep the questions of a file in the bucket, for this and all later builds."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SettingError(f"RAG_QUESTIONS names {file}, which cannot be read: {error.strerror}.") from None
    read_questions(body, str(file))
    store.put(keys.QUESTIONS, body)


def evaluate(world: World, version: str, budget: Budget) -> Measured:
    """Return the version's figures: recall@5 and mrr@5 over `questions` that its essays can answer.

    Where the version is published already, they are what was measured then; where no questions are kept, none. What the
    measuring took is added to the work of the version that is not published yet.
    """
    draft = load(world.store, keys.draft(version), Draft)  # first, as in `publish`
    published = load(world.store, keys.manifest(version), Manifest)
    if published:
        return Measured(quality=published.quality, work=Work())
    if draft is None:
        raise UnknownVersionError(f"{version} was never assembled, or pruned before it was measured; build it again.")
    with timed("evaluate") as spent:
        quality, usage = _measured(world, draft, budget)
        spent.work += paid(usage)
    save(world.store, keys.draft(version), draft.model_copy(update={"work": draft.work + spent.work}))
    return Measured(quality=quality, work=spent.work)


def _measured(world: World, draft: Draft, budget: Budget) -> tuple[dict[str, float], Usage]:
    kept = world.store.get(keys.QUESTIONS)
    if kept is None:
        return {}, Usage()
    located = locate_all(world.store, draft, read_questions(kept.body, keys.QUESTIONS))
    answerable = [question for question in located if question]
    if not answerable:
        return {}, Usage()
    embedder = _CountedEmbeddings(world.embedding_model(draft.recipe.embedding_model, budget))
    model = world.rerank_model(budget)
    reranker = _CountedRerank(model) if model else None
    searched = Searched(world.indexes.open(draft), world.vectors, embedder, reranker)
    figures = means(score_spans(searched, questions=answerable, ks=[_K]))
    quality = {name: round(figures[name], 4) for name in _KEPT_FIGURES} | {"questions": len(answerable)}
    return quality, embedder.usage + (reranker.usage if reranker else Usage())


class _CountedEmbeddings:
    """An embedding model that remembers what it took; who retrieves does not ask."""

    def __init__(self, model: EmbeddingModel) -> None:
        self.name, self.dimension, self.usage = model.name, model.dimension, Usage()
        self._model = model

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        matrix, usage = self._model.embed(texts, kind=kind)
        self.usage += usage
        return matrix, usage


class _CountedRerank:
    """A rerank model that remembers what it took."""

    def __init__(self, model: RerankModel) -> None:
        self.name, self.usage = model.name, Usage()
        self._model = model

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        scores, usage = self._model.rerank(query, texts)
        self.usage += usage
        return scores, usage


def locate_all(store: ObjectStore, draft: Draft, questions: Sequence[Question]) -> list[SpanQuestion | None]:
    """Return where each question's references stand in the version's essays; None where not all of them do."""
    wanted = {reference.slug for question in questions for reference in question.references}
    essays = [essay for essay in draft.essays if essay.slug in wanted]
    with ThreadPoolExecutor(8) as pool:
        documents = list(pool.map(lambda e: require(store, keys.document(e.document), Document), essays))
    texts = {document.slug: document.text for document in documents}
    located = []
    for question in questions:
        found = [(ref.slug, locate(ref.content, texts.get(ref.slug, ""))) for ref in question.references]
        spans = tuple(Span(slug, *span) for slug, span in found if span)
        located.append(SpanQuestion(question.question, spans) if len(spans) == len(found) else None)
    return located
