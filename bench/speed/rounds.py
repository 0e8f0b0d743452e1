"""Asks questions of our search and of another in turn, so that whatever else the machine does slows both.

Times are the processor's, of all threads of a process: what waits for a busy machine is not counted.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple, cast

from bench.speed import peers

__all__ = ["Absent", "Peer", "milliseconds", "opened", "rounds"]

ROOT = Path(__file__).parents[2]
_PYTHON = ROOT / ".venv-peers" / "bin" / "python"

Ask = Callable[[int], float]


class Absent(Exception):  # noqa: N818
    """Why a peer cannot be measured."""


class Peer(NamedTuple):
    """A peer that is ready: milliseconds of a question by its number."""

    ask: Ask
    release: str
    ready_s: float


def rounds(ours: Ask, other: Ask, *, count: int, questions: int, seconds: float) -> list[list[tuple[float, float]]]:
    """Return the milliseconds of (ours, the other) for each question of each round; a round ends after some seconds."""
    ours(0), other(0)
    found: list[list[tuple[float, float]]] = []
    for start in range(0, count * questions, questions):
        found.append([])
        began = time.monotonic()
        for n in range(start, start + questions):
            if n % 2:
                mine, others = ours(n), other(n)
            else:
                others, mine = other(n), ours(n)
            found[-1].append((mine, others))
            if time.monotonic() - began > seconds:
                break
    return found


def milliseconds(search: Callable[[int], object]) -> Ask:
    """Return what asks a question in this process, and says how long it took."""

    def ask(n: int) -> float:
        began = time.process_time()
        search(n)
        return 1000 * (time.process_time() - began)

    return ask


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Peer]:
    """Start a peer in its environment. Raises Absent if it cannot be started."""
    if not _PYTHON.exists():
        raise Absent("there is no environment .venv-peers; `make bench BENCH=--peers` creates it")
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603
            [_PYTHON, peers.__file__, name, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        asked, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)

        def answer() -> str:
            if line := answers.readline():
                return line
            said.seek(0)
            raise Absent((said.read().strip().splitlines() or ["it ended by itself"])[-1][:200])

        def ask(n: int) -> float:
            print(n, file=asked, flush=True)
            return float(answer())

        try:
            ready = json.loads(answer())
            yield Peer(ask, ready["release"], ready["seconds"])
        finally:
            process.kill()
            process.wait()
            answers.close()
            with suppress(BrokenPipeError):
                asked.close()
