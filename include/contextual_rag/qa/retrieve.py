"""A question → the passages that may answer it: two searches, fused and looked at closer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from contextual_rag.model import IndexedChunk
from contextual_rag.ports import EmbeddingModel, Index, RerankModel, VectorStore

__all__ = ["Hit", "fuse", "lifted", "retrieve"]

# So many of the fused hits are looked at closer, and so many of these shown to a reranker.
_CONSIDERED = 100
_SHORTLISTED = 50
# The keyword search has its full say where its best hit covers so much of the question, and less in proportion: scores
# that are shares of the best one do not tell whether that has more than a word or two of it.
_COVERED = 0.75


class Hit(NamedTuple):
    """A retrieved chunk. Ranks count from 1 and are None where that search did not find it.

    Both are None where only what stands near it in its essay was found.

    `score` orders the hits: the reranker's where one was asked, else the fused one. `cosine` is the similarity of
    question and chunk, None where the vector search did not find it. `coverage` is the share of the question's words,
    weighed by their rarity, that stand in chunk or context.
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
    """Return up to k chunks of one version, best first; the same question always gives the same list.

    Both searches give `candidates` each, weighed as the version's ranking says: words are looked for in context and
    chunk, meaning in the context's first line and the chunk; words that are little of the question weigh less. The best
    of them are looked at closer: how near to each other the question's words stand in them, and what is found beside
    them in their essay. Of chunks with the same text only the first is returned.
    """
    by_words = index.keyword_search(question, candidates)
    vector = embedder.embed([question], kind="query")[0][0]
    by_meaning = vectors.search(index.collection, vector, candidates, among=index.rows)
    weight = index.ranking.keyword_weight
    say = min(sum(index.coverage(question, [id_ for id_, _ in by_words[:1]])) / _COVERED, 1.0)
    fused = fuse((by_words, weight * say), (_above_last(by_meaning), 1 - weight))[: max(k, _CONSIDERED)]
    if index.ranking.window_weight and weight:
        ids = [id_ for id_, _ in fused]
        closer = _scaled(zip(ids, index.best_windows(question, ids), strict=True))
        fused = _best_first({id_: score + index.ranking.window_weight * say * closer[id_] for id_, score in fused})
    if index.ranking.nearby_weight:
        essays = [index.order[slug] for slug in dict.fromkeys(index.chunk(id_).slug for id_, _ in fused)]
        fused = lifted(dict(fused), essays, index.ranking.nearby_weight)
    bm25_rank = {id_: rank for rank, (id_, _) in enumerate(by_words, 1)}
    vector_rank = {id_: rank for rank, (id_, _) in enumerate(by_meaning, 1)}
    cosine = dict(by_meaning)
    hits = [
        Hit(index.chunk(id_), score, bm25_rank.get(id_), vector_rank.get(id_), cosine.get(id_))
        for id_, score in fused[: max(k, _SHORTLISTED)]
    ]
    if reranker and hits:
        scores, _ = reranker.rerank(question, [hit.chunk.embedded_text for hit in hits])
        rescored = [hit._replace(score=score) for hit, score in zip(hits, scores, strict=True)]
        hits = sorted(rescored, key=lambda hit: -hit.score)
    best = _spread(_distinct(hits), index.ranking.per_essay)[:k]
    coverage = index.coverage(question, [hit.chunk.chunk_id for hit in best])
    return [hit._replace(coverage=share) for hit, share in zip(best, coverage, strict=True)]


def fuse(*searches: tuple[Sequence[tuple[str, float]], float]) -> list[tuple[str, float]]:
    """Fuse searches, each a list of (id, score) and its weight, by the weighted sum of their scaled scores; best first.

    The convex combination of Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (TOIS 2023):
    scores tell how much better a hit is than the next, ranks do not. Ties keep the order of first appearance.
    """
    scores: dict[str, float] = {}
    for found, weight in searches:
        if weight:
            for id_, score in _scaled(found).items():
                scores[id_] = scores.get(id_, 0.0) + weight * score
    return _best_first(scores)


def lifted(scores: Mapping[str, float], essays: Iterable[Sequence[str]], weight: float) -> list[tuple[str, float]]:
    """Lift the (id, score) of chunks by what is found near them; best first.

    `essays` are the ids of their essays' chunks, each in the order of its text. By the share `weight` a chunk comes up
    to the better of those beside it, since what answers a question often goes on there; and an opening, which
    introduces the whole, gains so much of its essay's best score. So openings and neighbours come in that neither
    search found.
    """
    found = dict(scores)
    for order in essays:
        own = [scores.get(id_, 0.0) for id_ in order]
        for place, id_ in enumerate(order):
            beside = max(own[max(place - 1, 0) : place + 2])
            whole = 0.0 if place else max(own)
            if score := own[place] + weight * (beside - own[place] + whole):
                found[id_] = score
    return _best_first(found)


def _above_last(found: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return by how much each score is above the last one.

    Every chunk is somewhat near to every question. What a search by meaning did not find is about as near as the last
    that it found, while what the keyword search did not find has none of the words, and rightly counts nothing.
    """
    return [(id_, score - found[-1][1]) for id_, score in found]


def _scaled(found: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Scores as shares of the best one; what is below 0 counts nothing."""
    scores = dict(found)
    best = max(scores.values(), default=0.0)
    return {id_: max(score, 0.0) / best if best > 0 else 0.0 for id_, score in scores.items()}


def _best_first(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])


def _distinct(hits: Iterable[Hit]) -> list[Hit]:
    """Leave out what says the same in the same words as a better hit, as drafts and boilerplate do."""
    seen: dict[str, Hit] = {}
    for hit in hits:
        seen.setdefault(" ".join(hit.chunk.text.casefold().split()), hit)
    return list(seen.values())


def _spread(hits: Iterable[Hit], per_essay: int | None) -> list[Hit]:
    taken: Counter[str] = Counter()
    kept = []
    for hit in hits:
        taken[hit.chunk.slug] += 1
        if per_essay is None or taken[hit.chunk.slug] <= per_essay:
            kept.append(hit)
    return kept
