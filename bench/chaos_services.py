"""Kills each process of `rag up --all`, one at a time: it must be named soon, and the next start must go on.

Prints a table. Exits with 1 if a process was not named within ten seconds with the end of its log, or if what answered
before does not answer after the next start.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from bench.progress import bars
from contextual_rag.embedded.services import ALL

__all__ = ["main"]

_RAG = str(Path(sys.executable).with_name("rag"))
_QUESTION = "What to do in the face of uncertainty?"
_NAMED_WITHIN_S = 10.0
_SETTINGS = ("RAG_", "AWS_", "MILVUS_", "TOGETHER_", "AIRFLOW")


class Killed(NamedTuple):
    """What `rag up` said after one of its processes was killed, and when; `named_s` is None if it never named that."""

    named_s: float | None
    ended_s: float
    said: str


class Up:
    """`rag up --all` on a data folder."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [_RAG, "up", "--all"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ready(self) -> None:
        """Wait until all services are ready."""
        said = ""
        for line in self._process.stderr or ():
            said += line
            if "Airflow: user" in line:
                return
        raise SystemExit(f"rag up did not become ready:\n{said}")

    def kill(self, service: str) -> Killed:
        """Kill a service, and wait until all have ended."""
        # Each command of the Procfile takes the place of its shell, and they are started in this order.
        children = sorted(psutil.Process(self._process.pid).children(), key=lambda child: child.create_time())
        dict(zip(ALL, children, strict=True))[service].kill()
        began, named, said = time.monotonic(), None, ""
        for line in self._process.stderr or ():
            said += line
            if named is None and f"The service {service} ended (signal 9)" in line:
                named = time.monotonic() - began
        self._process.wait()
        return Killed(named, time.monotonic() - began, said)

    def end(self) -> None:
        """Stop it as Ctrl-C does, if it runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.communicate()


def main() -> int:
    """Run the campaign; return 1 if anything was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("services", nargs="*", default=ALL, help=f"of {', '.join(ALL)}; all if none is named")
    services, console, faults = parser.parse_args().services, Console(), []
    if unknown := set(services) - set(ALL):
        parser.error(f"There is no service {', '.join(unknown)}.")
    columns = ("killed", "named after", "all ended after", "ready again after", "answers")
    table = Table(*columns, box=None)
    with TemporaryDirectory(prefix="chaos-services-") as folder, ExitStack() as stack:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        environment = clean | {"RAG_DATA_DIR": folder}

        def started() -> Up:
            up = Up(environment)
            stack.callback(up.end)
            up.ready()
            return up

        one_more = stack.enter_context(bars(console))("kills", len(services))
        up = started()
        version = _version(environment, "build", "--limit", "3", "--promote")
        for service in services:
            killed = up.kill(service)
            log = Path(folder, "logs", f"{service}.log").read_text("utf-8").splitlines()
            began = time.monotonic()
            up = started()
            ready_s = time.monotonic() - began
            answers = _version(environment, "search", _QUESTION)
            if killed.named_s is None or killed.named_s > _NAMED_WITHIN_S:
                faults.append(f"{service} was not named within {_NAMED_WITHIN_S:g} s")
            if log and log[-1] not in killed.said:
                faults.append(f"the end of the log of {service} was not shown")
            same = version is not None and answers == version
            if not same:
                faults.append(f"after {service}, the next start answered by {answers} and not by {version}")
            named = "never" if killed.named_s is None else f"{killed.named_s:.1f} s"
            row = (named, f"{killed.ended_s:.1f} s", f"{ready_s:.1f} s", "as before" if same else "no")
            table.add_row(service, *row)
            one_more()
    console.print(table)
    for fault in faults:
        console.print(f"[red]{fault}[/]")
    return 1 if faults else 0


def _version(environment: dict[str, str], *arguments: str) -> Any:
    """Return the version that a command names in its JSON, None if it fails."""
    done = subprocess.run([_RAG, *arguments, "--json"], env=environment, capture_output=True, check=False)  # noqa: S603
    return json.loads(done.stdout).get("version")


if __name__ == "__main__":
    sys.exit(main())
