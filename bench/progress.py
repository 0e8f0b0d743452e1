"""Bars for the parts of a campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["bars"]


@contextmanager
def bars(console: Console) -> Iterator[Callable[[str, int | None], Callable[[], object]]]:
    """Hand out, for each part, what it calls for each of its steps; None where nobody knows how many there are."""
    columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as shown:

        def part(name: str, total: int | None) -> Callable[[], object]:
            task = shown.add_task(name, total=total)
            return lambda: shown.advance(task)

        yield part
