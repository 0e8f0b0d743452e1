"""The vectors of a version, and how those come back that Milvus has lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from contextual_rag import keys
from contextual_rag.model import IndexedChunk
from contextual_rag.pipeline.windows import words_of
from contextual_rag.ports import Index, Matrix, ObjectStore, VectorStore
from contextual_rag.recipe import Recipe
from contextual_rag.versions.parts import read_embeddings
from contextual_rag.versions.records import EssayKeys, Version

__all__ = ["fill", "upsert_missing"]

_THREADS = 16
# So many essays: the vectors of all may be more than fit into memory.
_AT_ONCE = 1000


def upsert_missing(
    store: ObjectStore,
    vectors: VectorStore,
    recipe: Recipe,
    collection: str,
    ids: Sequence[tuple[EssayKeys, Sequence[str]]],
    rows: Callable[[EssayKeys], Sequence[IndexedChunk]],
) -> None:
    """Put the vectors into Milvus that it lacks; `ids` are those of each essay's chunks, in the order of its text.

    The words of the chunks, which `rows` returns, are put there too if the recipe has them searched there.

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
            found_by = None
            if recipe.keyword_search == "milvus":
                read_rows = pool.map(rows, (essay for essay, _ in some))
                found_by = words_of([row for part in read_rows for row in part if row.chunk_id in missing], recipe)
            vectors.upsert(collection, wanted, np.concatenate(matrices), found_by)


def fill(store: ObjectStore, vectors: VectorStore, version: Version, index: Index) -> int:
    """Put back what Milvus lost of a version's vectors; `index` is the version's. Return how many are lost for good."""
    ids = list(index.rows)
    if vectors.missing(version.collection, ids):
        made = [essay for essay in version.essays if store.exists(keys.embeddings(essay.embeddings))]
        parts = [(essay, index.order.get(essay.slug, ())) for essay in made]
        upsert_missing(store, vectors, version.recipe, version.collection, parts, lambda essay: index.essay(essay.slug))
    return len(vectors.missing(version.collection, ids))
