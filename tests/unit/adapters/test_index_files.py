"""The files of a version: the same rows give the same bytes, and what is damaged is never searched."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from warnings import catch_warnings

import bm25s
import numpy as np
import pyarrow as pa
import pytest
from bm25s.tokenization import Tokenized
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.adapters.index_files import IndexFiles, read_ids, write
from contextual_rag.errors import CorruptObjectError
from contextual_rag.model import IndexedChunk, Place
from contextual_rag.pipeline.words import tokenise
from contextual_rag.ports import Index
from contextual_rag.qa.retrieve import lifted
from contextual_rag.recipe import Recipe
from tests.raising import raising

# word3 is one word here.
RECIPE = Recipe(split_identifiers=False)
TABLE = "chunks.arrow"
NAMES = [
    "bm25/data.csc.index.npy",
    "bm25/indices.csc.index.npy",
    "bm25/indptr.csc.index.npy",
    "bm25/params.index.json",
    "bm25/vocab.index.json",
    TABLE,
    "windows.arrow",
]


def row(n: int, text: str, *, context: str = "", slug: str = "log", date: str | None = None) -> IndexedChunk:
    return IndexedChunk(
        chunk_id=f"id{n}",
        slug=slug,
        title=slug.title(),
        url=f"http://essays.example/{slug}.html",
        date=date,
        start=n,
        end=n + len(text),
        text=text,
        context=context,
    )


ROWS = [row(n, f"word{n} and the lamp of the sea, {n % 3} “jugs”", context=f"Of {n}.") for n in range(20)]
FILES = write(ROWS, RECIPE)
SCHEMA = pa.ipc.open_file(pa.py_buffer(FILES[TABLE])).schema


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def open_(folder: Path, files: Mapping[str, bytes] = FILES) -> IndexFiles:
    return IndexFiles(put(folder, files), "2026-01-01-00000000", RECIPE)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> IndexFiles:
    return open_(tmp_path_factory.mktemp("index"))


class TestRoundTrip:
    def test_gives_each_row_back(self, index: IndexFiles) -> None:
        assert [index.chunk(row.chunk_id) for row in ROWS] == ROWS
        assert index.rows == {row.chunk_id: n for n, row in enumerate(ROWS)}

    def test_is_what_the_port_asks_for(self, index: IndexFiles) -> None:
        port: Index = index
        assert (port.version, port.recipe) == ("2026-01-01-00000000", RECIPE)

    @given(
        st.lists(
            st.builds(
                row,
                st.integers(0, 2**31 - 1000),
                st.text(max_size=20),
                context=st.text(max_size=20),
                date=st.none() | st.text(max_size=5),
            ),
            min_size=1,
            max_size=5,
            unique_by=lambda row: row.chunk_id,
        )
    )
    def test_holds_for_any_text(self, rows: list[IndexedChunk]) -> None:
        with TemporaryDirectory() as folder:
            opened = open_(Path(folder), write(rows, RECIPE))
            assert [opened.chunk(row.chunk_id) for row in rows] == rows
            for row_ in rows:
                assert {id_ for id_, _ in opened.keyword_search(row_.text, 10)} <= set(opened.rows)

    def test_may_be_searched_from_many_threads(self, index: IndexFiles) -> None:
        questions = [f"word{n} lamp" for n in range(20)] * 5
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda question: index.keyword_search(question, 1)[0][0], questions))
        assert found == [f"id{n}" for n in range(20)] * 5


class TestKeywordSearch:
    def test_puts_the_row_with_the_rarest_word_first(self, index: IndexFiles) -> None:
        (best, score), (_, next_score), *_ = index.keyword_search("the lamp of WORD7", 5)
        assert best == "id7"
        assert score > next_score > 0

    def test_looks_at_the_context_too(self, tmp_path: Path) -> None:
        rows = [row(0, "It was grey."), row(1, "It was grey.", context="Of the harbour.")]
        assert [id_ for id_, _ in open_(tmp_path, write(rows, RECIPE)).keyword_search("harbour", 5)] == ["id1"]

    def test_returns_k_at_most_and_only_what_shares_a_word(self, index: IndexFiles) -> None:
        assert len(index.keyword_search("lamp", 5)) == 5
        assert len(index.keyword_search("word3", 5)) == 1
        assert index.keyword_search("zeppelin", 5) == []
        assert index.keyword_search("", 5) == []
        assert index.keyword_search("?!", 5) == []

    def test_gives_ties_in_the_order_of_the_table(self, tmp_path: Path) -> None:
        rows = [row(n, "salt words twice, salt" if n % 3 else "salt words here") for n in range(300)]
        opened = open_(tmp_path, write(rows, RECIPE))
        expected = [f"id{n}" for n in range(300) if n % 3] + [f"id{n}" for n in range(0, 300, 3)]
        for k in (1, 7, 200, 300):
            assert [id_ for id_, _ in opened.keyword_search("salt", k)] == expected[:k]

    def test_stems_as_the_recipe_says(self, tmp_path: Path) -> None:
        rows = [row(0, "writers"), row(1, "nothing")]
        for stemmer, found in (("english", 1), ("none", 0)):
            recipe = Recipe.model_validate({"stemmer": stemmer})
            opened = IndexFiles(put(tmp_path / stemmer, write(rows, recipe)), "v", recipe)
            assert len(opened.keyword_search("writer", 5)) == found

    def test_finds_nothing_where_no_row_has_a_word(self, tmp_path: Path) -> None:
        assert open_(tmp_path, write([row(0, "…")], RECIPE)).keyword_search("word", 5) == []


def some_rows(count: int, seed: int) -> list[IndexedChunk]:
    """Rows of frequent and of rare words; essays of eleven chunks, which the table has in no order."""
    chance = Random(seed)

    def word() -> str:
        return f"{chance.choice('lmn')}ot{int(chance.paretovariate(0.5)) % 3000}"

    def text(most: int) -> str:
        return " ".join(word() for _ in range(chance.randrange(most)))

    rows = [row(n, text(120), context=text(9), slug=f"e{n // 11}") for n in range(count)]
    chance.shuffle(rows)
    return rows


# Made by the first test that needs them, not by every worker that collects the tests.
@cache
def many() -> list[IndexedChunk]:
    return some_rows(700, 1)


@cache
def files_of_many() -> dict[str, bytes]:
    return write(many(), RECIPE)


def questions() -> list[str]:
    return ["lot1 mot1", "not7 lot2999 lot1 lot1", "mot3 zeppelin", "", *(one.text[:40] for one in many()[:9])]


class TestNumbers:
    """What is read as numbers is what would be counted in the texts."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> IndexFiles:
        return open_(tmp_path / "opened", files_of_many())

    @pytest.mark.parametrize("made", [many, list, lambda: [row(0, "…"), row(1, "")]], ids=["many", "none", "no words"])
    def test_are_those_of_bm25s(self, tmp_path: Path, made: Callable[[], list[IndexedChunk]]) -> None:
        rows = made()
        texts = [tokenise(one.contextual_text, RECIPE) for one in rows]
        words = {word: n for n, word in enumerate(sorted({word for text in texts for word in text}))}
        index = bm25s.BM25(k1=RECIPE.bm25_k1, b=RECIPE.bm25_b)
        with np.errstate(invalid="ignore"), catch_warnings(action="ignore", category=RuntimeWarning):
            ids = [[words[word] for word in text] for text in texts]
            index.index(Tokenized(ids=ids, vocab=words), create_empty_token=False, show_progress=False)
        index.save(tmp_path, show_progress=False)
        files = write(iter(rows), RECIPE)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
            Path(name).name: body for name, body in files.items() if name.startswith("bm25/")
        }

    def test_find_what_sorting_all_rows_finds(self, opened: IndexFiles, tmp_path: Path) -> None:
        put(tmp_path, files_of_many())
        bm25 = bm25s.BM25.load(tmp_path / "bm25", show_progress=False)
        for question in questions():
            words = [word for word in tokenise(question, RECIPE) if word in bm25.vocab_dict]
            scores = bm25.get_scores(words) if words else np.zeros(len(many()), dtype=np.float32)
            best = [(many()[n].chunk_id, float(scores[n])) for n in np.argsort(-scores, kind="stable") if scores[n]]
            for k in (1, 3, 10, 1000):
                assert opened.keyword_search(question, k) == best[:k]

    def test_cover_what_the_texts_say(self, opened: IndexFiles) -> None:
        ids = [one.chunk_id for one in many()]
        for question in questions():
            asked = sorted(set(tokenise(question, RECIPE)))
            for one, share in zip(many(), opened.coverage(question, ids), strict=True):
                said = set(tokenise(one.contextual_text, RECIPE))
                weights = {word: opened.rarity(word) for word in asked}
                told = sum(weight for word, weight in weights.items() if word in said)
                assert share == pytest.approx(told / (sum(weights.values()) or 1))

    def test_match_windows_as_a_version_of_0_1_0_does_that_has_none(self, opened: IndexFiles, tmp_path: Path) -> None:
        older = open_(tmp_path, {name: body for name, body in files_of_many().items() if name != "windows.arrow"})
        ids = [one.chunk_id for one in many()[::-7]]
        for question in questions():
            assert opened.best_windows(question, ids) == pytest.approx(older.best_windows(question, ids))

    def test_lift_by_what_is_near_as_by_whole_essays(self, opened: IndexFiles) -> None:
        chance = Random(2)
        for count in (1, 5, 60):
            scores = {one.chunk_id: chance.random() for one in chance.sample(many(), count)}
            slugs = dict.fromkeys(opened.chunk(id_).slug for id_ in scores)
            near, whole = opened.near(list(scores)), [opened.order[slug] for slug in slugs]
            assert lifted(scores, near, 0.2) == lifted(scores, whole, 0.2)


