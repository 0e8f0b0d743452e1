"""The files of a version that Milvus searches by words: no arrays, and all else as in any other version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest

from contextual_rag.adapters import index_words
from contextual_rag.adapters.index_files import IndexFiles, write
from contextual_rag.adapters.memory_vectors import MemoryVectors
from contextual_rag.adapters.milvus_schema import as_text
from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.model import IndexedChunk
from contextual_rag.pipeline.windows import words_of
from contextual_rag.recipe import Recipe
from tests.raising import raising
from tests.small_world import passage

ARRAYS, IN_MILVUS = Recipe(), Recipe(keyword_search="milvus")
WORDS = ["harbour", "lamp", "wick", "salt", "tide", "kelp", "naïve", "3.14", "snake_case", "readHTTP", "灯塔"]
RANDOM = Random(7)
ROWS = [
    passage(" ".join(RANDOM.choices(WORDS, k=9)), f"log{n % 4}", chunk_id=f"log/{n:03}", start=n, context=f"Of {n}")
    for n in range(60)
]
IDS = [row.chunk_id for row in ROWS]
QUESTIONS = ["harbour lamp", "What is the salt of the tide?", "naïve HTTP", "灯塔", "zeppelin", ""]


def opened(folder: Path, recipe: Recipe, rows: Sequence[IndexedChunk] = ROWS) -> IndexFiles:
    for name, body in write(rows, recipe).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    vectors = MemoryVectors()
    vectors.upsert(recipe.collection, IDS[: len(rows)], np.zeros((len(rows), 2), np.float32), words_of(rows, recipe))
    return IndexFiles(folder, "2026-01-01-00000000", recipe, vectors=lambda: vectors)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[IndexFiles, IndexFiles]:
    return opened(tmp_path_factory.mktemp("arrays"), ARRAYS), opened(tmp_path_factory.mktemp("milvus"), IN_MILVUS)


class TestFiles:
    def test_have_counts_in_place_of_arrays(self) -> None:
        arrays, counts = write(ROWS, ARRAYS), write(ROWS, IN_MILVUS)
        assert {name for name in arrays if name not in counts} == {name for name in arrays if name.startswith("bm25/")}
        assert {name for name in counts if name not in arrays} == {"words.arrow"}
        assert all(counts[name] == arrays[name] for name in ("chunks.arrow", "windows.arrow"))

    def test_are_the_same_bytes_however_many_rows_are_counted_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = write(ROWS, IN_MILVUS)
        for words in (1, 10, 11, 100):
            monkeypatch.setattr(index_words, "_AT_ONCE", words)
            assert write(ROWS, IN_MILVUS) == whole

    def test_of_no_chunks_can_be_opened(self, tmp_path: Path) -> None:
        assert opened(tmp_path, IN_MILVUS, []).keyword_search("harbour", 3) == []

    def test_that_are_damaged_are_noticed_or_do_no_harm(self, tmp_path: Path) -> None:
        index = opened(tmp_path, IN_MILVUS)
        assert len(index.rows) == len(ROWS)
        body, random = (tmp_path / "words.arrow").read_bytes(), Random(1)
        for _ in range(60):
            place = random.randrange(len(body))
            wrong = body[:place] + bytes([body[place] ^ random.randrange(1, 256)]) + body[place + 1 :]
            (tmp_path / "words.arrow").write_bytes(wrong)
            try:
                found = IndexFiles(tmp_path, "v", IN_MILVUS)
            except CorruptObjectError:
                continue
            assert len(found.best_windows("harbour lamp", IDS)) == len(IDS)
        (tmp_path / "words.arrow").unlink()
        with raising(CorruptObjectError, "corrupt_object"):
            IndexFiles(tmp_path, "v", IN_MILVUS)


class TestSearch:
    def test_gives_the_same_as_with_arrays(self, both: tuple[IndexFiles, IndexFiles]) -> None:
        arrays, in_milvus = both
        for question in QUESTIONS:
            assert in_milvus.asked(question) == arrays.asked(question)
            found = in_milvus.keyword_search(question, len(ROWS))
            expected = _by_id(arrays, question)
            assert [id_ for id_, _ in found] == [id_ for id_, _ in expected]
            assert [score for _, score in found] == pytest.approx([score for _, score in expected], rel=1e-5)
            assert in_milvus.coverage(question, IDS) == pytest.approx(arrays.coverage(question, IDS))
            assert in_milvus.best_windows(question, IDS) == pytest.approx(arrays.best_windows(question, IDS))
        assert [in_milvus.rarity(word) for word in WORDS] == [arrays.rarity(word) for word in WORDS]

    def test_never_finds_what_is_not_within(self, both: tuple[IndexFiles, IndexFiles]) -> None:
        _, in_milvus = both
        part = in_milvus.within(frozenset({"log1"}))
        assert {in_milvus.chunk(id_).slug for id_, _ in part.keyword_search("harbour", 60)} == {"log1"}

    def test_never_goes_on_without_a_store(self, tmp_path: Path) -> None:
        opened(tmp_path, IN_MILVUS)
        with raising(SettingError, "setting"):
            IndexFiles(tmp_path, "v", IN_MILVUS).keyword_search("harbour", 1)


class TestRecipe:
    def test_names_as_before_what_is_searched_as_before(self) -> None:
        assert Recipe(keyword_search="bm25s").fingerprint == Recipe().fingerprint
        assert IN_MILVUS.fingerprint != ARRAYS.fingerprint
        assert IN_MILVUS.collection != ARRAYS.collection


class TestText:
    def test_that_is_too_long_ends_with_a_whole_word(self) -> None:
        words = [f"word{n}" for n in range(20_000)]
        text = as_text(words)
        assert 65_000 < len(text) <= 65_535
        assert text.split() == words[: len(text.split())]
        assert as_text(["灯塔"] * 20_000).split()[-1] == as_text(["灯塔"])


def _by_id(index: IndexFiles, question: str) -> list[tuple[str, float]]:
    """What the arrays find, with equal scores in the order of the ids."""
    return sorted(index.keyword_search(question, len(ROWS)), key=lambda hit: (-hit[1], hit[0]))
