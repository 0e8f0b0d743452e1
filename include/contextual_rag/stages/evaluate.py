"""How well an assembled version answers the questions that are kept in the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contextual_rag import keys
from contextual_rag.errors import SettingError
from contextual_rag.evaluation.datasets import Question, read_questions
from contextual_rag.evaluation.metrics import Span, recall, reciprocal_rank
from contextual_rag.model import Document, Draft, Manifest
from contextual_rag.ports import ObjectStore
from contextual_rag.qa.citations import locate
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.record import load, require
from contextual_rag.wiring import World

__all__ = ["evaluate", "keep_questions"]

_K = 5


def keep_questions(store: ObjectStore, file: Path) -> None:
    """Keep the questions of a file in the bucket, for this and all later builds."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SettingError(f"RAG_QUESTIONS names {file}, which cannot be read: {error.strerror}.") from None
    read_questions(body, str(file))
    store.put(keys.QUESTIONS, body)


def evaluate(world: World, version: str) -> dict[str, float]:
    """Return the version's figures: recall@5 and mrr@5 over `questions` that its essays can answer.

    Where the version is published already, they are what was measured then; where no questions are kept, none.
    """
    store = world.store
    published = load(store, keys.manifest(version), Manifest)
    if published:
        return published.quality
    kept = store.get(keys.QUESTIONS)
    if kept is None:
        return {}
    draft = require(store, keys.draft(version), Draft)
    answerable = _located(store, draft, read_questions(kept.body, keys.QUESTIONS))
    if not answerable:
        return {}
    index = world.indexes.open(draft)
    embedder = world.embedding_model(draft.recipe.embedding_model)
    reranker = world.rerank_model()
    recalls, ranks = [], []
    for question, references in answerable:
        hits = retrieve(index, world.vectors, embedder, question, k=_K, reranker=reranker)
        spans = [Span(hit.chunk.slug, hit.chunk.start, hit.chunk.end) for hit in hits]
        recalls.append(recall(references, spans))
        ranks.append(reciprocal_rank(references, spans))
    return {
        f"recall@{_K}": round(sum(recalls) / len(recalls), 4),
        f"mrr@{_K}": round(sum(ranks) / len(ranks), 4),
        "questions": len(answerable),
    }


def _located(store: ObjectStore, draft: Draft, questions: Sequence[Question]) -> list[tuple[str, list[Span]]]:
    """Return the questions whose references all stand in the version's essays, with where they stand."""
    wanted = {reference.slug for question in questions for reference in question.references}
    essays = [essay for essay in draft.essays if essay.slug in wanted]
    with ThreadPoolExecutor(8) as pool:
        documents = list(pool.map(lambda e: require(store, keys.document(e.document), Document), essays))
    texts = {document.slug: document.text for document in documents}
    located = []
    for question in questions:
        found = [(ref.slug, locate(ref.content, texts.get(ref.slug, ""))) for ref in question.references]
        spans = [Span(slug, *span) for slug, span in found if span]
        if len(spans) == len(found):
            located.append((question.question, spans))
    return located
