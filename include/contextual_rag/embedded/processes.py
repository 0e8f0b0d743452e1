"""The services of the Procfile as child processes: each has a log of its own, and the end of one is noticed at once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

from honcho.environ import parse_procfile

__all__ = ["Processes", "started"]

_KEPT_LOGS: Final = 5
_SHOWN_LINES: Final = 15
_STOPPED_WITHIN_S: Final = 20.0


class Processes:
    """Running services by name."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: str, *, folder: Path, environment: Mapping[str, str]) -> None:
        """Start a service in a process group of its own, so that Ctrl-C reaches only us and we stop it in order."""
        with _new_log(self._logs, name).open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S602  # the Procfile's commands are for a shell
                command,
                shell=True,
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,  # what the services keep is for its owner alone
            )

    @property
    def pids(self) -> dict[str, int]:
        """The process of each service."""
        return {name: process.pid for name, process in self._running.items()}

    def ended(self) -> str | None:
        """Say which service has ended, with the last lines of its log; None while all run.

        The process itself is asked. What it started may outlive it and hold its output open.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self._logs / f"{name}.log"
                lines = log.read_text("utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
                how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
                return "\n".join([f"The service {name} ended ({how}). The last lines of {log}:", *lines])
        return None

    def stop(self) -> None:
        """End all services; kill what does not end in time."""
        for name in reversed(self._running):
            self._signal(name, signal.SIGTERM)
        deadline = time.monotonic() + _STOPPED_WITHIN_S
        for name, process in self._running.items():
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._signal(name, signal.SIGKILL)
                process.wait()

    def _signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._running[name].pid, number)


@contextmanager
def started(names: Sequence[str], *, folder: Path, environment: Mapping[str, str], logs: Path) -> Iterator[Processes]:
    """Run services of the folder's Procfile until the block ends."""
    commands = parse_procfile((folder / "Procfile").read_text("utf-8")).processes
    processes = Processes(logs)
    try:
        for name in names:
            processes.start(name, commands[name], folder=folder, environment=environment)
        yield processes
    finally:
        processes.stop()


def _new_log(logs: Path, name: str) -> Path:
    """Return the path of a new log. The logs of the last starts are kept as NAME.1.log, NAME.2.log, …"""
    logs.mkdir(parents=True, exist_ok=True)
    paths = [logs / f"{name}.log", *(logs / f"{name}.{number}.log" for number in range(1, _KEPT_LOGS + 1))]
    for newer, older in reversed(list(pairwise(paths))):
        if newer.exists():
            newer.replace(older)
    return paths[0]
