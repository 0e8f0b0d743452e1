"""Vectors in memory: exact, and the same list each time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.adapters.memory_vectors import MemoryVectors

ROWS = np.eye(4, dtype=np.float32)
NAMES = ["d", "b", "c", "a"]


def stored() -> MemoryVectors:
    vectors = MemoryVectors()
    vectors.upsert("one", NAMES, ROWS)
    return vectors


class TestSearch:
    @given(st.permutations(NAMES), st.integers(1, 5))
    def test_orders_by_cosine_and_equals_by_id_however_they_came(self, names: list[str], k: int) -> None:
        vectors = MemoryVectors()
        for name in names:
            vectors.upsert("one", [name], ROWS[[NAMES.index(name)]])
        asked = np.array([0, 0, 1, 0], dtype=np.float32)
        assert vectors.search("one", asked, k, among=NAMES) == [("c", 1), ("a", 0), ("b", 0), ("d", 0)][:k]

    def test_of_no_such_collection_finds_nothing(self) -> None:
        assert stored().search("two", ROWS[0], 2, among=NAMES) == []

    def test_says_cosines_that_are_those_of_the_vectors(self) -> None:
        random = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
        rows = random / np.linalg.norm(random, axis=1, keepdims=True)
        vectors, names = MemoryVectors(), [f"{n:02}" for n in range(50)]
        vectors.upsert("one", names, rows)
        found = vectors.search("one", rows[7], 50, among=names)
        assert found[0][0] == "07"
        assert all(abs(cosine - float(rows[7] @ rows[int(id_)])) < 1e-5 for id_, cosine in found)
