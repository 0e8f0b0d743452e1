"""What every vector store does, and what none does."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest

from contextual_rag.errors import ConflictError
from contextual_rag.model import Words
from contextual_rag.ports import Matrix, VectorStore

NAMES = ["d", "b", "c", "a"]
ROWS = np.eye(4, dtype=np.float32)
# More than an adapter sends or reads at once.
MANY = 1200


def near(*cosines: float) -> Matrix:
    """Unit vectors in a plane, whose cosines with the first axis are these."""
    return np.array([[cosine, (1 - cosine**2) ** 0.5, 0, 0] for cosine in cosines], dtype=np.float32)


def found(vectors: VectorStore, vector: Matrix, k: int = 10, among: list[str] = NAMES) -> list[str]:
    """The ids that a search of the collection `one` finds."""
    return [id_ for id_, _ in vectors.search("one", vector, k, among=among)]


def forbid() -> int:
    raise ConflictError("Somebody else removes things now.")


class TestUpsert:
    def test_stores_rows_under_their_ids(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        assert vectors.count("one") == 4
        assert sorted(vectors.ids("one")) == sorted(NAMES)
        for name, row in zip(NAMES, ROWS, strict=True):
            assert found(vectors, row, 1) == [name]

    def test_replaces_a_row_and_never_has_it_twice(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        vectors.upsert("one", ["d"], ROWS[[2]])
        assert vectors.count("one") == 4
        assert found(vectors, ROWS[2], 2) == ["c", "d"]
        assert dict(vectors.search("one", ROWS[0], 4, among=NAMES))["d"] == pytest.approx(0, abs=1e-5)

    def test_never_removes_other_rows(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES[:2], ROWS[:2])
        vectors.upsert("one", NAMES[2:], ROWS[2:])
        assert sorted(vectors.ids("one")) == sorted(NAMES)

    def test_never_changes_another_collection(self, vectors: VectorStore) -> None:
        vectors.upsert("one", ["a"], ROWS[:1])
        vectors.upsert("two", ["a", "b"], ROWS[1:3])
        assert (vectors.ids("one"), vectors.count("two")) == (["a"], 2)
        assert dict(vectors.search("one", ROWS[0], 9, among=NAMES)) == {"a": pytest.approx(1, abs=1e-5)}


class TestMany:
    def test_rows_are_all_stored_named_found_and_removed(self, vectors: VectorStore) -> None:
        names = [f"{n:04}" for n in range(MANY)]
        random = np.random.default_rng(0).normal(size=(MANY, 8)).astype(np.float32)
        rows = random / np.linalg.norm(random, axis=1, keepdims=True)
        vectors.upsert("one", names, rows)
        assert vectors.count("one") == MANY
        assert sorted(vectors.ids("one")) == names
        assert vectors.missing("one", ["x", *names, "y"]) == ["x", "y"]
        (best, cosine), (_, next_cosine) = vectors.search("one", rows[77], 2, among=set(names))
        assert best == "0077"
        assert cosine == pytest.approx(1, abs=1e-4)
        assert next_cosine < cosine
        vectors.delete("one", names[1:])
        assert vectors.ids("one") == ["0000"]


class TestSearch:
    def test_finds_the_nearest_first_with_their_cosines(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, near(0.2, 0.9, -0.5, 0.6))
        hits = vectors.search("one", ROWS[0], 4, among=NAMES)
        assert [id_ for id_, _ in hits] == ["b", "a", "d", "c"]
        assert [cosine for _, cosine in hits] == pytest.approx([0.9, 0.6, 0.2, -0.5], abs=1e-5)

    def test_of_equals_finds_them_in_the_order_of_their_ids(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS[[0, 0, 0, 0]])
        assert found(vectors, ROWS[0]) == ["a", "b", "c", "d"]

    def test_of_more_equals_than_k_finds_those_with_the_first_ids(self, vectors: VectorStore) -> None:
        names = list("xhgfedcba")
        vectors.upsert("one", names, near(0.9, *[0.8] * 8))
        for k in (5, 6, 7):
            assert [id_ for id_, _ in vectors.search("one", ROWS[0], k, among=names)] == ["x", *"abcdefgh"][:k]

    @pytest.mark.parametrize("k", [1, 3])
    def test_never_finds_more_than_k(self, vectors: VectorStore, k: int) -> None:
        vectors.upsert("one", NAMES, near(0.9, 0.8, 0.7, 0.6))
        assert found(vectors, ROWS[0], k) == NAMES[:k]

    def test_never_finds_what_is_not_among(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, near(0.9, 0.8, 0.7, 0.6))
        assert found(vectors, ROWS[0], 2, among=["a", "c"]) == ["c", "a"]
        assert found(vectors, ROWS[0], 2, among=["z"]) == []
        assert found(vectors, ROWS[0], 2, among=[]) == []

    def test_finds_what_is_among_although_many_others_are_nearer(self, vectors: VectorStore) -> None:
        others = [f"{n:03}" for n in range(200)]
        vectors.upsert("one", others, near(*np.linspace(0.9, 0.8, 200).tolist()))
        vectors.upsert("one", NAMES, near(0.4, 0.3, 0.2, 0.1))
        assert found(vectors, ROWS[0], 3) == NAMES[:3]
        assert dict(vectors.search("one", ROWS[0], 4, among=NAMES)) == pytest.approx(
            {"d": 0.4, "b": 0.3, "c": 0.2, "a": 0.1}, abs=1e-5
        )
        assert found(vectors, ROWS[0], 9, among=["a", "150", "none"]) == ["150", "a"]

    def test_never_finds_what_another_collection_holds(self, vectors: VectorStore) -> None:
        vectors.upsert("one", ["a"], near(0.5))
        vectors.upsert("two", ["b"], near(0.9))
        assert found(vectors, ROWS[0]) == ["a"]


class TestSearchWords:
    TEXTS = ("harbour harbour lamp", "harbour lamp wick", "tide table", "灯塔 灯")

    def put(self, vectors: VectorStore, ids: list[str] = NAMES, texts: Sequence[str] = TEXTS) -> None:
        words = Words([text.split() for text in texts], 1.2, 0.75)
        vectors.upsert("one", ids, np.resize(ROWS, (len(ids), 4)), words)

    def found(self, vectors: VectorStore, asked: str, k: int = 10, among: Collection[str] = NAMES) -> list[str]:
        hits = vectors.search_words("one", asked.split(), k, among=among)
        assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
        assert all(score > 0 for _, score in hits)
        return [id_ for id_, _ in hits]

    def test_finds_what_has_the_words_best_first(self, vectors: VectorStore) -> None:
        self.put(vectors)
        assert self.found(vectors, "harbour") == ["d", "b"]
        assert self.found(vectors, "harbour wick wick") == ["b", "d"]
        assert self.found(vectors, "table harbour", 1) == ["c"]

    @pytest.mark.parametrize("k1", [0.4, 3.0])
    def test_scores_by_the_parameters_that_it_is_given(self, vectors: VectorStore, k1: float) -> None:
        vectors.upsert("one", ["a", "b", "c"], ROWS[:3], Words([["lamp"] * 3, ["lamp", "sea", "sea"], ["sea"]], k1, 0))
        (best, score), (_, other) = vectors.search_words("one", ["lamp"], 2, among=NAMES)
        assert best == "a"
        assert score / other == pytest.approx((3 / (3 + k1)) / (1 / (1 + k1)), rel=1e-3)

    def test_never_finds_what_has_none_of_the_words(self, vectors: VectorStore) -> None:
        self.put(vectors)
        for asked in ("harbou", "zeppelin", "塔", "", "har bour"):
            assert self.found(vectors, asked) == []

    def test_takes_a_word_of_any_script_for_one(self, vectors: VectorStore) -> None:
        words = ["灯塔", "naïve", "don't", "c++", "x_1", "ॐनमः", "3.14", "-"]
        self.put(vectors, [*"12345678", "a"], [*words, " ".join("".join(words))])
        for n, word in enumerate(words, 1):
            among = [*"12345678", "a"]
            assert self.found(vectors, word, among=among)[0] == f"{n}"
            assert self.found(vectors, f"{word}z", among=among) == []

    def test_never_finds_what_is_not_among(self, vectors: VectorStore) -> None:
        self.put(vectors)
        assert self.found(vectors, "harbour", 1, ["b"]) == ["b"]
        assert self.found(vectors, "harbour", 1, []) == []

    def test_finds_what_is_among_although_many_others_are_better(self, vectors: VectorStore) -> None:
        others = [f"{n:03}" for n in range(200)]
        self.put(vectors, others, ["lamp"] * 200)
        self.put(vectors)
        assert self.found(vectors, "lamp", 3) == ["b", "d"]
        assert self.found(vectors, "lamp", 3, set(others)) == others[:3]

    def test_finds_no_row_that_was_replaced_or_removed(self, vectors: VectorStore) -> None:
        self.put(vectors)
        self.put(vectors, ["d"], ["sextant"])
        vectors.delete("one", ["b"])
        assert self.found(vectors, "harbour sextant") == ["d"]


class TestMissing:
    def test_names_what_is_not_held_in_the_order_given(self, vectors: VectorStore) -> None:
        vectors.upsert("one", ["b", "d"], ROWS[:2])
        assert vectors.missing("one", ["z", "d", "a", "b", "c"]) == ["z", "a", "c"]

    def test_never_names_what_is_held(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        assert vectors.missing("one", NAMES) == []

    def test_names_all_where_there_is_no_collection(self, vectors: VectorStore) -> None:
        vectors.upsert("two", NAMES, ROWS)
        assert vectors.missing("one", NAMES) == NAMES


class TestNoCollection:
    def test_has_no_rows(self, vectors: VectorStore) -> None:
        assert (vectors.count("one"), vectors.ids("one"), vectors.collections()) == (0, [], [])

    def test_is_made_by_nobody_who_only_asks(self, vectors: VectorStore) -> None:
        vectors.count("one")
        vectors.ids("one")
        vectors.missing("one", NAMES)
        vectors.drop("one")
        assert vectors.collections() == []


class TestDelete:
    def test_removes_what_it_names_and_never_other_rows(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, near(0.9, 0.8, 0.7, 0.6))
        vectors.upsert("two", NAMES, ROWS)
        vectors.delete("one", ["d", "c"])
        assert found(vectors, ROWS[0]) == ["b", "a"]
        assert (vectors.count("one"), sorted(vectors.ids("one"))) == (2, ["a", "b"])
        assert vectors.missing("one", NAMES) == ["d", "c"]
        assert vectors.count("two") == 4

    def test_of_what_is_not_there_is_no_error(self, vectors: VectorStore) -> None:
        vectors.upsert("one", ["a"], ROWS[:1])
        vectors.delete("one", ["z"])
        vectors.delete("one", [])
        assert vectors.ids("one") == ["a"]

    def test_removes_nothing_that_is_forbidden_at_the_last_moment(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        with pytest.raises(ConflictError):
            vectors.delete("one", ["d"], check=forbid)
        with pytest.raises(ConflictError):
            vectors.drop("one", check=forbid)
        assert vectors.missing("one", NAMES) == []

    def test_lets_a_row_be_stored_again(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        vectors.delete("one", ["d"])
        vectors.upsert("one", ["d"], ROWS[:1])
        assert found(vectors, ROWS[0], 1) == ["d"]
        assert vectors.count("one") == 4


class TestDrop:
    def test_removes_a_collection_and_never_another(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        vectors.upsert("two", NAMES, ROWS)
        assert vectors.collections() == ["one", "two"]
        vectors.drop("one")
        assert vectors.collections() == ["two"]
        assert (vectors.count("one"), vectors.count("two")) == (0, 4)

    def test_of_what_is_not_there_is_no_error(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        vectors.drop("one")
        vectors.drop("one")
        assert vectors.missing("one", ["a"]) == ["a"]

    def test_lets_the_next_collection_of_that_name_have_another_dimension(self, vectors: VectorStore) -> None:
        vectors.upsert("one", NAMES, ROWS)
        vectors.drop("one")
        vectors.upsert("one", ["a"], np.eye(3, dtype=np.float32)[:1])
        assert found(vectors, np.eye(3, dtype=np.float32)[0]) == ["a"]
