"""How commands speak: tables for people on standard output, JSON for programs, all else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contextual_rag.settings import Settings

__all__ = ["Json", "day_of", "err", "fail", "out", "print_json", "progress", "say_offline"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]

out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:
    """Print a value as programs read it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def fail(message: str) -> NoReturn:
    """End with a message and exit code 1."""
    err.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)


def day_of(text: str) -> date:
    """Return the day that a person wrote, or end with a message."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no day; write it as 2026-11-20.")


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage on standard error, so that standard output stays clean for programs."""
    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=of or 1)
            bars.update(tasks[stage], completed=done if of else 1)

        yield report


def say_offline(settings: Settings) -> None:
    """Say so where no hosted model will be asked."""
    if settings.offline:
        err.print(
            "[dim]No TOGETHER_API_KEY: working offline (contexts from structure, MiniLM embeddings, quoted answers).[/]"
        )
