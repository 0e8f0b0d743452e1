"""The files of an index version, written once and memory-mapped ever after: the chunk table and the keyword index."""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import islice
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from tokenize import TokenError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextual_rag import keys
from contextual_rag.adapters.index_table import ChunkTable, as_table, encode, languages_of
from contextual_rag.adapters.index_words import COUNTS, WINDOWS, WordCounts, WordIndex, WordWindows, WordWriter
from contextual_rag.adapters.spelling import Spellings, is_english
from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.languages import ENGLISH, asked_in
from contextual_rag.model import IndexedChunk, Origin
from contextual_rag.pipeline.windows import Window, best_windows, counted
from contextual_rag.pipeline.windows import windows as cut
from contextual_rag.pipeline.words import tokenise, tokenise_question
from contextual_rag.ports import VectorStore
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe

__all__ = ["IndexFiles", "IndexWriter", "read_ids", "write"]

# What the libraries raise over damaged files; NumPy reads the heads of its arrays with Python's own tokeniser.
_DAMAGED = (
    struct.error,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    TokenError,
    pa.ArrowException,
)

# So many chunks are kept as a search needs them: what one question finds, the next often finds again.
_KEPT = 4096
# So many chunks become a part of the table at once.
_ROWS_AT_ONCE = 10_000
# Whoever asks of some documents often asks of the same ones again.
_PARTS_KEPT = 8
# A search reads the words of a question several times.
_ASKED = 64


class IndexWriter:
    """Collects the chunks of a version as parts of its table, and makes its files."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._waiting: list[IndexedChunk] = []
        self._parts: list[pa.Table] = []

    def add(self, rows: Sequence[IndexedChunk]) -> None:
        """Add chunks after those that were added before."""
        self._waiting += rows
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self._lay_down()

    def files(self, *, with_added: bool = True) -> dict[str, bytes]:
        """Return the files of a version by name. The same rows and recipe give the same bytes.

        Without what was added since, they are as release 0.1.0 wrote them.
        """
        self._lay_down()
        words = WordWriter()
        for part in self._parts:
            columns = (part[name].to_pylist() for name in ("context", "text"))
            for context, text, language in zip(*columns, languages_of(part), strict=True):
                words.add(*counted(context, text, self._recipe, language))
        files = dict(words.files(self._recipe))
        del words  # as large as what it made, and so is what the table needs
        return files | {keys.TABLE: encode(self._parts, with_added=with_added)}

    def _lay_down(self) -> None:
        if self._waiting:
            self._parts.append(as_table(self._waiting))
            self._waiting = []


def write(rows: Iterable[IndexedChunk], recipe: Recipe) -> dict[str, bytes]:
    """Return the files of a version of these chunks."""
    writer, rows = IndexWriter(recipe), iter(rows)
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        writer.add(part)
    return writer.files()


def read_ids(table: bytes) -> list[str]:
    """Return the chunk ids of a version's chunk table, in its order. Raises CorruptObjectError."""
    try:
        return ChunkTable(pa.py_buffer(table)).ids
    except _DAMAGED as error:
        raise CorruptObjectError(f"{keys.TABLE} cannot be read: {error}.") from error


