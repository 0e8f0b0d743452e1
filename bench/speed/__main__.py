"""Measure our searches beside what bounds them, and with `--peers` beside what else one would use; the same questions
in the same run, on synthetic corpora of several sizes. Writes `bench/results/speed.json` and `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bench.progress import bars
from bench.speed import ours, peers
from bench.speed.figures import Beside, Figures, read, write
from bench.speed.rounds import ROOT, Absent, Ask, milliseconds, opened, rounds

__all__ = ["main"]

RESULTS = ROOT / "bench" / "results" / "speed.json"
_ROUNDS, _QUESTIONS, _SECONDS = 5, 60, 20.0
# Above these sizes, a peer takes more memory or time than a measurement may.
_LARGEST = {"keyword": 300_000, "hybrid": 12_000}
_LARGEST_ALL = {"bm25s + numba", "tantivy", "bm25s"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[12_000, 244_000])
    parser.add_argument("--peers", nargs="*", help="measure peers too: all, or those that are named")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    console = Console(stderr=True)
    kept = read(asked.results)
    named = None if asked.peers is None else set(asked.peers or peers.KEYWORD | peers.HYBRID)
    found: list[Beside] = []
    absent: dict[str, str] = {}
    with bars(console) as part:
        for chunks in asked.chunks:
            done = part(f"{chunks:,}", None)
            with TemporaryDirectory(prefix="bench-speed-") as folder:
                for one in _measured(Path(folder), chunks, named or set(), absent):
                    found.append(one)
                    console.print(f"{one.chunks:,} {one.kind} {one.other}: {one.ours_p95_ms} {one.p95_ms} {one.ratio:.2f} {one.ratios}")
                    done()
    write(asked.results, Figures(beside=found, scale=kept.scale, absent=absent))
    return 0


def _measured(folder: Path, chunks: int, named: set[str], absent: dict[str, str]) -> Iterator[Beside]:
    with_vectors = chunks <= _LARGEST["keyword"]
    ours.make(folder, chunks, _ROUNDS * _QUESTIONS, with_vectors=with_vectors)
    found = _in_turn(milliseconds(ours.keyword(folder)), milliseconds(ours.bare(folder)))
    yield Beside.of("keyword", "bare bm25s", chunks, found)
    for name in peers.KEYWORD:
        if name in named and (chunks <= _LARGEST["keyword"] or name in _LARGEST_ALL):
            try:
                with opened(name, folder) as peer:
                    found = _in_turn(milliseconds(ours.keyword(folder)), peer.ask)
                    yield Beside.of("keyword", name, chunks, found, release=peer.release, ready_s=peer.ready_s)
            except Absent as error:
                absent[name] = str(error)
    if not with_vectors:
        return
    hybrid = ours.Hybrid(folder)
    by_words, by_meaning = milliseconds(hybrid.by_words), milliseconds(hybrid.by_meaning)
    found = _in_turn(milliseconds(hybrid.whole), lambda n: max(by_words(n), by_meaning(n)))
    yield Beside.of("hybrid", "the slower of its two searches", chunks, found)
    for name in peers.HYBRID:
        if name in named and chunks <= _LARGEST["hybrid"]:
            try:
                with opened(name, folder) as peer:
                    found = _in_turn(milliseconds(hybrid.whole), peer.ask)
                    yield Beside.of("hybrid", name, chunks, found, release=peer.release, ready_s=peer.ready_s)
            except Absent as error:
                absent[name] = str(error)


def _in_turn(mine: Ask, other: Ask) -> list[list[tuple[float, float]]]:
    return rounds(mine, other, count=_ROUNDS, questions=_QUESTIONS, seconds=_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
