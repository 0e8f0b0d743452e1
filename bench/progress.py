"""Progress bars for the parts of a campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["bars", "bars_with_steps"]

_COLUMNS = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@contextmanager
def bars(console: Console) -> Iterator[Callable[[str, int | None], Callable[[], object]]]:
    """Yield a function that starts a part and returns a callback for its steps; the total may be None."""
    with Progress(*_COLUMNS, console=console) as shown:

        def part(name: str, total: int | None) -> Callable[[], object]:
            task = shown.add_task(name, total=total)
            return lambda: shown.advance(task)

        yield part


@contextmanager
def bars_with_steps(
    console: Console,
) -> Iterator[tuple[Callable[[str, int], Callable[[], object]], Callable[[str, int, int], None]]]:
    """Yield `part` like `bars`, and a callback for the progress within a step: its name, done, total."""
    with Progress(*_COLUMNS, TextColumn("{task.fields[doing]}", style="dim"), console=console) as shown:
        tasks: list[TaskID] = []

        def part(name: str, total: int) -> Callable[[], object]:
            tasks.append(shown.add_task(name, total=total, doing=""))
            return partial(_advance, shown, tasks[-1])

        def steps(name: str, done: int, of: int) -> None:
            if tasks:
                shown.update(tasks[-1], doing=f"{name} {done}/{of}")

        yield part, steps


def _advance(shown: Progress, task: TaskID) -> None:
    shown.update(task, advance=1, doing="")
