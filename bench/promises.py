"""Runs the tests of docs/promises.md on the code of an earlier commit: a test that passes there proves nothing new.

    python -m bench.promises 4e9a6e0

By default only tests that need neither services nor Airflow nor a browser; `--all` runs every one.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.table import Column, Table

from contextual_rag.settings import PROJECT

__all__ = ["main"]

_QUICK: Final = ("tests/unit/", "tests/app/")
_ROW: Final = re.compile(r"^\| ([^|-].*?) \| (`tests/.*) \|$", re.MULTILINE)


def main() -> int:
    """Print what each promise's tests do there; return 1 if all tests of a promise pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="the code before")
    parser.add_argument("--all", action="store_true", help="also tests that need services, Airflow or a browser")
    asked = parser.parse_args()
    table = Table(Column("promise", ratio=1), "test", "there", box=None)
    kept = 0
    with TemporaryDirectory() as folder:
        there = Path(folder) / "before"
        _git("worktree", "add", "--detach", str(there), asked.commit)
        try:
            for name in ("tests", "bench"):
                shutil.rmtree(there / name, ignore_errors=True)
                shutil.copytree(PROJECT / name, there / name)
            for promise, tests in _ROW.findall((PROJECT / "docs" / "promises.md").read_text("utf-8")):
                wanted = [one for one in re.findall(r"`([^`]+)`", tests) if asked.all or one.startswith(_QUICK)]
                said = {test: _outcome(there, test) for test in wanted}
                kept += bool(said) and all(re.fullmatch(r"\d+ passed", word) for word in said.values())
                for test, word in said.items():
                    table.add_row(promise, test, word)
        finally:
            _git("worktree", "remove", "--force", str(there))
    Console().print(table)
    return 1 if kept else 0


def _outcome(there: Path, test: str) -> str:
    path = f"{there}/include:{there}/plugins:{there}"
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-q", "-rA", test]
    environment = os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=there, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if "error during collection" in done.stdout or "errors during collection" in done.stdout:
        return "what is tested is not there"
    words = re.findall(r"^(PASSED|FAILED|ERROR) ", done.stdout, re.MULTILINE)
    counts = {word: words.count(word) for word in ("FAILED", "ERROR", "PASSED")}
    return ", ".join(f"{count} {word.lower()}" for word, count in counts.items() if count) or "nothing ran"


def _git(*arguments: str) -> None:
    subprocess.run([shutil.which("git") or "git", *arguments], cwd=PROJECT, check=True, capture_output=True)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
