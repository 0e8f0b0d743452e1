"""The files of an index version: bm25s arrays and the chunk table, written once and memory-mapped ever after.

The table is our own list of what stands in each row: bm25s, asked to save a corpus, skips rows that it cannot
serialise and shifts every later one.
"""

from __future__ import annotations

import copy
import logging
import math
import struct
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from struct import unpack_from
from tempfile import TemporaryDirectory
from tokenize import TokenError
from typing import Any
from warnings import catch_warnings

import bm25s
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bm25s.tokenization import Tokenized
from numpy.typing import NDArray

from contextual_rag import keys
from contextual_rag.adapters.spelling import Spellings, is_english
from contextual_rag.errors import CorruptObjectError
from contextual_rag.languages import ENGLISH, asked_in
from contextual_rag.model import IndexedChunk
from contextual_rag.pipeline.windows import Window, best_windows, windows
from contextual_rag.pipeline.words import tokenise, tokenise_question
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe

__all__ = ["IndexFiles", "read_ids", "write"]

_TYPES = {
    "start": pa.int32(),
    "end": pa.int32(),
    "places": pa.list_(pa.struct([pa.field("start", pa.int32()), pa.field("where", pa.string())])),
}
_SCHEMA = pa.schema(
    [
        pa.field(name, _TYPES.get(name, pa.string()), nullable=name == "date" or not field.is_required())
        for name, field in IndexedChunk.model_fields.items()
    ]
)
# What came after release 0.1.0, and what it means to lack it. A table whose rows all lack it has the form, and the
# bytes, of that release.
_ADDED = {name: field.default for name, field in IndexedChunk.model_fields.items() if not field.is_required()}

_ARROW = b"ARROW1\0\0"

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

logging.getLogger("bm25s").setLevel(logging.WARNING)


def write(rows: Sequence[IndexedChunk], recipe: Recipe) -> dict[str, bytes]:
    """Return the files of a version by name. The same rows and recipe give the same bytes."""
    texts = [tokenise(row.contextual_text, recipe, row.language) for row in rows]
    # Numbered in alphabetical order: bm25s' own numbering follows a set and so differs from run to run.
    vocabulary = {word: n for n, word in enumerate(sorted({word for text in texts for word in text}))}
    index = bm25s.BM25(k1=recipe.bm25_k1, b=recipe.bm25_b)
    # Rows of no word at all have an average length of 0, and no rows have none.
    with np.errstate(invalid="ignore"), catch_warnings(action="ignore", category=RuntimeWarning):
        index.index(
            Tokenized(ids=[[vocabulary[word] for word in text] for text in texts], vocab=vocabulary),
            create_empty_token=False,
            show_progress=False,
        )
    with TemporaryDirectory() as folder:
        index.save(folder, show_progress=False)
        files = {f"bm25/{path.name}": path.read_bytes() for path in sorted(Path(folder).iterdir())}
    schema = _schema_with(
        {name for name, lacking in _ADDED.items() if any(getattr(row, name) != lacking for row in rows)}
    )
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)
    return files | {keys.TABLE: sink.getvalue().to_pybytes()}


def _schema_with(added: Collection[str]) -> pa.Schema:
    return pa.schema([field for field in _SCHEMA if field.name not in _ADDED or field.name in added])


def read_ids(table: bytes) -> list[str]:
    """Return the chunk ids of a version's chunk table, in its order. Raises CorruptObjectError."""
    try:
        rows = _table_in(pa.py_buffer(table))
    except _DAMAGED as error:
        raise CorruptObjectError(f"{keys.TABLE} cannot be read: {error}.") from error
    ids: list[str] = rows.column("chunk_id").to_pylist()
    return ids


