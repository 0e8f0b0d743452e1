"""The keyword index of a version: bm25s' arrays, and the words of each window of each chunk."""

from __future__ import annotations

import logging
import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from mmap import MADV_DONTNEED
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bm25s
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contextual_rag.adapters.index_checks import check_arrays
from contextual_rag.adapters.index_table import file_of, table_in
from contextual_rag.recipe import Recipe

__all__ = ["COUNTS", "WINDOWS", "WordCounts", "WordIndex", "WordWindows", "WordWriter"]

WINDOWS = "windows.arrow"
# In a version whose chunks Milvus finds by their words: each word, and the number of rows that have it.
COUNTS = "words.arrow"
# Of each chunk its windows, of each window its words.
_WINDOWS = pa.list_(pa.list_(pa.int32()))
_SCHEMA = pa.schema({"windows": _WINDOWS})
_COUNTS = pa.schema([pa.field("word", pa.string(), nullable=False), pa.field("rows", pa.int32(), nullable=False)])
# So many rows are grouped, or counted at once.
_GROUP, _AT_ONCE = 64, 1_000_000

logging.getLogger("bm25s").setLevel(logging.WARNING)


class WordWriter:
    """Collects the words of chunks as numbers, in the order of the table, and makes the files of them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = defaultdict(lambda: len(self._numbers))
        self._words, self._lengths = array("i"), array("i")
        self._in_windows, self._window_ends, self._row_ends = array("i"), array("i", [0]), array("i", [0])

    def add(self, words: Sequence[str], windows: Iterable[Sequence[str]]) -> None:
        """Add a chunk: the words that it is found by, and those of each window of its text."""
        number = self._numbers.__getitem__
        self._words.extend(map(number, words))
        self._lengths.append(len(words))
        for window in windows:
            self._in_windows.extend(map(number, window))
            self._window_ends.append(len(self._in_windows))
        self._row_ends.append(len(self._window_ends) - 1)

    def files(self, recipe: Recipe) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the bytes of each file. The same words in the same order give the same bytes."""
        words, lengths = (np.frombuffer(numbers, dtype=np.int32) for numbers in (self._words, self._lengths))
        # Where a window cuts a long word, it has words that no chunk is found by.
        is_found = np.bincount(words, minlength=len(self._numbers)) > 0
        # Numbered in alphabetical order, whatever the order of the chunks.
        found = sorted(word for word, number in self._numbers.items() if is_found[number])
        vocabulary = {word: n for n, word in enumerate(found)}
        renumbered = np.array([vocabulary.get(word, -1) for word in self._numbers], dtype=np.int32)
        if recipe.keyword_search == "milvus":
            counts = pa.array(_rows_of_each(renumbered[words], lengths, len(vocabulary)), pa.int32())
            yield COUNTS, file_of(pa.table([pa.array(found, pa.string()), counts], schema=_COUNTS))
        else:
            yield from _arrays(vocabulary, renumbered[words], lengths, recipe)
        words = renumbered[np.frombuffer(self._in_windows, dtype=np.int32)]
        windows = pa.ListArray.from_arrays(pa.array(self._window_ends, pa.int32()), pa.array(words))
        rows = pa.ListArray.from_arrays(pa.array(self._row_ends, pa.int32()), windows)
        yield WINDOWS, file_of(pa.table([rows], schema=_SCHEMA))


def _arrays(
    vocabulary: Mapping[str, int], words: NDArray[np.int32], lengths: NDArray[np.int32], recipe: Recipe
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of bm25s' arrays."""
    index = bm25s.BM25(k1=recipe.bm25_k1, b=recipe.bm25_b)
    index.vocab_dict, index.nonoccurrence_array = vocabulary, None
    index.scores = _scores(words, lengths, len(vocabulary), recipe)
    with TemporaryDirectory() as folder:
        index.save(folder, show_progress=False)
        del index.scores
        for path in sorted(Path(folder).iterdir()):
            yield f"bm25/{path.name}", path.read_bytes()


def _rows_of_each(words: NDArray[np.int32], lengths: NDArray[np.int32], vocabulary: int) -> NDArray[np.int64]:
    """Return how many rows have each word; some rows at a time, so that it takes hardly any memory."""
    counts, ends = np.zeros(vocabulary, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)
    first = 0
    while first < len(lengths):
        start = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, start + _AT_ONCE, side="right")), first + 1)
        pairs = words[start : ends[last - 1]].astype(np.int64)
        pairs <<= 32
        pairs |= np.repeat(np.arange(last - first), lengths[first:last])
        pairs.sort()  # NumPy's own `unique` hashes numbers, which takes ten times as long
        is_first = np.diff(pairs, prepend=-1) != 0
        counts += np.bincount(pairs[is_first] >> 32, minlength=vocabulary)
        first = last
    return counts


