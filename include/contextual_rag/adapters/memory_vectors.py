"""Vectors in this process's memory, compared one and all: exact, for an index that is made, measured and forgotten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

import bm25s
import numpy as np

from contextual_rag.model import Words
from contextual_rag.ports import Check, Matrix

__all__ = ["MemoryVectors"]

# Equal vectors in different rows of a matrix come to cosines that differ by rounding; beyond this they count as equal.
_DECIMALS = 6


class MemoryVectors:
    """A `VectorStore`. Rows that are searched may be searched from several threads."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, Matrix]] = {}
        self._matrices: dict[str, tuple[list[str], Matrix]] = {}
        self._words: dict[str, dict[str, Sequence[str]]] = {}
        self._parameters: dict[str, tuple[float, float]] = {}

    def missing(self, collection: str, ids: Sequence[str]) -> list[str]:
        """Return the ids that the collection does not hold, in the order given."""
        held = self._collections.get(collection, {})
        return [id_ for id_ in ids if id_ not in held]

    def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix, words: Words | None = None) -> None:
        """Store rows of shape (n, dimension) under their ids, creating the collection where it is new."""
        if words:
            self._words.setdefault(collection, {}).update(zip(ids, words.of_each, strict=True))
            self._parameters[collection] = (words.k1, words.b)
        self._collections.setdefault(collection, {}).update(zip(ids, vectors, strict=True))
        self._stack(collection)

    def search(self, collection: str, vector: Matrix, k: int, *, among: Collection[str]) -> list[tuple[str, float]]:
        """Return up to k (id, cosine) of the nearest rows, best first, that are in `among`; equals by their ids."""
        if collection not in self._matrices:
            return []
        ids, matrix = self._matrices[collection]
        cosines = np.round(matrix @ vector, _DECIMALS)
        # Mostly all rows belong to the version that is asked, so that not all need to be sorted.
        for most in (2 * k, len(ids)):
            rows = np.arange(len(ids))
            if most < len(ids):
                rows = np.flatnonzero(cosines >= np.partition(cosines, -most)[-most])
            rows = rows[np.argsort(-cosines[rows], kind="stable")]
            hits = ((ids[row], score) for row, score in zip(rows.tolist(), cosines[rows].tolist(), strict=True))
            found = list(islice((hit for hit in hits if hit[0] in among), k))
            if len(found) == k:
                break
        return found

    def search_words(
        self, collection: str, words: Sequence[str], k: int, *, among: Collection[str]
    ) -> list[tuple[str, float]]:
        """Return up to k (id, BM25 score) of rows in `among` that have one of the words, best first; equals by id."""
        held = self._collections.get(collection, {})
        rows = sorted((id_, own) for id_, own in self._words.get(collection, {}).items() if id_ in held)
        if not any(own for _, own in rows):
            return []
        k1, b = self._parameters[collection]
        index = bm25s.BM25(k1=k1, b=b)
        index.index([list(own) for _, own in rows], show_progress=False)
        known = [word for word in words if word in index.vocab_dict]
        scores = index.get_scores(known).tolist() if known else []
        hits = zip((id_ for id_, _ in rows), scores, strict=bool(scores))
        return sorted((hit for hit in hits if hit[1] > 0 and hit[0] in among), key=lambda hit: -hit[1])[:k]

    def count(self, collection: str) -> int:
        """Return the number of rows; 0 where there is no such collection."""
        return len(self._collections.get(collection, {}))

    def collections(self) -> list[str]:
        """Return the names of all collections."""
        return sorted(self._collections)

    def ids(self, collection: str) -> list[str]:
        """Return the ids of all rows; none where there is no such collection."""
        return list(self._collections.get(collection, {}))

    def delete(self, collection: str, ids: Sequence[str], *, check: Check | None = None) -> None:
        """Remove rows; one that is not there is no error. `check` is called right before."""
        if check:
            check()
        rows = self._collections.get(collection, {})
        for id_ in ids:
            rows.pop(id_, None)
        self._stack(collection)

    def drop(self, collection: str, *, check: Check | None = None) -> None:
        """Remove a collection with all its rows; one that is not there is no error. `check` is called right before."""
        if check:
            check()
        self._collections.pop(collection, None)
        self._matrices.pop(collection, None)
        self._words.pop(collection, None)

    def _stack(self, collection: str) -> None:
        """Lay the rows out for searching, in the order of their ids, which a stable sort keeps among equals."""
        rows = self._collections.get(collection)
        if rows:
            ids = sorted(rows)
            self._matrices[collection] = (ids, np.stack([rows[id_] for id_ in ids]))
        else:
            self._matrices.pop(collection, None)