class IndexFiles:
    """One version's files in a local folder, open for searching. Safe to share between threads.

    `collection` is where its vectors are, by default the recipe's. Raises CorruptObjectError if the files do not fit
    together.
    """

    def __init__(
        self, folder: Path, version: str, recipe: Recipe, ranking: Ranking | None = None, collection: str | None = None
    ) -> None:
        self.version = version
        self.recipe = recipe
        self.ranking = ranking or Ranking()
        self.collection = collection or recipe.collection
        self._kept_chunk = lru_cache(_KEPT)(self._read_chunk)
        self._kept_windows = lru_cache(_KEPT)(self._cut_windows)
        self._kept_words = lru_cache(_KEPT)(self._said)
        self._kept_spelling = lru_cache(_KEPT)(self._respelled)
        self._kept_question = lru_cache(_KEPT)(self._asked)
        try:
            self._bm25 = bm25s.BM25.load(folder / "bm25", mmap=True, show_progress=False)
            with pa.memory_map(str(folder / keys.TABLE)) as source:
                self._table = _table_in(source.read_buffer())
            _check_arrays(self._bm25, len(self._table))
            # A value of a column that is at hand is read in a quarter of the time that a slice of the table takes.
            self._columns = [(name, self._table.column(name)) for name in self._table.column_names]
        except _DAMAGED as error:
            raise CorruptObjectError(
                f"Index version {version} in {folder} cannot be opened: {error}. Delete the folder to have it "
                "downloaded again."
            ) from error

    def ranked(self, ranking: Ranking) -> IndexFiles:
        """Return the same open files, asked by another ranking."""
        other = copy.copy(self)
        other.ranking = ranking
        return other

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each chunk id."""
        return {chunk_id: row for row, chunk_id in enumerate(self._table.column("chunk_id").to_pylist())}

    def chunk(self, chunk_id: str) -> IndexedChunk:
        """Return a chunk of this version."""
        return self._kept_chunk(chunk_id)

    def _read_chunk(self, chunk_id: str) -> IndexedChunk:
        row = self.rows[chunk_id]
        return IndexedChunk.model_validate({name: column[row].as_py() for name, column in self._columns})

    def _said(self, chunk_id: str) -> frozenset[str]:
        chunk = self.chunk(chunk_id)
        return frozenset(tokenise(chunk.contextual_text, self.recipe, chunk.language))

    def _cut_windows(self, chunk_id: str) -> list[Window]:
        chunk = self.chunk(chunk_id)
        return windows(chunk.text, self.recipe, chunk.language)

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages of the essays."""
        has_column = "language" in self._table.column_names
        return frozenset(pc.unique(self._table["language"]).to_pylist() if has_column else [ENGLISH])

    @cached_property
    def essays(self) -> Mapping[str, str]:
        """Title of each essay, by its slug."""
        columns = (self._table.column(name).to_pylist() for name in ("slug", "title"))
        return dict(zip(*columns, strict=True))

    def essay(self, slug: str) -> list[IndexedChunk]:
        """Return an essay's chunks in the order of its text; none where there is no such essay."""
        return [self.chunk(chunk_id) for chunk_id in self.order.get(slug, ())]

    @cached_property
    def order(self) -> Mapping[str, Sequence[str]]:
        """The chunk ids of each essay in the order of its text, by its slug."""
        order: dict[str, list[str]] = {}
        by_place = self._table.select(["slug", "start", "chunk_id"]).sort_by(
            [("slug", "ascending"), ("start", "ascending")]
        )
        for slug, chunk_id in zip(by_place["slug"].to_pylist(), by_place["chunk_id"].to_pylist(), strict=True):
            order.setdefault(slug, []).append(chunk_id)
        return order

    def keyword_search(self, question: str, k: int) -> list[tuple[str, float]]:
        """Return up to k (chunk id, BM25 score) that share a word with the question, best first.

        Equal scores keep the table's order, so the same question always gives the same list.
        """
        words = self._known_words(question)
        if not words:
            return []
        scores = self._bm25.get_scores(words)
        best = _best(scores, k)
        ids = self._columns[0][1]
        return [(ids[row].as_py(), float(scores[row])) for row in best.tolist()]

    def best_windows(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        """Return for each chunk how well its best passage of a few sentences matches the question's words, by BM25."""
        words = self._known_words(question)
        texts = [self._kept_windows(chunk_id) for chunk_id in chunk_ids]
        return best_windows(words, texts, {word: self.rarity(word) for word in words}, self.recipe)

    def coverage(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        """Return for each chunk the share of the question's words, by rarity, that it or its context says; 0 to 1."""
        rarity = {word: self.rarity(word) for word in sorted(set(self.asked(question)))}
        whole = sum(rarity.values()) or 1.0
        said = map(self._kept_words, chunk_ids)
        return [sum(weight for word, weight in rarity.items() if word in words) / whole for words in said]

    def _known_words(self, question: str) -> list[str]:
        return [word for word in self.asked(question) if word in self._bm25.vocab_dict]

    def words(self, text: str, language: str = ENGLISH) -> list[str]:
        """Return the words of a text in a language as the keyword search counts them."""
        return tokenise(text, self.recipe, language)

    def asked(self, question: str, language: str | None = None) -> list[str]:
        """Return the words of a question, or of a part of one in a language, as the keyword search counts them."""
        return list(self._kept_question(question, language or asked_in(question, self.languages)))

    def _asked(self, question: str, language: str) -> list[str]:
        known = self._bm25.vocab_dict.__contains__
        return tokenise_question(question, self.recipe, language, sorted(self.languages), known)

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency that BM25 weighs a word with (Robertson's, as in Lucene)."""
        rows = len(self._rows_with(word))
        return math.log(1 + (len(self._table) - rows + 0.5) / (rows + 0.5))

    def respelled(self, word: str) -> str | None:
        """Return the word of this version that a misspelt one means; None if it is spelt well, or means none."""
        return self._kept_spelling(word)

    def _respelled(self, word: str) -> str | None:
        counted = self.words(word)
        known = len(counted) != 1 or counted[0] in self._bm25.vocab_dict or word in self._spellings
        return None if known or is_english(word) else self._spellings.nearest(word)

    @cached_property
    def _spellings(self) -> Spellings:
        """Every word as the chunks spell it."""
        words = pc.list_flatten(pc.split_pattern_regex(pc.utf8_lower(self._table["text"]), r"[^\pL\pM\pN]+"))
        counts = pc.value_counts(words)
        return Spellings(dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)))

    def _rows_with(self, word: str) -> NDArray[np.integer[Any]]:
        column = self._bm25.vocab_dict.get(word)
        start, end = (0, 0) if column is None else self._bm25.scores["indptr"][column : column + 2]
        rows: NDArray[np.integer[Any]] = self._bm25.scores["indices"][start:end]
        return rows


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return up to k rows with a score above 0, best first, equal ones in the order of the table.

    Selects before it sorts: a common word is in a large share of all rows.
    """
    found = np.flatnonzero(scores > 0)
    values = scores[found]
    if len(found) > k:
        least = np.partition(values, -k)[-k]
        found, values = found[values >= least], values[values >= least]
    return found[np.argsort(-values, kind="stable")][:k]


def _table_in(file: pa.Buffer) -> pa.Table:
    """Return the chunk table of an Arrow file without copying it. Raises ValueError if it is not one of ours."""
    if file[: len(_ARROW)].to_pybytes() != _ARROW:
        raise ValueError(f"{keys.TABLE} is no Arrow file")
    # An Arrow file holds a stream, which can be looked at before anything is decompressed, and ends in a list of it.
    stream = file[len(_ARROW) :]
    listed = pa.ipc.open_file(file).num_record_batches
    kinds = [_kind(message) for message in pa.ipc.MessageReader.open_stream(stream)]
    if kinds != ["schema", *["record batch"] * listed]:
        raise ValueError(f"{keys.TABLE} has other parts than a version's: {', '.join(kinds)[:100]}")
    table = pa.ipc.open_stream(stream).read_all()
    _check_table(table)
    return table


def _kind(message: pa.ipc.Message) -> str:
    """Return what a message is, and whether it is compressed: a few bytes could then stand for any number."""
    metadata = message.metadata.to_pybytes()

    def field(table: int, number: int) -> int:
        """Return where a field of a FlatBuffers table is, 0 if it has none."""
        vtable = table - unpack_from("<i", metadata, table)[0]
        entry = 4 + 2 * number
        has_entry = entry < unpack_from("<H", metadata, vtable)[0]
        offset: int = unpack_from("<H", metadata, vtable + entry)[0] if has_entry else 0
        return table + offset if offset else 0

    def pointed(place: int) -> int:
        return place + int(unpack_from("<I", metadata, place)[0])

    # Message.header, and in a record batch RecordBatch.compression: Message.fbs of the Arrow format.
    header = field(pointed(0), 2)
    is_compressed = message.type == "record batch" and field(pointed(header), 3)
    return f"compressed {message.type}" if is_compressed else str(message.type)


def _check_table(table: pa.Table) -> None:
    if table.schema != _schema_with(table.column_names):
        raise ValueError(f"the columns of {keys.TABLE} are not those of this version of the project")
    table.validate(full=True)  # Arrow follows offsets unchecked, out of its memory where they are wrong
    for column, pattern in (("chunk_id", keys.CHUNK_ID), ("slug", keys.PART)):
        # Milvus is asked by expressions that these are put into.
        if not pc.all(pc.match_substring_regex(table[column], pattern), skip_nulls=False, min_count=0).as_py():
            raise ValueError(f"{keys.TABLE} has a {column} that is no name")


def _check_arrays(bm25: bm25s.BM25, rows: int) -> None:
    """Raise ValueError where a search would fail, or find a row for a word that is not there."""
    data, indices, indptr, documents = (bm25.scores[name] for name in ("data", "indices", "indptr", "num_docs"))
    if documents != rows:
        raise ValueError(f"the keyword index has {documents} rows, the chunk table {rows}")
    kinds = (bm25.dtype, bm25.int_dtype, data.dtype, indices.dtype.kind, indptr.dtype.kind)
    if kinds != ("float32", "int32", np.float32, "i", "i"):
        raise ValueError("the keyword index holds numbers of another type")
    if sorted(bm25.vocab_dict.values()) != list(range(len(indptr) - 1)):
        raise ValueError("the keyword index has columns for other words than its vocabulary")
    ends = np.diff(indptr, prepend=0, append=len(data))
    if indptr[0] or (ends < 0).any() or ends[-1] or len(indices) != len(data):
        raise ValueError("the columns of the keyword index do not follow each other")
    if len(indices) and not 0 <= indices.min() <= indices.max() < rows:
        raise ValueError("the keyword index refers to rows that are not there")
