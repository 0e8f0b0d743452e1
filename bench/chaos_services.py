"""Kills each process of `rag up --all`, one at a time: it must be named soon, and the next start must go on.

Prints a table. Exits with 1 if a process was not named within ten seconds, or if what answered before does not answer
after the next start.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from contextual_rag.embedded.services import ALL

__all__ = ["main"]

_RAG = str(Path(sys.executable).with_name("rag"))
_QUESTION = "What to do in the face of uncertainty?"
_NAMED_WITHIN_S = 10.0
_SETTINGS = ("RAG_", "AWS_", "MILVUS_", "TOGETHER_", "AIRFLOW")


class Killed(NamedTuple):
    """What became of `rag up` after one of its processes was killed; `named` is None if it never named that one."""

    service: str
    named_s: float | None
    ended_s: float
    log_lines: int
    ready_s: float
    answers: bool

    @property
    def faults(self) -> list[str]:
        """What was not as it must be."""
        late = self.named_s is None or self.named_s > _NAMED_WITHIN_S
        found = {
            f"was not named within {_NAMED_WITHIN_S:g} s": late,
            "did not answer after the next start": not self.answers,
        }
        return [f"{self.service}: {fault}" for fault, there in found.items() if there]


class Up:
    """`rag up --all` on a data folder, once it is ready."""

    def __init__(self, environment: dict[str, str]) -> None:
        began = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603
            [_RAG, "up", "--all"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stderr is not None  # noqa: S101
        self._said = self._process.stderr
        before = []
        for line in self._said:
            before.append(line)
            if "Airflow: user" in line:
                break
        else:
            raise SystemExit(f"rag up did not become ready:\n{''.join(before)}")
        self.ready_s = time.monotonic() - began

    def kill(self, service: str) -> tuple[float | None, float, int]:
        """Kill a service; return when it was named, when all had ended, and how many lines of its log were shown."""
        # Each command of the Procfile replaces its shell, and they are started in this order.
        children = sorted(
            psutil.Process(self._process.pid).children(), key=lambda child: (child.create_time(), child.pid)
        )
        dict(zip(ALL, children, strict=True))[service].kill()
        began, named, lines = time.monotonic(), None, []
        for line in self._said:
            if named is None and f"The service {service} ended" in line:
                named = time.monotonic() - began
            elif named is not None:
                lines.append(line)
        self._process.wait()
        return named, time.monotonic() - began, len(lines)

    def end(self) -> None:
        """Stop it as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        self._process.communicate()


def main() -> int:
    """Run the campaign; return 1 if anything was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("services", nargs="*", default=ALL, help=f"default: {' '.join(ALL)}")
    services = parser.parse_args().services
    with TemporaryDirectory(prefix="chaos-services-") as folder:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        environment = clean | {"RAG_DATA_DIR": folder}
        up = Up(environment)
        version = _rag(environment, "build", "--limit", "3", "--promote")["version"]
        killed = []
        for service in services:
            named_s, ended_s, lines = up.kill(service)
            up = Up(environment)
            answers = _rag(environment, "search", _QUESTION)["version"] == version
            killed.append(Killed(service, named_s, ended_s, lines, up.ready_s, answers))
            print(killed[-1], file=sys.stderr)  # noqa: T201
        up.end()
    faults = [fault for one in killed for fault in one.faults]
    console = Console()
    console.print(_table(killed))
    for fault in faults:
        console.print(f"[red]{fault}[/]")
    return 1 if faults else 0


def _rag(environment: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run([_RAG, *arguments, "--json"], env=environment, stdout=subprocess.PIPE, check=False)  # noqa: S603
    return json.loads(done.stdout)


def _table(killed: list[Killed]) -> Table:
    table = Table(
        "killed", "named after", "all ended after", "lines of its log", "next start ready after", "answers", box=None
    )
    for one in killed:
        named = "never" if one.named_s is None else f"{one.named_s:.1f} s"
        answers = "the same version" if one.answers else "[red]no[/]"
        table.add_row(one.service, named, f"{one.ended_s:.1f} s", str(one.log_lines), f"{one.ready_s:.1f} s", answers)
    return table


if __name__ == "__main__":
    sys.exit(main())