class TestWords:
    ROWS = (
        row(0, "The ferrywoman kept a log of the tides at Corran."),
        row(1, "敲钟人林阿福就整夜敲钟。", slug="bell"),
        row(2, "A log of salt.", slug="salt"),
    )

    @pytest.fixture
    def found(self, tmp_path: Path) -> IndexFiles:
        return IndexFiles(put(tmp_path, write(self.ROWS, Recipe())), "v", Recipe())

    def test_that_are_rarer_tell_more_and_unknown_ones_most(self, found: IndexFiles) -> None:
        log, tide, unknown = (found.rarity(word) for word in ("log", "tide", "zeppelin"))
        assert log < tide < unknown
        assert found.words("The logs") == ["log"]

    def test_that_are_misspelt_are_known_by_the_spelling_of_the_essays(self, found: IndexFiles) -> None:
        assert found.respelled("ferywoman") == "ferrywoman"
        assert found.respelled("Coran") == "corran"

    @pytest.mark.parametrize("word", ["ferrywoman", "tide", "logged", "shark", "salty", "zeppelin", "林阿福", "x"])
    def test_that_are_spelt_well_or_mean_none_stay(self, found: IndexFiles, word: str) -> None:
        assert found.respelled(word) is None

    def test_of_a_script_without_spaces_are_found(self, found: IndexFiles) -> None:
        assert [id_ for id_, _ in found.keyword_search("林阿福是谁？", 3)] == ["id1"]
        assert found.keyword_search("谁烤面包？", 3) == []


