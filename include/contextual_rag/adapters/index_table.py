"""The chunk table of an index version: an Arrow file, which is read in place, a row at a time.

The table is our own list of what stands in each row: bm25s, asked to save a corpus, skips rows that it cannot
serialise and shifts every later one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextual_rag import keys
from contextual_rag.adapters.index_checks import kind_of
from contextual_rag.languages import ENGLISH
from contextual_rag.model import IndexedChunk

__all__ = ["ChunkTable", "as_table", "encode", "file_of", "languages_of", "table_in"]

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


def as_table(rows: Sequence[IndexedChunk]) -> pa.Table:
    """Return rows as a part of the table, which takes a fraction of their memory."""
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in _SCHEMA.names}
    added = {name for name, lacking in _ADDED.items() if any(value != lacking for value in columns[name])}
    columns["places"] = [[place.model_dump() for place in places] for places in columns["places"]]
    schema = _schema_with(added)
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def encode(parts: Sequence[pa.Table], *, with_added: bool = True) -> bytes:
    """Return the file of a table's parts: the same bytes, whatever the parts."""
    schema = _schema_with({name for part in parts for name in part.column_names} if with_added else set())
    return file_of(pa.concat_tables([_cast(part, schema) for part in parts] or [schema.empty_table()]).combine_chunks())


def _cast(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a part with the columns of a schema: without some, or with what it means to lack them."""
    lacking = {
        "places": pa.array([[]] * len(part), _TYPES["places"]),
        "language": pa.array([ENGLISH] * len(part), pa.string()),
    }
    columns = [part.column(name) if name in part.column_names else lacking[name] for name in schema.names]
    return pa.table(columns, schema=schema)


def languages_of(table: pa.Table) -> list[str]:
    """Return the language of each row."""
    languages: list[str] = table["language"].to_pylist() if "language" in table.column_names else [ENGLISH] * len(table)
    return languages


def _schema_with(added: Collection[str]) -> pa.Schema:
    return pa.schema([field for field in _SCHEMA if field.name not in _ADDED or field.name in added])


def file_of(table: pa.Table) -> bytes:
    """Return a table as an Arrow file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


class ChunkTable:
    """A chunk table, open for reading. Raises ValueError, or what Arrow raises, if the file is not one of ours."""

    def __init__(self, file: pa.Buffer) -> None:
        self._table = table_in(file, keys.TABLE)
        _check(self._table)
        batches = self._table.to_batches()
        names = self._table.column_names
        self._batches = [[(name, _reader(batch.column(name))) for name in names] for batch in batches]
        self._starts = np.cumsum([0, *(len(batch) for batch in batches)])[:-1].tolist()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._table)

    @property
    def texts(self) -> pa.ChunkedArray:
        """The text of each chunk."""
        return self._table.column("text")

    def chunk(self, row: int) -> IndexedChunk:
        """Return a row."""
        batch = bisect_right(self._starts, row) - 1
        at = row - self._starts[batch]
        return IndexedChunk.model_validate({name: read(at) for name, read in self._batches[batch]})

    @cached_property
    def ids(self) -> list[str]:
        """The chunk id of each row."""
        ids: list[str] = self._table.column("chunk_id").to_pylist()
        return ids

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each chunk id."""
        return dict(zip(self.ids, range(len(self)), strict=True))

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages of all rows."""
        has_column = "language" in self._table.column_names
        return frozenset(pc.unique(self._table["language"]).to_pylist() if has_column else [ENGLISH])

    def of_essays(self, column: str) -> list[Any]:
        """Return a value for each essay, in the order of their slugs: that of its last chunk in the table."""
        last = np.zeros(len(self._essays.slugs), dtype=np.int64)
        last[self._essays.codes] = np.arange(len(self))
        values: list[Any] = self._table.column(column).take(pa.array(last)).to_pylist()
        return values

    def essay(self, slug: str) -> list[str]:
        """Return the chunk ids of an essay in the order of its text. Raises KeyError if there is no such essay."""
        essay = self._essays.slugs[slug]
        rows = self._essays.by_place[self._essays.starts[essay] : self._essays.ends[essay]]
        return [self.ids[row] for row in rows.tolist()]

    @property
    def slugs(self) -> Collection[str]:
        """The slugs of all essays."""
        return self._essays.slugs

    def near(self, chunk_ids: Sequence[str]) -> list[list[str]]:
        """Return for each essay of these chunks its opening, the chunks and those beside them, in order."""
        essays = self._essays
        rows = np.array([self.rows[chunk_id] for chunk_id in chunk_ids], dtype=np.intp)
        codes = essays.codes[rows]
        firsts, lasts = essays.starts[codes], essays.ends[codes] - 1
        found = essays.places[rows]
        around = np.stack([firsts, np.maximum(found - 1, firsts), found, np.minimum(found + 1, lasts)], axis=1)
        places: dict[int, set[int]] = {}
        for essay, four in zip(codes.tolist(), around.tolist(), strict=True):
            places.setdefault(essay, set()).update(four)
        in_order = [sorted(near) for near in places.values()]
        near_rows = essays.by_place[[place for near in in_order for place in near]].tolist()
        ids = map(self.ids.__getitem__, near_rows)
        return [list(islice(ids, len(near))) for near in in_order]

    @cached_property
    def _essays(self) -> _Essays:
        """Where the chunks of each essay are."""
        encoded = self._table.column("slug").dictionary_encode().combine_chunks()
        codes = np.asarray(encoded.indices, dtype=np.int32)
        by_place = np.lexsort((self._table.column("start").to_numpy(), codes))
        places = np.empty_like(by_place)
        places[by_place] = np.arange(len(by_place))
        ends = np.cumsum(np.bincount(codes, minlength=len(encoded.dictionary)))
        slugs = {slug: essay for essay, slug in enumerate(encoded.dictionary.to_pylist())}
        return _Essays(slugs, codes, by_place, places, np.concatenate([[0], ends[:-1]]), ends)


