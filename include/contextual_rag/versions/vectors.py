"""The vectors of a version, and how those come back that Milvus has lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from contextual_rag import keys
from contextual_rag.ports import Index, Matrix, ObjectStore, VectorStore
from contextual_rag.versions.parts import read_embeddings
from contextual_rag.versions.records import EssayKeys, Version

__all__ = ["fill", "upsert_missing"]

_THREADS = 16
# So many essays: the vectors of all may be more than fit into memory.
_AT_ONCE = 1000


def upsert_missing(
    store: ObjectStore, vectors: VectorStore, collection: str, ids: Sequence[tuple[EssayKeys, Sequence[str]]]
) -> None:
    """Put the vectors into Milvus that it lacks; `ids` are those of each essay's chunks, in the order of its text.

    Milvus itself is asked what it lacks, so that rows lost there come back and none is written twice.
    """
    missing = set(vectors.missing(collection, [id_ for _, part in ids for id_ in part]))
    lacking = [(essay, part) for essay, part in ids if not missing.isdisjoint(part)]

    def read(essay: EssayKeys, part: Sequence[str]) -> Matrix:
        return read_embeddings(store, essay, len(part))[[n for n, id_ in enumerate(part) if id_ in missing]]

    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(lacking), _AT_ONCE):
            some = lacking[start : start + _AT_ONCE]
            matrices = list(pool.map(lambda one: read(*one), some))
            wanted = [id_ for _, part in some for id_ in part if id_ in missing]
            vectors.upsert(collection, wanted, np.concatenate(matrices))


def fill(store: ObjectStore, vectors: VectorStore, version: Version, index: Index) -> int:
    """Put back what Milvus lost of a version's vectors; `index` is the version's. Return how many are lost for good."""
    ids = list(index.rows)
    if vectors.missing(version.collection, ids):
        made = [essay for essay in version.essays if store.exists(keys.embeddings(essay.embeddings))]
        parts = [(essay, index.order.get(essay.slug, ())) for essay in made]
        upsert_missing(store, vectors, version.collection, parts)
    return len(vectors.missing(version.collection, ids))
