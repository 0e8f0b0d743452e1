"""The command `rag` in a process of its own that need not import anything.

A server process imports what commands use, once, and forks a child for each: the same entrance, environment, output
and exit code as the installed script, without the three seconds of a core that starting Python and importing takes.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["Forked"]

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.warm"])


class Forked:
    """A command that runs; what is used of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.args = ["rag", *arguments]
        self._folder = TemporaryDirectory()
        self._said = [Path(self._folder.name) / name for name in ("out", "err")]
        self._process = _SERVER.Process(target=_run, args=(self.args, dict(environment), *map(str, self._said)))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """How it ended, None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self._process.pid or 0, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for its end; return what it printed on standard output and on standard error."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            raise subprocess.TimeoutExpired(self.args, timeout, *(path.read_bytes() for path in self._said))
        out, err = (path.read_text(encoding="utf-8") for path in self._said)
        self._folder.cleanup()
        return out, err


def _run(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, descriptor in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    # Those of the server are closed or of another encoding, as it was started.
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.argv = arguments
    from contextual_rag.cli import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