def _scores(words: NDArray[np.int32], lengths: NDArray[np.int32], vocabulary: int, recipe: Recipe) -> dict[str, Any]:
    """Return what `bm25s.BM25.index` makes of the words of all rows, bit for bit (its method is Lucene's).

    It counts the words of one row after the other, which takes ten times as long.
    """
    # One number for each word of each row: sorted, the rows of each word follow each other, and so do repeated words.
    occurrences = words.astype(np.int64)
    occurrences <<= 32
    occurrences |= np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    occurrences.sort()
    is_first = np.ones(len(occurrences), dtype=np.bool_)
    np.not_equal(occurrences[1:], occurrences[:-1], out=is_first[1:])
    first = np.flatnonzero(is_first)
    counts = np.diff(first, append=len(occurrences))
    occurrences = occurrences[first]
    del first
    rows = (occurrences & 0xFFFFFFFF).astype(np.int32)
    columns = (occurrences >> 32).astype(np.int32)
    del occurrences
    of_each = np.bincount(columns, minlength=vocabulary)
    found = len(lengths)
    rarity = np.array([math.log(1 + (found - n + 0.5) / (n + 0.5)) for n in of_each.tolist()], dtype=np.float32)
    data = np.empty(len(rows), dtype=np.float32)
    with np.errstate(invalid="ignore"):  # rows of no word at all have an average length of 0
        average = np.float64(len(words)) / found if found else np.float64(0)
        norms = recipe.bm25_k1 * ((1 - recipe.bm25_b) + recipe.bm25_b * lengths / average)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        data[part] = rarity[columns[part]] * (counts[part] / (norms[rows[part]] + counts[part]))
    indptr = np.concatenate([[0], np.cumsum(of_each)])
    return {"data": data, "indices": rows, "indptr": indptr, "num_docs": found}