class TestLanguages:
    GERMAN = row(3, "Die Fähren lagen im Nebel, und der Fährmann schrieb.", slug="nebel").model_copy(
        update={"language": "de"}
    )
    ROWS = (*TestWords.ROWS[::2], GERMAN)

    @pytest.fixture
    def found(self, tmp_path: Path) -> IndexFiles:
        return IndexFiles(put(tmp_path, write(self.ROWS, Recipe())), "v", Recipe())

    def test_are_in_the_table_only_where_one_is_not_english(self, found: IndexFiles, tmp_path: Path) -> None:
        assert found.languages == {"de", "en"}
        assert [found.chunk(one.chunk_id).language for one in self.ROWS] == ["en", "en", "de"]
        english = open_(tmp_path / "english")
        assert english.languages == {"en"}
        assert "language" not in SCHEMA.names
        assert english.chunk("id0").language == "en"

    @pytest.mark.parametrize(
        ("question", "ids"),
        [
            ("Wo liegt die Fähre?", ["id3"]),
            ("Where was the ferrywoman's log?", ["id2", "id0"]),
            ("Was steht über Corran im Nebel?", ["id0", "id3"]),
            ("Wer war in der Fischhalle?", []),
        ],
    )
    def test_each_has_its_own_words(self, found: IndexFiles, question: str, ids: list[str]) -> None:
        assert {id_ for id_, _ in found.keyword_search(question, 3)} == set(ids)

    def test_cover_a_question_by_the_words_that_tell(self, found: IndexFiles) -> None:
        german, english = found.coverage("Wann lagen die Fähren im Nebel?", ["id3", "id0"])
        assert german == pytest.approx(1.0)
        assert english == 0.0
        assert found.best_windows("Fähren im Nebel", ["id3", "id0"])[1] == 0.0