class IndexFiles:
    """One version's files in a local folder, open for searching. Safe to share between threads.

    `collection` is where its vectors are, by default the recipe's; `sources` names the source of each essay, by its
    slug, and `authors` those who wrote it; `vectors` returns the store that searches by words too, if the recipe says
    so. Raises CorruptObjectError if the files do not fit together.
    """

    def __init__(
        self,
        folder: Path,
        version: str,
        recipe: Recipe,
        ranking: Ranking | None = None,
        collection: str | None = None,
        *,
        sources: Mapping[str, str] | None = None,
        authors: Mapping[str, Sequence[str]] | None = None,
        vectors: Callable[[], VectorStore] | None = None,
    ) -> None:
        self.version = version
        self.recipe = recipe
        self.ranking = ranking or Ranking()
        self.collection = collection or recipe.collection
        self._sources = sources or {}
        self._authors = authors or {}
        self._vectors = vectors
        # None for all rows, or 1 for each that is searched, and 0 for the others.
        self._searched: NDArray[np.float32] | None = None
        self._kept_within = lru_cache(_PARTS_KEPT)(self._within)
        self._kept_chunk = lru_cache(_KEPT)(self._read_chunk)
        self._kept_windows = lru_cache(_KEPT)(self._cut_windows)
        self._kept_words = lru_cache(_KEPT)(self._read_words)
        self._kept_question = lru_cache(_ASKED)(self._weighed)
        self._kept_spelling = lru_cache(_KEPT)(self._respelled)
        self._kept_asked = lru_cache(_KEPT)(self._asked)
        try:
            with _mapped(folder / keys.TABLE) as table:
                self._table = ChunkTable(pa.py_buffer(table))
            self._words: WordIndex | WordCounts
            if recipe.keyword_search == "milvus":
                with _mapped(folder / COUNTS) as counts:
                    self._words = WordCounts(pa.py_buffer(counts), len(self._table))
            else:
                self._words = WordIndex(folder / "bm25", len(self._table))
            self._windows = None
            # What release 0.1.0 wrote has no such file.
            if (folder / WINDOWS).exists():
                with _mapped(folder / WINDOWS) as windows:
                    self._windows = WordWindows(pa.py_buffer(windows), len(self._table))
        except _DAMAGED as error:
            raise CorruptObjectError(
                f"Index version {version} in {folder} cannot be opened: {error}. Delete the folder to have it "
                "downloaded again."
            ) from error

    def ranked(self, ranking: Ranking) -> IndexFiles:
        """Return the same open files, asked by another ranking."""
        other = copy.copy(self)
        other.ranking = ranking
        other._kept_within = lru_cache(_PARTS_KEPT)(other._within)
        return other

    def within(self, slugs: frozenset[str]) -> IndexFiles:
        """Return the same open files, with only these essays to be found and read."""
        return self._kept_within(slugs)

    def _within(self, slugs: frozenset[str]) -> IndexFiles:
        other = copy.copy(self)
        order = {slug: self.order[slug] for slug in sorted(slugs) if slug in self.order}
        rows = {chunk_id: self.rows[chunk_id] for ids in order.values() for chunk_id in ids}
        searched = np.zeros(len(self._table), np.float32)
        searched[list(rows.values())] = 1
        essays = {slug: title for slug, title in self.essays.items() if slug in slugs}
        origins = {slug: origin for slug, origin in self.origins.items() if slug in slugs}
        # These stand in place of what the properties would compute.
        other.__dict__ |= {"order": order, "rows": rows, "essays": essays, "origins": origins, "_searched": searched}
        other._kept_within = lru_cache(_PARTS_KEPT)(other._within)
        return other

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each chunk id."""
        return self._table.rows

    def chunk(self, chunk_id: str) -> IndexedChunk:
        """Return a chunk of this version."""
        return self._kept_chunk(chunk_id)

    def _read_chunk(self, chunk_id: str) -> IndexedChunk:
        return self._table.chunk(self.rows[chunk_id])

    def _cut_windows(self, chunk_id: str) -> list[Window]:
        chunk = self.chunk(chunk_id)
        return cut(chunk.text, self.recipe, chunk.language)

    def _read_words(self, chunk_id: str) -> frozenset[str]:
        chunk = self.chunk(chunk_id)
        return frozenset(counted(chunk.context, chunk.text, self.recipe, chunk.language)[0])

    @property
    def languages(self) -> frozenset[str]:
        """The languages of the essays."""
        return self._table.languages

    @cached_property
    def essays(self) -> Mapping[str, str]:
        """Title of each essay, by its slug."""
        return dict(zip(self._table.slugs, self._table.of_essays("title"), strict=True))

    @cached_property
    def origins(self) -> Mapping[str, Origin]:
        """Where each essay comes from, by its slug."""
        columns = (self._table.slugs, self._table.of_essays("url"), self._table.of_essays("date"))
        return {
            slug: Origin(self._sources.get(slug, ""), url, day, tuple(self._authors.get(slug, ())))
            for slug, url, day in zip(*columns, strict=True)
        }

    def essay(self, slug: str) -> list[IndexedChunk]:
        """Return an essay's chunks in the order of its text; none where there is no such essay."""
        return [self.chunk(chunk_id) for chunk_id in self.order.get(slug, ())]

    @cached_property
    def order(self) -> Mapping[str, Sequence[str]]:
        """The chunk ids of each essay in the order of its text, by its slug."""
        return _Order(self._table)

    def near(self, chunk_ids: Sequence[str]) -> list[list[str]]:
        """Return for each essay of these chunks its opening, the chunks and those beside them, in order."""
        return self._table.near(chunk_ids)

    def keyword_search(self, question: str, k: int) -> list[tuple[str, float]]:
        """Return up to k (chunk id, BM25 score) that share a word with the question, best first.

        Equal scores keep the table's order, so the same question always gives the same list. In Milvus, words are as
        rare as in all versions that share a collection, and equal scores are ordered by id.
        """
        if isinstance(self._words, WordCounts):
            words = [word for word in self.asked(question) if word in self._words.vocabulary]
            return self._store.search_words(self.collection, words, k, among=self.rows)
        rows, scores = self._words.best(self.asked(question), k, self._searched)
        ids = self._table.ids
        return [(ids[row], score) for row, score in zip(rows, scores, strict=True)]

    def best_windows(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        """Return for each chunk how well its best passage of a few sentences matches the question's words, by BM25."""
        words, rarity = self._kept_question(question)
        numbers = self._words.vocabulary
        words = [word for word in words if word in numbers]
        if self._windows is None:
            return best_windows(words, list(map(self._kept_windows, chunk_ids)), rarity, self.recipe)
        weights = {numbers[word]: rarity[word] for word in words}
        return self._windows.best(self._rows(chunk_ids), [numbers[word] for word in words], weights, self.recipe)

    def coverage(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        """Return for each chunk the share of the question's words, by rarity, that it or its context says; 0 to 1."""
        _, rarity = self._kept_question(question)
        rows, said = self._rows(chunk_ids), np.zeros(len(chunk_ids))
        for word, weight in rarity.items():
            if isinstance(self._words, WordIndex):
                said[self._words.has(word, rows)] += weight
            else:
                said[[word in self._kept_words(chunk_id) for chunk_id in chunk_ids]] += weight
        covered: list[float] = (said / (sum(rarity.values()) or 1.0)).tolist()
        return covered

    @property
    def _store(self) -> VectorStore:
        if self._vectors is None:
            raise SettingError(f"Version {self.version} is searched by words in Milvus, and none is given.")
        return self._vectors()

    def _weighed(self, question: str) -> tuple[list[str], Mapping[str, float]]:
        """Return the words of a question, and how much each tells."""
        words = self.asked(question)
        return words, {word: self.rarity(word) for word in sorted(set(words))}

    def _rows(self, chunk_ids: Sequence[str]) -> NDArray[np.int64]:
        return np.array([self.rows[chunk_id] for chunk_id in chunk_ids], dtype=np.int64)

    def words(self, text: str, language: str = ENGLISH) -> list[str]:
        """Return the words of a text in a language as the keyword search counts them."""
        return tokenise(text, self.recipe, language)

    def asked(self, question: str, language: str | None = None) -> list[str]:
        """Return the words of a question, or of a part of one in a language, as the keyword search counts them."""
        return list(self._kept_asked(question, language or asked_in(question, self.languages)))

    def _asked(self, question: str, language: str) -> list[str]:
        known = self._words.vocabulary.__contains__
        return tokenise_question(question, self.recipe, language, sorted(self.languages), known)

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency that BM25 weighs a word with (Robertson's, as in Lucene)."""
        return self._words.rarity(word)

    def respelled(self, word: str) -> str | None:
        """Return the word of this version that a misspelt one means; None if it is spelt well, or means none."""
        return self._kept_spelling(word)

    def _respelled(self, word: str) -> str | None:
        counted = self.words(word)
        known = len(counted) != 1 or counted[0] in self._words.vocabulary or word in self._spellings
        return None if known or is_english(word) else self._spellings.nearest(word)

    @cached_property
    def _spellings(self) -> Spellings:
        """Every word as the chunks spell it."""
        words = pc.list_flatten(pc.split_pattern_regex(pc.utf8_lower(self._table.texts), r"[^\pL\pM\pN]+"))
        counts = pc.value_counts(words)
        return Spellings(dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)))


class _Order(Mapping[str, Sequence[str]]):
    """The chunk ids of each essay by its slug, made when they are asked for."""

    def __init__(self, table: ChunkTable) -> None:
        self._table = table

    def __getitem__(self, slug: str) -> Sequence[str]:
        return self._table.essay(slug)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.slugs)

    def __len__(self) -> int:
        return len(self._table.slugs)


@contextmanager
def _mapped(file: Path) -> Iterator[mmap]:
    """Map a file; after the block, in which it is checked, its pages are in memory only as they are read again."""
    with file.open("rb") as opened:
        mapped = mmap(opened.fileno(), 0, access=ACCESS_READ)
    yield mapped
    mapped.madvise(MADV_DONTNEED)
