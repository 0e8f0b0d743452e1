"""Runs the tests of docs/promises.md on the code of an earlier commit: a test that passes there proves nothing new.

    python -m bench.promises 4e9a6e0
    python -m bench.promises 811f574^ --tests 811f574 --only test_tricks

By default only tests that need neither services nor Airflow nor a browser; `--all` runs every one. Today's tests stand
on today's names: those that cannot be imported there say which name is not there. Then the tests of the commit that
mended the promise tell more, run on the code just before it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.table import Column, Table

from contextual_rag.settings import PROJECT

__all__ = ["main"]

_TESTS: Final = ("tests", "bench")
# Of `timeout`: it ended, or had to kill, what took too long.
_ENDED: Final = (124, 137)
_QUICK: Final = ("tests/unit/", "tests/app/")
_ROW: Final = re.compile(r"^\| ([^|-].*?) \| (`tests/.*) \|$", re.MULTILINE)
_ERROR: Final = re.compile(r"^E +(\S.{0,99})", re.MULTILINE)
_LACKS: Final = re.compile(r"^E +(?:ImportError|ModuleNotFoundError|AttributeError): (.*?)(?: \(/.*)?$", re.MULTILINE)


def main() -> int:
    """Print what each promise's tests do there; return 1 if all tests of a promise pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="the code before")
    parser.add_argument("--tests", help="the commit to take the tests from, instead of the present ones")
    parser.add_argument("--all", action="store_true", help="also tests that need services, Airflow or a browser")
    parser.add_argument("--only", default="", help="only tests whose path contains this")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a file's tests are ended")
    asked = parser.parse_args()
    table = Table(Column("promise", ratio=1), "test", "there", box=None)
    kept = []
    with TemporaryDirectory() as folder:
        there = Path(folder) / "before"
        _git("worktree", "add", "--detach", str(there), asked.commit)
        try:
            for name in _TESTS:
                shutil.rmtree(there / name, ignore_errors=True)
                if asked.tests:
                    _git("checkout", asked.tests, "--", name, at=there)
                else:
                    shutil.copytree(PROJECT / name, there / name)
            # Services start from the environments beside the code.
            for found in PROJECT.glob(".venv*"):
                (there / found.name).symlink_to(found.resolve())
            # Some tests are of several promises.
            outcome = cache(lambda test: _outcome(there, test, asked.limit))
            for promise, tests in _ROW.findall((PROJECT / "docs" / "promises.md").read_text("utf-8")):
                named = [one for one in re.findall(r"`([^`]+)`", tests) if asked.only in one]
                said = {test: outcome(test) for test in named if asked.all or test.startswith(_QUICK)}
                if said and all(re.fullmatch(r"\d+ passed", word) for word in said.values()):
                    kept.append(promise)
                for test, word in said.items():
                    table.add_row(promise, test, word)
        finally:
            _git("worktree", "remove", "--force", str(there))
    Console().print(table, f"{len(kept)} promises were kept there", *kept, sep="\n- ")
    return 1 if kept else 0


def _outcome(there: Path, test: str, limit_s: float) -> str:
    path = f"{there}/include:{there}/plugins:{there}"
    ended = ["timeout", "--signal=INT", "--kill-after=60", str(limit_s)]
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-q", "-rA", test]
    environment = os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([*ended, *command], cwd=there, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    word = f"more than {limit_s:g} s" if done.returncode in _ENDED else _word(done.stdout + done.stderr)
    Console(stderr=True).print(f"{test}: {word}", soft_wrap=True)
    return word


def _word(said: str) -> str:
    """Say in a few words what pytest printed."""
    if "ERROR: not found" in said:
        return "no such test yet"
    if "ERROR collecting" in said or "while loading conftest" in said:
        return f"not there: {next(iter(_LACKS.findall(said)), 'what it imports')}"
    words = re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED) ", said, re.MULTILINE)
    counts = {word: words.count(word) for word in ("FAILED", "ERROR", "SKIPPED", "PASSED")}
    why = f": {_ERROR.findall(said)[0]}" if counts["ERROR"] and _ERROR.search(said) else ""
    return (", ".join(f"{count} {word.lower()}" for word, count in counts.items() if count) or "nothing ran") + why


def _git(*arguments: str, at: Path = PROJECT) -> str:
    command = [shutil.which("git") or "git", *arguments]
    return subprocess.run(command, cwd=at, check=True, capture_output=True, text=True).stdout  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
