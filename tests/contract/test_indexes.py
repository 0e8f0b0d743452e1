"""What every index does, and what none does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from contextual_rag.adapters.index_files import IndexFiles, write
from contextual_rag.adapters.memory_vectors import MemoryVectors
from contextual_rag.adapters.milvus import Milvus
from contextual_rag.embedded.services import Services
from contextual_rag.model import IndexedChunk
from contextual_rag.pipeline.windows import words_of
from contextual_rag.ports import Index, VectorStore
from contextual_rag.recipe import Recipe
from tests.small_world import SmallIndex, passage

# The rows are not in the order of the essays' texts.
CHUNKS = [
    passage("salt salt harbour", "jug", chunk_id="jug/b", start=50),
    passage("harbour lamp", "jug", chunk_id="jug/a", start=0),
    passage("lamp wick", "log", chunk_id="log/a", start=7),
    passage("tide table", "log", chunk_id="log/b", start=90, context="kept by the harbour"),
]
IDS = [chunk.chunk_id for chunk in CHUNKS]


IN_MILVUS = Recipe(keyword_search="milvus")


def stored(vectors: VectorStore) -> VectorStore:
    """A store with the words of these chunks, and of two that no version here has."""
    chunks = [*CHUNKS, *(passage("harbour harbour", "old", chunk_id=f"old/{n}") for n in range(2))]
    ids = [chunk.chunk_id for chunk in chunks]
    vectors.upsert(IN_MILVUS.collection, ids, np.eye(len(ids), dtype=np.float32), words_of(chunks, IN_MILVUS))
    return vectors


@pytest.fixture(scope="module")
def embedded(stores: Services) -> Iterator[VectorStore]:
    """The embedded Milvus, with these chunks."""
    milvus = Milvus(stores.environment["MILVUS_URI"], owner=f"indexes_{uuid.uuid4().hex[:12]}")
    yield stored(milvus)
    milvus.drop(IN_MILVUS.collection)


def opened(
    chunks: Sequence[IndexedChunk], folder: Path, recipe: Recipe, vectors: VectorStore | None = None
) -> IndexFiles:
    """The files of a version, written and opened; a recipe may have its words searched in a store."""
    for name, body in write(chunks, recipe).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return IndexFiles(folder, SmallIndex.version, recipe, vectors=(lambda: vectors) if vectors else None)


@pytest.fixture(params=["files", "small", "memory", pytest.param("milvus", marks=pytest.mark.service)])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Index:
    """An index of these chunks, which a search for `harbour` finds three of."""
    if request.param == "small":
        return SmallIndex(CHUNKS, ["jug/a", "jug/b", "log/b"])
    if request.param == "files":
        return opened(CHUNKS, tmp_path, Recipe())
    store = stored(MemoryVectors()) if request.param == "memory" else request.getfixturevalue("embedded")
    return opened(CHUNKS, tmp_path, IN_MILVUS, store)


class TestChunks:
    def test_are_numbered_in_the_order_that_they_were_indexed_in(self, index: Index) -> None:
        assert dict(index.rows) == {id_: row for row, id_ in enumerate(IDS)}

    def test_are_given_back_whole(self, index: Index) -> None:
        assert [index.chunk(id_) for id_ in IDS] == CHUNKS

    def test_of_an_unknown_id_are_never_another_chunk(self, index: Index) -> None:
        for id_ in ("", "jug", "JUG/A", "jug/c"):
            with pytest.raises(KeyError):
                index.chunk(id_)

    def test_are_of_a_version_that_has_a_name_and_a_recipe(self, index: Index) -> None:
        assert index.version == SmallIndex.version
        assert index.recipe in (Recipe(), IN_MILVUS)


class TestEssays:
    def test_have_their_titles(self, index: Index) -> None:
        assert dict(index.essays) == {"jug": "Jug", "log": "Log"}

    def test_are_read_in_the_order_of_their_texts(self, index: Index) -> None:
        assert [chunk.chunk_id for chunk in index.essay("jug")] == ["jug/a", "jug/b"]
        assert {slug: list(ids) for slug, ids in index.order.items()} == {
            "jug": ["jug/a", "jug/b"],
            "log": ["log/a", "log/b"],
        }

    def test_never_hold_a_chunk_of_another_essay(self, index: Index) -> None:
        assert {slug: {chunk.slug for chunk in index.essay(slug)} for slug in index.essays} == {
            "jug": {"jug"},
            "log": {"log"},
        }

    def test_have_chunks_near_others_and_their_openings(self, index: Index) -> None:
        assert [list(ids) for ids in index.near(["log/b", "jug/b", "jug/a"])] == [
            ["log/a", "log/b"],
            ["jug/a", "jug/b"],
        ]

    def test_are_never_near_where_none_of_their_chunks_is_named(self, index: Index) -> None:
        assert [list(ids) for ids in index.near(["jug/a"])] == [["jug/a", "jug/b"]]
        assert list(index.near([])) == []

    def test_that_are_not_there_have_no_chunks(self, index: Index) -> None:
        assert [index.essay(slug) for slug in ("", "Jug", "ju")] == [[], [], []]


class TestKeywordSearch:
    def test_finds_what_says_the_word_best_first(self, index: Index) -> None:
        hits = index.keyword_search("harbour", 10)
        assert {id_ for id_, _ in hits} == {"jug/a", "jug/b", "log/b"}
        scores = [score for _, score in hits]
        assert scores == sorted(scores, reverse=True)
        assert min(scores) > 0

    @pytest.mark.parametrize("k", [1, 2])
    def test_never_finds_more_than_k(self, index: Index, k: int) -> None:
        assert index.keyword_search("harbour", k) == index.keyword_search("harbour", 10)[:k]

    def test_never_finds_what_shares_no_word(self, index: Index) -> None:
        assert "log/a" not in [id_ for id_, _ in index.keyword_search("harbour", 10)]


class TestCoverage:
    def test_is_whole_where_every_word_is_said_and_nothing_where_none_is(self, index: Index) -> None:
        said = index.coverage("harbour lamp", IDS)
        assert said[1] == pytest.approx(1)
        assert 0 < said[0] < 1
        assert index.coverage("harbour", ["log/a"]) == [0]

    def test_counts_what_the_context_says(self, index: Index) -> None:
        assert index.coverage("harbour", ["log/b"]) == [pytest.approx(1)]

    def test_comes_in_the_order_of_the_ids_and_never_leaves_0_to_1(self, index: Index) -> None:
        said = index.coverage("harbour lamp wick zeppelin", IDS)
        assert index.coverage("harbour lamp wick zeppelin", IDS[::-1]) == said[::-1]
        assert all(0 <= share <= 1 for share in said)
        assert index.coverage("harbour", []) == []


class TestBestWindows:
    def test_are_higher_where_the_words_are(self, index: Index) -> None:
        with_it, without = index.best_windows("lamp", ["log/a", "log/b"])
        assert with_it > without

    def test_come_in_the_order_of_the_ids(self, index: Index) -> None:
        scores = index.best_windows("lamp salt", IDS)
        assert index.best_windows("lamp salt", IDS[::-1]) == scores[::-1]
        assert index.best_windows("lamp", []) == []

    def test_never_count_what_only_the_context_says(self, index: Index) -> None:
        with_it, without = index.best_windows("harbour", ["jug/a", "log/b"])
        assert with_it > without


class TestWithin:
    def test_has_these_essays_alone(self, index: Index) -> None:
        part = index.within(frozenset({"log", "unknown"}))
        assert dict(part.essays) == {"log": "Log"}
        assert {slug: list(ids) for slug, ids in part.order.items()} == {"log": ["log/a", "log/b"]}
        assert set(part.rows) == {"log/a", "log/b"}
        assert set(part.origins) == {"log"}
        assert [chunk.chunk_id for chunk in part.essay("log")] == ["log/a", "log/b"]
        assert part.essay("jug") == []
        assert (part.version, part.recipe, part.collection) == (index.version, index.recipe, index.collection)

    def test_finds_in_them_what_the_whole_finds_and_as_high(self, index: Index) -> None:
        part, whole = index.within(frozenset({"log"})), index.keyword_search("harbour", 9)
        assert part.keyword_search("harbour", 1) == [hit for hit in whole if hit[0] == "log/b"]
        assert part.rarity("lamp") == index.rarity("lamp")

    def test_never_changes_the_whole(self, index: Index) -> None:
        before = index.keyword_search("harbour", 9)
        index.within(frozenset({"log"})).keyword_search("harbour", 9)
        assert index.keyword_search("harbour", 9) == before
        assert set(index.essays) == {"jug", "log"}

    def test_has_nothing_where_no_essay_is_named(self, index: Index) -> None:
        part = index.within(frozenset())
        assert (dict(part.rows), dict(part.essays), part.keyword_search("harbour", 9)) == ({}, {}, [])

    def test_says_where_essays_come_from(self, index: Index) -> None:
        assert {slug: (origin.url, origin.date) for slug, origin in index.origins.items()} == {
            slug: (f"https://essays.example/{slug}.html", "March 2019") for slug in ("jug", "log")
        }
