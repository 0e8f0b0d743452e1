"""How commands speak: tables for people on standard output, JSON for programs, all else on standard error.

With `--json`, standard output holds one JSON document: the result, or `{"error": {"code": …, "message": …}}`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import takewhile
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contextual_rag.settings import Settings

__all__ = [
    "CommandError",
    "Json",
    "day_of",
    "err",
    "exit_code",
    "fail",
    "out",
    "print_error",
    "print_json",
    "progress",
    "say_offline",
    "wants_json",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]

out = Console()
err = Console(stderr=True)


# By the beginning of an error's code: what a script does next. docs/errors.md explains them.
_EXIT_CODES = {
    "usage": 2,
    "gate": 3,
    "budget": 3,
    "retriable": 4,
    "service_unavailable": 4,
    "page_unavailable": 4,
    "conflict": 4,
    "unknown": 5,
    "stale": 6,
    "interrupted": 130,
}
# Without a terminal, a line for each stage at most this often.
_LINE_EVERY_S = 10.0


class CommandError(Exception):
    """A command cannot go on; `cli.main` prints the message and ends with the exit code of `code`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class _Printed:
    """Whether standard output holds its JSON document already."""

    json = False


def print_json(value: Any) -> None:
    """Print a value as programs read it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    _Printed.json = True


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether `--json` is among the options, which end at `--`."""
    return "--json" in takewhile(lambda argument: argument != "--", arguments)


def print_error(kind: str, message: str, code: str, *, as_json: bool) -> None:
    """Print an error as JSON on standard output, or as one line for people on standard error.

    A command may fail after it printed its result, as a refused build does. Then the error is for people only, because
    programs read one document.
    """
    if as_json and not _Printed.json:
        print_json({"error": {"code": code, "message": message}})
    else:
        err.print(f"[bold red]{kind}:[/] {escape(message)}", soft_wrap=True)


def exit_code(code: str) -> int:
    """Return the exit code for the code of an error."""
    return next((number for kind, number in _EXIT_CODES.items() if f"{code}_".startswith(f"{kind}_")), 1)


def fail(message: str, code: str = "usage") -> NoReturn:
    """End with a message. `code` tells programs what happened; docs/errors.md lists it."""
    raise CommandError(message, code)


def day_of(text: str) -> date:
    """Return the day that a person wrote, or end with a message."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a date. Use YYYY-MM-DD, such as 2026-11-20.")


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage on standard error, or lines without a terminal; standard output stays clean for programs."""
    if not err.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=of or 1)
            bars.update(tasks[stage], completed=done if of else 1)

        yield report


def _lines() -> Callable[[str, int, int], None]:
    """Report a stage when it begins and ends, and every few seconds between."""
    due: dict[str, float] = {}

    def report(stage: str, done: int, of: int) -> None:
        now = time.monotonic()
        if stage not in due or done >= of or now >= due[stage]:
            due[stage] = now + _LINE_EVERY_S
            err.print(f"{stage}: {done} of {of}", highlight=False)

    return report


def say_offline(settings: Settings) -> None:
    """Say so where no hosted model will be asked."""
    if settings.offline:
        err.print(
            "[dim]No TOGETHER_API_KEY: working offline (contexts from structure, MiniLM embeddings, quoted answers).[/]"
        )
