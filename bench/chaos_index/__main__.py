"""Runs all five parts of the campaign, prints a table, and writes `bench/results/chaos-index.json`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from bench.chaos_index.bits import Flipped, flip_bits
from bench.chaos_index.kills import Killed, kill_often
from bench.chaos_index.publishers import PublisherRaces, race_publishers
from bench.chaos_index.readers import Readings, read_while_versions_change
from bench.chaos_index.stops import Stopped, stop_often
from bench.progress import bars
from contextual_rag.embedded.services import STORES, running

__all__ = ["main"]

RESULTS = Path(__file__).parents[1] / "results" / "chaos-index.json"
_PROCESSES = 8
_RATE = 50.0
_FLIPS = 3
_LOOPS = 2
_LOWEST = 19
_DEAD_AFTER_S = 3.0
# More than a Python process grows by itself, less than one more open index per version.
_MAX_GROWTH_MB = 64.0
_SHOWN = 20


def main() -> int:
    """Run the campaign; return 1 if anything was broken, orphaned, lost or not answered."""
    asked = _arguments()
    console = Console()
    began = time.monotonic()
    with _busy_loops(asked.busy), _settings() as settings, bars(console) as part:
        races = race_publishers(
            settings("publishers"),
            rounds=asked.rounds,
            processes=_PROCESSES,
            seed=asked.seed,
            progress=part("publishers", asked.rounds),
        )
        killed = kill_often(settings("kills"), kills=asked.kills, seed=asked.seed, progress=part("kills", asked.kills))
        stopped = stop_often(settings("stops"), stops=asked.stops, seed=asked.seed, progress=part("stops", asked.stops))
        readings = read_while_versions_change(
            settings("readers"), versions=asked.versions, rate=_RATE, progress=part("readers", asked.versions)
        )
        flipped = flip_bits(settings("bits"), times=_FLIPS, seed=asked.seed, progress=part("flipped bits", None))
    seconds = time.monotonic() - began
    _show(console, asked.rounds, races, killed, stopped, readings, flipped)
    faults = _faults(races, killed, stopped, readings, flipped)
    for name, lines in faults.items():
        for line in lines[:_SHOWN]:
            console.print(f"[red]{name}[/]", line, markup=True, highlight=False)
    result = {"rounds": asked.rounds, "kills": sum(killed.phases.values()), "stops": stopped.stops}
    result |= {name: len(lines) for name, lines in faults.items()}
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    asked.results.write_text(
        json.dumps(result | _more(asked, seconds, killed, stopped, readings, flipped), indent=2) + "\n"
    )
    console.print(f"{asked.results}, after {seconds:.0f} s", highlight=False)
    return 1 if any(faults.values()) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="of publishers, %(default)s")
    parser.add_argument("--kills", type=int, default=100, help="%(default)s")
    parser.add_argument("--stops", type=int, default=100, help="of builders and pruners, %(default)s")
    parser.add_argument("--versions", type=int, default=30, help="published while questions are asked, %(default)s")
    parser.add_argument("--busy", action="store_true", help="at the lowest priority, beside busy loops")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


@contextmanager
def _busy_loops(busy: bool) -> Iterator[None]:
    """If `busy`, give everything that is started from now on the lowest priority, and keep the processor busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(_LOOPS if busy else 0)]
    try:
        if busy:
            os.nice(_LOWEST)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def _settings() -> Iterator[Callable[[str], Any]]:
    """Run the stores on new data; hand out settings with a separate bucket for each part."""
    folder = Path(mkdtemp(prefix="chaos-index-"))
    try:
        with running(STORES, data_dir=folder / "stores") as services:
            settings = services.settings().model_copy(update={"prune_dead_after_s": _DEAD_AFTER_S})
            yield lambda part: settings.model_copy(update={"bucket": f"chaos-{part}", "data_dir": folder / part})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _faults(
    races: PublisherRaces, killed: Killed, stopped: Stopped, readings: Readings, flipped: Flipped
) -> dict[str, list[str]]:
    """Return the faults, by the names of the results file."""
    unanswered = readings.failures + flipped.failures
    if readings.growth_mb > _MAX_GROWTH_MB:
        unanswered.append(f"the reader's memory grew by {readings.growth_mb:.0f} MB")
    return {
        "broken": races.faults.broken + killed.faults.broken + stopped.faults.broken,
        "orphans": races.faults.orphans + killed.faults.orphans + stopped.faults.orphans,
        "lost": races.faults.lost + killed.faults.lost + stopped.faults.lost,
        "reader_failures": unanswered,
    }


def _more(
    asked: argparse.Namespace, seconds: float, killed: Killed, stopped: Stopped, readings: Readings, flipped: Flipped
) -> dict[str, Any]:
    """Return the other results."""
    return {
        "seed": asked.seed,
        "busy": asked.busy,
        "seconds": round(seconds),
        "kills_by_phase": dict(killed.phases),
        "stops_by_phase": dict(stopped.phases),
        "builds_beside_stops": stopped.published,
        "prunes_beside_stops": stopped.pruned,
        "refused_beside_stops": dict(sorted(stopped.refused.items())),
        "answers": readings.versions.total(),
        "answers_per_second": round(readings.rate, 1),
        "slowest_answer_ms": round(readings.slowest_ms),
        "reader_growth_mb": round(readings.growth_mb, 1),
        "flipped_files": flipped.files,
    }


def _show(
    console: Console,
    rounds: int,
    races: PublisherRaces,
    killed: Killed,
    stopped: Stopped,
    readings: Readings,
    flipped: Flipped,
) -> None:
    table = Table("part", Column("what happened", ratio=1), Column("faults", justify="right"), box=None)
    phases = ", ".join(f"{phase} {count}" for phase, count in killed.phases.items())
    changed = ", ".join(f"{name} {count}" for name, count in sorted(readings.changes.items()))
    table.add_row(
        "publishers",
        f"{rounds} rounds of {_PROCESSES} processes: {races.published} versions published, CURRENT changed "
        f"{races.changes} times, pruned in {races.pruned} rounds meanwhile",
        str(sum(map(len, races.faults))),
    )
    table.add_row(
        "kills",
        f"{sum(killed.phases.values())} ({phases}), and {killed.between} between these",
        str(sum(map(len, killed.faults))),
    )
    table.add_row(
        "stops",
        f"{stopped.stops} ({', '.join(f'{phase} {count}' for phase, count in stopped.phases.items())}) in "
        f"{stopped.rounds} rounds: {stopped.published} builds and {stopped.pruned} prunes done, "
        f"{stopped.refused.total()} refused and to be run again",
        str(sum(map(len, stopped.faults))),
    )
    table.add_row(
        "readers",
        f"{readings.versions.total()} answers of {len(readings.versions)} versions, {readings.rate:.1f} a second, the "
        f"slowest after {readings.slowest_ms:.0f} ms; memory {readings.memory_mb[0]:.0f} MB after a third, "
        f"{readings.memory_mb[1]:.0f} MB at the end; {changed}",
        str(len(readings.failures)),
    )
    table.add_row("flipped bits", f"{flipped.files} files", str(len(flipped.failures)))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
