"""Measure our searches beside what bounds them, and with `--peers` beside what else one would use; the same questions
in the same run, on synthetic corpora of several sizes. Writes `bench/results/speed.json`, `docs/performance.md` and
its plot; what is not measured keeps the figures that it had.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from bench.speed import ours, peers, scale
from bench.speed.figures import Beside, Scale, read, write
from bench.speed.page import BARE, SLOWER, page
from bench.speed.peers_milvus import MILVUS
from bench.speed.plot import draw
from bench.speed.rounds import ROOT, Absent, Ask, milliseconds, milvus, opened, rounds, wait_for_rest, with_server
from contextual_rag.adapters.memory_vectors import MemoryVectors
from contextual_rag.adapters.milvus import Milvus

__all__ = ["main"]

_RESULTS, _PAGE, _PLOT = (
    Path("bench/results/speed.json"),
    Path("docs/performance.md"),
    Path("docs/images/performance.png"),
)
_ROUNDS, _QUESTIONS, _SECONDS = 5, 60, 8.0
# Above these sizes, a peer takes more memory or time than a measurement may.
_LARGEST = {"keyword": 300_000, "hybrid": 12_000}
_AT_ANY_SIZE = {"bm25s", "bm25s + numba", "tantivy"}
# What the short form measures, and how often before it fails: a machine may be busier with one side for some seconds.
_SHORT, _TRIES = 12_000, 3
_BUILDS = 3


def main() -> int:
    """Measure what is asked for; return 1 if the short form finds a ratio that is worse by half each time."""
    asked = _arguments()
    console = Console(stderr=True)
    if asked.short:
        return _short(asked.to / _RESULTS, console)
    kept = read(asked.to / _RESULTS)
    found, absent = ([], {}) if asked.redraw else _found(asked, console)
    figures = kept.updated(*found, absent=absent)
    write(asked.to / _RESULTS, figures)
    (asked.to / _PAGE).write_text(page(figures, _others(asked.to)), encoding="utf-8")
    (asked.to / _PLOT).parent.mkdir(parents=True, exist_ok=True)
    (asked.to / _PLOT).write_bytes(draw(figures))
    console.print(f"{_RESULTS}, {_PAGE} and {_PLOT}", highlight=False)
    return 0


def _others(root: Path) -> dict[str, Any]:
    """Return what other benchmarks of this page measured last, by name."""
    files = (root / _RESULTS.parent / f"{name}.json" for name in ("daily", "full-text", "growth", "embedding"))
    return {file.stem: json.loads(file.read_text("utf-8")) for file in files if file.exists()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="*", default=[12_000, 244_000])
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="measure peers too: all, or those that are named")
    parser.add_argument("--scale", type=int, nargs="*", default=[], metavar="CHUNKS", help="make and open indexes too")
    parser.add_argument("--short", action="store_true", help="a few seconds: fails if a ratio is worse by half")
    parser.add_argument("--redraw", action="store_true", help="write page and plot without measuring")
    parser.add_argument("--to", type=Path, default=ROOT, help="output folder (default: the repository)")
    return parser.parse_args()


def _found(asked: argparse.Namespace, console: Console) -> tuple[list[Beside | Scale], dict[str, str]]:
    named = set() if asked.peers is None else set(asked.peers or peers.KEYWORD | peers.HYBRID | MILVUS)
    found: list[Beside | Scale] = []
    absent: dict[str, str] = {}
    for chunks in asked.chunks:
        with TemporaryDirectory(prefix="bench-speed-") as folder:
            for one in _measured(Path(folder), chunks, named, absent):
                found.append(one)
                console.print(
                    f"{chunks:,} chunks, {one.kind} beside {one.other}: {one.ours_p95_ms:g} of {one.p95_ms:g} "
                    f"ms, ratio {one.ratio:.2f}",
                    highlight=False,
                )
    for chunks in asked.scale:
        with TemporaryDirectory(prefix="bench-scale-") as folder:
            ours.write_texts(Path(folder), chunks)
            found.append(scale.measure(Path(folder), chunks))
            console.print(found[-1])
    return found, absent


def _short(file: Path, console: Console) -> int:
    """Compare the searches and the build of a small corpus with what bounds them, and that with what was measured."""
    kept = read(file)
    for _ in range(_TRIES):
        with TemporaryDirectory(prefix="bench-speed-") as folder:
            found = list(_measured(Path(folder), _SHORT, set(), {}))
        worse = kept.worse(found)
        for one in found:
            verdict = "worse by half" if one in worse else "as before"
            console.print(f"{one.kind} beside {one.other}: {one.paired:.2f} of its time, {verdict}", highlight=False)
        if not worse:
            return 0
    return 1


def _measured(folder: Path, chunks: int, named: set[str], absent: dict[str, str]) -> Iterator[Beside]:
    with_vectors = chunks <= _LARGEST["keyword"]
    ours.make(folder, chunks, _ROUNDS * _QUESTIONS, with_vectors=with_vectors)
    if chunks <= _SHORT:
        made = milliseconds(ours.build(folder)), milliseconds(ours.bare_build(folder))
        yield Beside.of("build", BARE, chunks, rounds(*made, count=_BUILDS, questions=1, seconds=_SECONDS))
    found = _in_turn(milliseconds(ours.keyword(folder)), milliseconds(ours.bare(folder)))
    yield Beside.of("keyword", BARE, chunks, found)
    for name in peers.KEYWORD:
        if name in named and (chunks <= _LARGEST["keyword"] or name in _AT_ANY_SIZE):
            try:
                with opened(name, folder) as peer:
                    found = _in_turn(milliseconds(ours.keyword(folder)), peer.ask)
                    yield Beside.of("keyword", name, chunks, found, release=peer.release, ready_s=peer.ready_s)
            except Absent as error:
                absent[name] = str(error)
    if not with_vectors:
        return
    hybrid = ours.Hybrid(folder, MemoryVectors())
    by_words, by_meaning = milliseconds(hybrid.by_words), milliseconds(hybrid.by_meaning)
    found = _in_turn(milliseconds(hybrid.whole), lambda n: max(by_words(n), by_meaning(n)))
    yield Beside.of("hybrid", SLOWER, chunks, found)
    for name in peers.HYBRID:
        if name in named and chunks <= _LARGEST["hybrid"]:
            try:
                with opened(name, folder) as peer:
                    found = _in_turn(milliseconds(hybrid.whole), peer.ask)
                    yield Beside.of("hybrid", name, chunks, found, release=peer.release, ready_s=peer.ready_s)
            except Absent as error:
                absent[name] = str(error)
    if named & set(MILVUS) and chunks <= _LARGEST["hybrid"]:
        yield from _on_milvus(folder, chunks, named, absent)


def _on_milvus(folder: Path, chunks: int, named: set[str], absent: dict[str, str]) -> Iterator[Beside]:
    with milvus(folder) as (uri, server):
        mine = with_server(milliseconds(ours.Hybrid(folder, Milvus(uri)).whole), server)
        for name in MILVUS:
            if name in named:
                try:
                    with opened(name, folder) as peer:
                        wait_for_rest(server)
                        found = _in_turn(mine, with_server(peer.ask, server))
                        yield Beside.of("milvus", name, chunks, found, release=peer.release, ready_s=peer.ready_s)
                except Absent as error:
                    absent[name] = str(error)


def _in_turn(mine: Ask, other: Ask) -> list[list[tuple[float, float]]]:
    return rounds(mine, other, count=_ROUNDS, questions=_QUESTIONS, seconds=_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
