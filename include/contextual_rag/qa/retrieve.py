"""A question → the passages that may answer it: keyword and vector search, fused, reranked, spread over essays."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contextual_rag.model import IndexedChunk
from contextual_rag.ports import EmbeddingModel, Index, RerankModel, VectorStore

__all__ = ["Hit", "fuse", "retrieve"]

# Reciprocal rank fusion's constant (Cormack, Clarke & Büttcher, SIGIR 2009).
_RRF_K = 60
# So many of the fused hits are shown to a reranker, or spread over essays.
_CONSIDERED = 50


class Hit(NamedTuple):
    """A retrieved chunk. Ranks count from 1 and are None where that search did not find it.

    `score` orders the hits: the reranker's where one was asked, else the fused one. `cosine` is the similarity of
    question and chunk, None where the vector search did not find it.
    """

    chunk: IndexedChunk
    score: float
    bm25_rank: int | None
    vector_rank: int | None
    cosine: float | None


def retrieve(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: str,
    *,
    k: int = 10,
    candidates: int = 100,
    reranker: RerankModel | None = None,
    per_essay: int | None = None,
) -> list[Hit]:
    """Return up to k chunks of one version, best first; the same question always gives the same list.

    Both searches look at context and chunk together and give `candidates` each. `per_essay` caps how many chunks of
    one essay are returned.
    """
    by_words = index.keyword_search(question, candidates)
    vector = embedder.embed([question], kind="query")[0][0]
    by_meaning = vectors.search(index.recipe.collection, vector, candidates, among=index.rows)
    ranked = fuse([id_ for id_, _ in by_words], [id_ for id_, _ in by_meaning])
    bm25_rank = {id_: rank for rank, (id_, _) in enumerate(by_words, 1)}
    vector_rank = {id_: rank for rank, (id_, _) in enumerate(by_meaning, 1)}
    cosine = dict(by_meaning)
    considered = max(k, _CONSIDERED) if reranker or per_essay else k
    hits = [
        Hit(index.chunk(id_), score, bm25_rank.get(id_), vector_rank.get(id_), cosine.get(id_))
        for id_, score in ranked[:considered]
    ]
    if reranker and hits:
        scores, _ = reranker.rerank(question, [hit.chunk.contextual_text for hit in hits])
        rescored = [hit._replace(score=score) for hit, score in zip(hits, scores, strict=True)]
        hits = sorted(rescored, key=lambda hit: -hit.score)
    return _spread(hits, per_essay)[:k]


def fuse(*rankings: Sequence[str]) -> list[tuple[str, float]]:
    """Fuse rankings by reciprocal rank: Σ 1/(60 + rank), best first; ties keep the order of first appearance."""
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, id_ in enumerate(ranking, 1):
            scores[id_] += 1 / (_RRF_K + rank)
    return sorted(scores.items(), key=lambda item: -item[1])


def _spread(hits: Iterable[Hit], per_essay: int | None) -> list[Hit]:
    taken: Counter[str] = Counter()
    kept = []
    for hit in hits:
        taken[hit.chunk.slug] += 1
        if per_essay is None or taken[hit.chunk.slug] <= per_essay:
            kept.append(hit)
    return kept