class TestBytes:
    def test_are_the_same_in_every_process(self) -> None:
        # This process hashes words by a seed of its own.
        script = (
            "import hashlib; from contextual_rag.adapters.index_files import write;"
            "from tests.unit.adapters.test_index_files import RECIPE, ROWS;"
            "print({name: hashlib.sha256(body).hexdigest() for name, body in write(ROWS, RECIPE).items()})"
        )
        root = Path(__file__).parents[3]
        environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join([str(root), "include"])}
        command = [sys.executable, "-c", script]
        made = subprocess.check_output(command, env=environment, cwd=root, text=True)
        assert made.strip() == str({name: hashlib.sha256(FILES[name]).hexdigest() for name in FILES})

    def test_are_in_files_that_a_manifest_can_name(self) -> None:
        assert sorted(FILES) == NAMES

    def test_change_with_the_recipe(self) -> None:
        assert write(ROWS, Recipe(bm25_b=0.5)) != FILES
        assert write(ROWS, Recipe(stemmer="none")) != FILES


class TestDamage:
    """Whatever stands in the files, opening them raises CorruptObjectError or gives an index that can be searched."""

    @pytest.mark.parametrize("name", NAMES[:-1])
    def test_of_a_file_that_is_missing(self, tmp_path: Path, name: str) -> None:
        with raising(CorruptObjectError, "corrupt_object", "2026-01-01-00000000"):
            open_(tmp_path, {other: body for other, body in FILES.items() if other != name})

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
    def test_of_a_file_that_was_cut(self, tmp_path: Path, name: str, share: float) -> None:
        with raising(CorruptObjectError, "corrupt_object"):
            open_(tmp_path, {**FILES, name: FILES[name][: int(len(FILES[name]) * share)]})

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize(
        "junk", [b"[]", b"null", b"3", b'{"a": "b"}', b"\xff\xfe", b"\x93NUMPY\x01\x00", b"ARROW1"]
    )
    def test_of_a_file_that_is_something_else(self, tmp_path: Path, name: str, junk: bytes) -> None:
        with raising(CorruptObjectError, "corrupt_object"):
            open_(tmp_path, {**FILES, name: junk})

    @pytest.mark.parametrize("name", NAMES)
    def test_of_a_file_that_belongs_to_a_version_of_other_rows(self, tmp_path: Path, name: str) -> None:
        with raising(CorruptObjectError, "corrupt_object"):
            open_(tmp_path, {**FILES, name: write([*ROWS[:7], row(99, "other words here")], RECIPE)[name]})

    def test_says_how_many_rows_each_part_has(self, tmp_path: Path) -> None:
        with raising(CorruptObjectError, "corrupt_object", 20, 7):
            open_(tmp_path, FILES | {TABLE: write(ROWS[:7], RECIPE)[TABLE]})

    def test_of_a_table_with_other_columns(self, tmp_path: Path) -> None:
        table = pa.table({"chunk_id": [row.chunk_id for row in ROWS]})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        with raising(CorruptObjectError, "corrupt_object", "columns"):
            open_(tmp_path, FILES | {TABLE: sink.getvalue().to_pybytes()})

    @pytest.mark.parametrize("compression", ["zstd", "lz4"])
    def test_of_a_table_that_is_small_only_while_it_is_compressed(self, tmp_path: Path, compression: str) -> None:
        table = pa.Table.from_pylist([one.model_dump() | {"text": "x" * 100_000} for one in ROWS], schema=SCHEMA)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_table(table, max_chunksize=7)
        bomb = sink.getvalue().to_pybytes()
        assert len(bomb) < 50_000
        with raising(CorruptObjectError, "corrupt_object", TABLE, "compressed"):
            open_(tmp_path, FILES | {TABLE: bomb})
        with raising(CorruptObjectError, "corrupt_object", TABLE, "compressed"):
            read_ids(bomb)

    @pytest.mark.parametrize("column", ["text", "context", "start", "chunk_id"])
    def test_of_a_table_that_lacks_a_value(self, tmp_path: Path, column: str) -> None:
        lacking = [one.model_dump() | ({column: None} if n == 5 else {}) for n, one in enumerate(ROWS)]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, SCHEMA) as writer:
            writer.write_table(pa.Table.from_pylist(lacking, schema=SCHEMA))
        with raising(CorruptObjectError, "corrupt_object", column):
            open_(tmp_path, FILES | {TABLE: sink.getvalue().to_pybytes()})

    def test_of_windows_of_fewer_chunks(self, tmp_path: Path) -> None:
        with raising(CorruptObjectError, "corrupt_object", "windows.arrow"):
            open_(tmp_path, FILES | {"windows.arrow": write(ROWS[:7], RECIPE)["windows.arrow"]})

    def test_is_none_in_a_table_of_several_batches(self, tmp_path: Path) -> None:
        table = pa.Table.from_pylist([one.model_dump() for one in ROWS], schema=SCHEMA)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, SCHEMA) as writer:
            writer.write_table(table, max_chunksize=7)
        opened = open_(tmp_path, FILES | {TABLE: sink.getvalue().to_pybytes()})
        assert [opened.chunk(one.chunk_id) for one in ROWS] == ROWS

    def test_of_the_folder_itself(self, tmp_path: Path) -> None:
        with raising(CorruptObjectError, "corrupt_object"):
            IndexFiles(tmp_path / "nowhere", "v", RECIPE)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy's, over types that a wrong byte spells
    @pytest.mark.parametrize("name", NAMES)
    def test_of_single_bytes_is_noticed_or_does_no_harm(self, tmp_path: Path, name: str) -> None:
        for n, damaged in enumerate(_with_a_wrong_byte(FILES[name], 100)):
            try:
                opened = open_(tmp_path / str(n), FILES | {name: damaged})
            except CorruptObjectError:
                continue
            opened.keyword_search("lamp word3 sea 1", 30)
            assert len(opened.rows) > 0


def _with_a_wrong_byte(body: bytes, times: int) -> Iterator[bytes]:
    random = Random(1)
    for _ in range(times):
        place = random.randrange(len(body))
        yield body[:place] + bytes([body[place] ^ random.randrange(1, 256)]) + body[place + 1 :]


class TestPlaces:
    """Where each part of a chunk is, in a column that tables of release 0.1.0 do not have."""

    def test_are_kept(self, tmp_path: Path) -> None:
        placed = [one.model_copy(update={"places": (Place(start=0, where="page 3"),)}) for one in ROWS[:2]]
        opened = open_(tmp_path, write([*placed, *ROWS[2:]], RECIPE))
        assert [opened.chunk(f"id{n}").where for n in range(3)] == ["page 3", "page 3", None]

    def test_that_no_row_has_leave_no_trace(self) -> None:
        assert "places" not in SCHEMA.names