class WordIndex:
    """bm25s' arrays, memory-mapped. Raises what the libraries raise, or ValueError, if they cannot be searched."""

    def __init__(self, folder: Path, rows: int) -> None:
        bm25 = bm25s.BM25.load(folder, mmap=True, show_progress=False)
        self.vocabulary: Mapping[str, int] = bm25.vocab_dict
        # A slice of a memory map costs twenty times that of a plain array on the same memory.
        self._data, self._rows, self._ends = (np.asarray(bm25.scores[name]) for name in ("data", "indices", "indptr"))
        self._count = rows
        check_arrays(bm25, rows)
        # What was read to be checked is in memory from now on only as it is read again.
        for name in ("data", "indices", "indptr"):
            bm25.scores[name]._mmap.madvise(MADV_DONTNEED)

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency that BM25 weighs a word with (Robertson's, as in Lucene)."""
        place = self._place(word)
        return _rarity(place.stop - place.start, self._count)

    def best(self, words: Sequence[str], k: int, searched: NDArray[np.float32] | None) -> tuple[list[int], list[float]]:
        """Return up to k rows that have one of the words, best first, and their scores; equals in the table's order."""
        scores = np.zeros(-(-self._count // _GROUP) * _GROUP, dtype=np.float32)
        for place in map(self._place, words):
            np.add.at(scores, self._rows[place], self._data[place])
        if searched is not None:
            scores[: self._count] *= searched
        best = _best(scores, k)
        return best.tolist(), scores[best].tolist()

    def has(self, word: str, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each of the rows whether it has a word."""
        having = self._rows[self._place(word)]
        if not len(having):
            return np.zeros(len(rows), dtype=np.bool_)
        at = np.searchsorted(having, rows.astype(having.dtype))
        has: NDArray[np.bool_] = having[np.minimum(at, len(having) - 1)] == rows
        return has

    def _place(self, word: str) -> slice:
        column = self.vocabulary.get(word)
        return slice(0, 0) if column is None else slice(int(self._ends[column]), int(self._ends[column + 1]))


class WordCounts:
    """The words of all rows, and how many rows have each. Raises as `WordIndex` does."""

    def __init__(self, file: pa.Buffer, rows: int) -> None:
        table = table_in(file, COUNTS)
        if table.schema != _COUNTS:
            raise ValueError(f"{COUNTS} does not have the words of all chunks")
        self._rows = table["rows"].to_numpy()
        self._count = rows
        self.vocabulary: Mapping[str, int] = {word: n for n, word in enumerate(table["word"].to_pylist())}
        if len(self._rows) and not 0 < self._rows.min() <= self._rows.max() <= rows:
            raise ValueError(f"{COUNTS} counts rows that are not there")

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency that BM25 weighs a word with (Robertson's, as in Lucene)."""
        column = self.vocabulary.get(word)
        return _rarity(0 if column is None else int(self._rows[column]), self._count)


def _rarity(having: int, rows: int) -> float:
    return math.log(1 + (rows - having + 0.5) / (having + 0.5))


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return up to k rows with a score above 0, best first, equal ones in the order of the table.

    Selects before it sorts: a common word is in a large share of all rows. The k-th of the best scores of any k groups
    of rows or more is no more than the k-th of all, so groups without such a score are not looked at.
    """
    groups = scores.reshape(_GROUP, -1)
    best = groups.max(axis=0, initial=0)
    least = np.partition(best, -k)[-k] if k < len(best) else np.float32(0)
    among = np.flatnonzero(best >= least) if least > 0 else np.flatnonzero(best)
    lines, places = np.nonzero(groups[:, among] >= least) if least > 0 else np.nonzero(groups[:, among])
    found = lines * groups.shape[1] + among[places]
    values = scores[found]
    if len(found) > k:
        least = np.partition(values, -k)[-k]
        found, values = found[values >= least], values[values >= least]
    return found[np.argsort(-values, kind="stable")][:k]


class WordWindows:
    """The words of each window of each chunk, by their numbers in the vocabulary. Raises as `WordIndex` does."""

    def __init__(self, file: pa.Buffer, rows: int) -> None:
        table = table_in(file, WINDOWS)
        batches = table.to_batches()
        if table.schema != _SCHEMA or len(table) != rows or len(batches) > 1:
            raise ValueError(f"{WINDOWS} does not have the windows of {rows} chunks")
        windows = batches[0].column(0) if batches else pa.array([], _WINDOWS)
        if windows.null_count or windows.values.null_count or windows.values.values.null_count:
            raise ValueError(f"{WINDOWS} lacks windows")
        self._rows, self._windows = np.asarray(windows.offsets), np.asarray(windows.values.offsets)
        self._words = np.asarray(windows.values.values)

    def best(
        self, rows: NDArray[np.int64], words: Sequence[int], rarity: Mapping[int, float], recipe: Recipe
    ) -> list[float]:
        """Return what `pipeline.windows.best_windows` does, from numbers."""
        windows, row_of = _spread(self._rows[rows], self._rows[rows + 1])
        starts, ends = self._windows[windows], self._windows[windows + 1]
        places, window_of = _spread(starts, ends)
        found, lengths = self._words[places], ends - starts
        average = float(lengths.sum()) / len(lengths) if len(lengths) else 0.0
        norms = recipe.bm25_k1 * (1 - recipe.bm25_b + recipe.bm25_b * lengths / (average or 1.0))
        parts = {}
        for word, weight in rarity.items():
            counts = np.bincount(window_of[found == word], minlength=len(windows))
            parts[word] = np.divide(weight * counts, counts + norms, out=np.zeros(len(windows)), where=counts > 0)
        scores = sum((parts[word] for word in words), np.zeros(len(windows)))
        best = np.zeros(len(rows))
        np.maximum.at(best, row_of, scores)
        scored: list[float] = best.tolist()
        return scored


def _spread(starts: NDArray[Any], ends: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all numbers from each start to its end, and which of the pairs each belongs to."""
    lengths = (ends - starts).astype(np.int64)
    pair = np.repeat(np.arange(len(lengths)), lengths)
    return np.arange(len(pair)) + (starts - np.cumsum(lengths) + lengths)[pair], pair
