"""The keyword search beside bare bm25s, over the same arrays and questions, in the same run: `make bench`.

    python -m bench.search [--chunks N …]

The bound is what a plain program does with bm25s: tokenise, score, take the ten best without an order among equals, and
read their texts from a list. Chunks are synthetic, of words as frequent as Zipf's law says. Ours and the bound take
turns, question by question, so that both meet the same load of the machine. Prints a table and writes
`bench/results/search.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import bm25s
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from contextual_rag.adapters.index_files import IndexFiles, write
from contextual_rag.model import IndexedChunk
from contextual_rag.pipeline.words import tokenise
from contextual_rag.recipe import Recipe

__all__ = ["Searched", "main", "measure"]

RESULTS = Path(__file__).parent / "results" / "search.json"
_SEED = 20261127
_K = 10
_VOCABULARY = 60_000
# Zipf's exponent of English prose, about.
_EXPONENT = 1.07
# So many of the most frequent words a question has none of: they are stop words.
_STOPPED = 40
_WORDS = 45
_ASKED = 6
_T = TypeVar("_T")


class Searched(NamedTuple):
    """Milliseconds of a search, ours and bare bm25s': p50 and p95; and seconds to make and open the index."""

    chunks: int
    p50_ms: float
    p95_ms: float
    bare_p50_ms: float
    bare_p95_ms: float
    write_s: float
    bare_write_s: float
    open_s: float

    @property
    def p95_ratio(self) -> float:
        """How many times as long as bare bm25s ours takes, at p95."""
        return self.p95_ms / self.bare_p95_ms


def main() -> None:
    """Measure each size, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[12_000, 244_000])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    right = [Column(name, justify="right") for name in ("chunks", "p50", "p95", "bare p50", "bare p95", "ratio p95")]
    more = [Column(name, justify="right") for name in ("write", "bare write", "open")]
    table = Table(*right, *more, box=None)
    found = [measure(chunks, asked.questions) for chunks in track(asked.chunks, "searching")]
    for one in found:
        times = (one.p50_ms, one.p95_ms, one.bare_p50_ms, one.bare_p95_ms)
        seconds = (one.write_s, one.bare_write_s, one.open_s)
        table.add_row(
            f"{one.chunks:,}",
            *(f"{ms:.2f} ms" for ms in times),
            f"{one.p95_ratio:.2f}",
            *(f"{s:.2f} s" for s in seconds),
        )
    Console().print(table)
    asked.results.write_text(json.dumps([one._asdict() for one in found], indent=2) + "\n", "utf-8")


def measure(chunks: int, questions: int, seed: int = _SEED) -> Searched:
    """Return the figures of an index of so many synthetic chunks."""
    chance = np.random.default_rng(seed)
    recipe = Recipe(stop_words="none", stemmer="none")
    texts = list(_texts(chance, chunks))
    asked = list(_questions(chance, questions))
    rows = [
        IndexedChunk(
            chunk_id=f"c{n}", slug=f"s{n // 50}", title="", url="", date=None, start=n, end=n, text=text, context=""
        )
        for n, text in enumerate(texts)
    ]
    with TemporaryDirectory(prefix="bench-search-") as folder:
        write_s, files = _timed(lambda: write(rows, recipe))
        bare_write_s, bare = _timed(lambda: _bare_index(texts, recipe))
        for name, body in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        open_s, index = _timed(lambda: IndexFiles(Path(folder), "bench", recipe))

        def ours(question: str) -> list[str]:
            return [index.chunk(id_).text for id_, _ in index.keyword_search(question, _K)]

        def bound(question: str) -> list[str]:
            scores = bare.get_scores([word for word in tokenise(question, recipe) if word in bare.vocab_dict])
            best = np.argpartition(scores, -_K)[-_K:]
            return [texts[row] for row in best[np.argsort(-scores[best])]]

        times: list[tuple[float, float]] = []
        for question in asked:
            (mine, _), (theirs, _) = _timed(partial(ours, question)), _timed(partial(bound, question))
            times.append((1000 * mine, 1000 * theirs))
    (p50, bare_p50), (p95, bare_p95) = np.percentile(np.array(times), [50, 95], axis=0).tolist()
    return Searched(chunks, p50, p95, bare_p50, bare_p95, write_s, bare_write_s, open_s)


def _texts(chance: np.random.Generator, count: int) -> Iterator[str]:
    lengths = chance.poisson(_WORDS, count)
    words = chance.choice(_VOCABULARY, lengths.sum(), p=_frequencies())
    ends = np.cumsum(lengths)
    for start, end in zip(ends - lengths, ends, strict=True):
        yield " ".join(f"w{n}" for n in words[start:end].tolist())


def _questions(chance: np.random.Generator, count: int) -> Iterator[str]:
    likely = _frequencies()[_STOPPED:]
    for words in chance.choice(_VOCABULARY - _STOPPED, (count, _ASKED), p=likely / likely.sum()).tolist():
        yield " ".join(f"w{n + _STOPPED}" for n in words)


def _frequencies() -> NDArray[np.float64]:
    weights = np.power(np.arange(1, _VOCABULARY + 1, dtype=np.float64), -_EXPONENT)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _bare_index(texts: list[str], recipe: Recipe) -> bm25s.BM25:
    index = bm25s.BM25(k1=recipe.bm25_k1, b=recipe.bm25_b)
    index.index([tokenise(text, recipe) for text in texts], show_progress=False)
    return index


def _timed(work: Callable[[], _T]) -> tuple[float, _T]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


if __name__ == "__main__":
    main()
