"""A question → the passages that may answer it: two searches, fused and then rescored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from contextual_rag.model import IndexedChunk
from contextual_rag.ports import EmbeddingModel, Index, RerankModel, VectorStore

__all__ = ["Hit", "fuse", "lifted", "retrieve"]

# How many of the fused hits are rescored, and from how many of those the best are taken.
_CONSIDERED = 100
_SHORTLISTED = 50
# The keyword search has its full weight if its best hit covers this share of the question, and proportionally less
# below it. Its scaled scores alone do not show whether the best hit matches more than a word or two.
_COVERED = 0.75


class Hit(NamedTuple):
    """A retrieved chunk. Ranks count from 1; a rank is None if that search did not find the chunk.

    Both ranks are None if the searches found only its neighbours in the essay.

    `score` orders the hits: the fused score, plus what a reranker adds if there is one. `cosine` is the
    similarity of question and chunk, or None if the vector search did not find it. `coverage` is the share of the
    question's words, weighted by rarity, that occur in the chunk or its context.
    """

    chunk: IndexedChunk
    score: float
    bm25_rank: int | None
    vector_rank: int | None
    cosine: float | None
    coverage: float = 0.0


def retrieve(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: str,
    *,
    k: int = 10,
    candidates: int = 200,
    reranker: RerankModel | None = None,
) -> list[Hit]:
    """Return up to k chunks of one version, best first. The same question always gives the same list.

    Each search returns up to `candidates` chunks, weighted as the version's ranking says. The keyword search reads the
    context and the chunk; the vector search reads the context's first line and the chunk. The best hits are rescored by
    how close together the question's words occur, and by their neighbours in the essay. A reranker's opinion of the
    best ones is added to their scores and never replaces them: a small model knows less than the searches together. Of
    chunks with the same text, only the first is returned.
    """
    by_words = index.keyword_search(question, candidates)
    vector = embedder.embed([question], kind="query")[0][0]
    by_meaning = vectors.search(index.collection, vector, candidates, among=index.rows)
    weight = index.ranking.keyword_weight
    trust = min(sum(index.coverage(question, [id_ for id_, _ in by_words[:1]])) / _COVERED, 1.0)
    fused = fuse((by_words, weight * trust), (_above_last(by_meaning), 1 - weight))[: max(k, _CONSIDERED)]
    if index.ranking.window_weight and weight:
        ids = [id_ for id_, _ in fused]
        closer = _scaled(zip(ids, index.best_windows(question, ids), strict=True))
        fused = _best_first({id_: score + index.ranking.window_weight * trust * closer[id_] for id_, score in fused})
    if index.ranking.nearby_weight:
        fused = lifted(dict(fused), index.near([id_ for id_, _ in fused]), index.ranking.nearby_weight)
    bm25_rank = {id_: rank for rank, (id_, _) in enumerate(by_words, 1)}
    vector_rank = {id_: rank for rank, (id_, _) in enumerate(by_meaning, 1)}
    cosine = dict(by_meaning)
    if reranker and fused and index.ranking.rerank_weight:
        fused = _reranked(index, question, fused, reranker)
    hits = (
        Hit(index.chunk(id_), score, bm25_rank.get(id_), vector_rank.get(id_), cosine.get(id_))
        for id_, score in fused[: max(k, _SHORTLISTED)]
    )
    best = list(islice(_spread(_distinct(hits), index.ranking.per_essay), k))
    coverage = index.coverage(question, [hit.chunk.chunk_id for hit in best])
    return [hit._replace(coverage=share) for hit, share in zip(best, coverage, strict=True)]


def fuse(*searches: tuple[Sequence[tuple[str, float]], float]) -> list[tuple[str, float]]:
    """Fuse searches by the weighted sum of their scaled scores; best first. Each search is a list of (id, score).

    This is the convex combination of Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (TOIS
    2023): scores show how much better a hit is than the next, ranks do not. Ties keep the order of first appearance.
    """
    scores: dict[str, float] = {}
    for found, weight in searches:
        if weight:
            for id_, score in _scaled(found).items():
                scores[id_] = scores.get(id_, 0.0) + weight * score
    return _best_first(scores)


def lifted(scores: Mapping[str, float], essays: Iterable[Sequence[str]], weight: float) -> list[tuple[str, float]]:
    """Raise the (id, score) of chunks by the scores near them; best first.

    `essays` lists the chunk ids of each essay in text order, all or those that the scores reach. A chunk gains the
    share `weight` of its distance to a better neighbour, since an answer often continues there. The opening of an
    essay, which introduces the whole, gains the same share of the essay's best score. Chunks that neither search found
    can enter the list this way.
    """
    found = dict(scores)
    for order in essays:
        own = [0.0, *(scores.get(id_, 0.0) for id_ in order), 0.0]
        whole = max(own)
        for id_, before, score, after in zip(order, own, own[1:], own[2:], strict=False):
            if lift := score + weight * (max(before, score, after) - score + whole):
                found[id_] = lift
            whole = 0.0
    return _best_first(found)


def _reranked(
    index: Index, question: str, fused: Sequence[tuple[str, float]], reranker: RerankModel
) -> list[tuple[str, float]]:
    """Add a share of a reranker's relevance to the scaled scores of the hits that it reads; best first."""
    scores = _scaled(fused)
    read = [id_ for id_, _ in fused[: reranker.most]]
    relevance, _ = reranker.rerank(question, [index.chunk(id_).embedded_text for id_ in read])
    for id_, share in zip(read, relevance, strict=True):
        scores[id_] += index.ranking.rerank_weight * share
    return _best_first(scores)


def _above_last(found: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return by how much each score is above the last one.

    Every chunk has some similarity to every question: a chunk that the vector search did not find is about as similar
    as the last one found. A chunk that the keyword search did not find has none of the words, so its score is 0.
    """
    return [(id_, score - found[-1][1]) for id_, score in found]


def _scaled(found: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return scores as shares of the best one; negative scores become 0."""
    scores = dict(found)
    best = max(scores.values(), default=0.0)
    return {id_: max(score, 0.0) / best if best > 0 else 0.0 for id_, score in scores.items()}


def _best_first(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])


def _distinct(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Leave out hits with the same text as a better hit, such as drafts and boilerplate."""
    seen: set[str] = set()
    for hit in hits:
        text = " ".join(hit.chunk.text.casefold().split())
        if text not in seen:
            seen.add(text)
            yield hit


def _spread(hits: Iterable[Hit], per_essay: int | None) -> Iterator[Hit]:
    taken: Counter[str] = Counter()
    for hit in hits:
        taken[hit.chunk.slug] += 1
        if per_essay is None or taken[hit.chunk.slug] <= per_essay:
            yield hit