class _Essays(NamedTuple):
    """Essays are numbered. Their chunks have places: by essay, then in the order of its text.

    `codes` is the essay of each row, `places` its place; `by_place` the row at each place; `starts` and `ends` the
    places of each essay.
    """

    slugs: Mapping[str, int]
    codes: NDArray[np.int32]
    by_place: NDArray[np.intp]
    places: NDArray[np.intp]
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]


def _reader(array: pa.Array) -> Callable[[int], Any]:
    """Return what reads a value: a third of the time that Arrow takes, which makes an object of its own for each."""
    if array.null_count == len(array):
        return lambda _: None
    if array.type == pa.int32():
        read = _numbers(array)
    elif array.type == pa.string():
        read = _strings(array)
    else:
        return lambda row: array[row].as_py()
    if not array.null_count:
        return read
    is_there, first = memoryview(array.buffers()[0]), array.offset
    return lambda row: read(row) if is_there[first + row >> 3] >> (first + row & 7) & 1 else None


def _numbers(array: pa.Array) -> Callable[[int], Any]:
    numbers, first = memoryview(array.buffers()[1]).cast("i"), array.offset
    return lambda row: numbers[first + row]


def _strings(array: pa.Array) -> Callable[[int], Any]:
    _, offsets, data = array.buffers()
    ends, characters, first = memoryview(offsets).cast("i"), memoryview(data or b""), array.offset
    return lambda row: str(characters[ends[first + row] : ends[first + row + 1]], "utf-8")


def table_in(file: pa.Buffer, name: str) -> pa.Table:
    """Return the table of an Arrow file without copying it. Raises ValueError if it is compressed, or no such file."""
    if file[: len(_ARROW)].to_pybytes() != _ARROW:
        raise ValueError(f"{name} is no Arrow file")
    # An Arrow file holds a stream, which can be looked at before anything is decompressed, and ends in a list of it.
    stream = file[len(_ARROW) :]
    listed = pa.ipc.open_file(file).num_record_batches
    kinds = [kind_of(message) for message in pa.ipc.MessageReader.open_stream(stream)]
    if kinds != ["schema", *["record batch"] * listed]:
        raise ValueError(f"{name} has other parts than a version's: {', '.join(kinds)[:100]}")
    table = pa.ipc.open_stream(stream).read_all()
    table.validate(full=True)  # Arrow follows offsets unchecked, out of its memory where they are wrong
    return table


def _check(table: pa.Table) -> None:
    if table.schema != _schema_with(table.column_names):
        raise ValueError(f"the columns of {keys.TABLE} are not those of this version of the project")
    for field in table.schema:
        if not field.nullable and table[field.name].null_count:
            raise ValueError(f"{keys.TABLE} lacks a {field.name}")
    for column, pattern in (("chunk_id", keys.CHUNK_ID), ("slug", keys.PART)):
        # Milvus is asked by expressions that these are put into.
        if not pc.all(pc.match_substring_regex(table[column], pattern), skip_nulls=False, min_count=0).as_py():
            raise ValueError(f"{keys.TABLE} has a {column} that is no name")
