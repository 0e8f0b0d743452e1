"""Asks questions of our search and of another in turn, so that whatever else the machine does slows both.

Times are the processor's, of all threads of a process, and of a server that it asks: what waits for a busy machine is
not counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple, cast

from contextual_rag.embedded.loopback import free_port, listens

__all__ = ["Absent", "Peer", "milliseconds", "milvus", "opened", "rounds", "wait_for_rest", "with_server"]

ROOT = Path(__file__).parents[2]
_LONGEST_REST_S, _RESTING_MS = 60, 20
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


def with_server(ask: Ask, server: int) -> Ask:
    """Return what asks a question and adds what a server's process took meanwhile."""

    def ask_both(n: int) -> float:
        began = _used(server)
        took = ask(n)
        return took + _used(server) - began

    return ask_both


def wait_for_rest(server: int) -> None:
    """Wait until a server has done what it does by itself with new rows, a minute at most."""
    for _ in range(_LONGEST_REST_S):
        began = _used(server)
        time.sleep(1)
        if _used(server) - began < _RESTING_MS:
            return


def _used(server: int) -> float:
    """Return the milliseconds of the processor that a process has used so far."""
    nanoseconds = 0
    for task in Path(f"/proc/{server}/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            nanoseconds += int((task / "schedstat").read_text("ascii").split()[0])
    return nanoseconds / 1e6


@contextmanager
def milvus(folder: Path) -> Iterator[tuple[str, int]]:
    """Run an embedded Milvus with its data in a folder; yield its address, also in `milvus.txt`, and its process."""
    port, host = free_port(), "127.0.0.1"
    program = Path(sys.executable).with_name("milvus-lite")
    command: list[str | Path] = [
        program,
        "server",
        "--data-dir",
        folder / "milvus",
        "--host",
        host,
        "--port",
        str(port),
    ]
    with (folder / "milvus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
    try:
        while not listens(port):
            if process.poll() is not None:
                raise Absent(f"Milvus cannot be started: {(folder / 'milvus.log').read_text()[-200:]}")
            time.sleep(0.1)
        (folder / "milvus.txt").write_text(f"http://{host}:{port}", "utf-8")
        yield f"http://{host}:{port}", process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Peer]:
    """Start a peer in its environment. Raises Absent if it cannot be started."""
    if not _PYTHON.exists():
        raise Absent("there is no environment .venv-peers; `make bench BENCH=--peers` creates it")
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603
            [_PYTHON, "-m", "bench.speed.peers", name, folder],
            cwd=ROOT,
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
