"""Tables of an evaluation: figures with their intervals, differences, and the questions that changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Column, Table

from contextual_rag.evaluation.bootstrap import Difference
from contextual_rag.evaluation.report import Changed, Comparison, Report

__all__ = ["changed_questions", "compared", "difference_of", "figures", "in_a_line"]

_QUESTIONS_SHOWN = 10


def figures(report: Report, title: str) -> Table:
    """Return a row for each figure and a column for each k: the mean and its 95 % interval."""
    kinds = list(dict.fromkeys(name.partition("@")[0] for name in report.names))
    ks = list(dict.fromkeys(name.partition("@")[2] for name in report.names))
    columns = [Column(f"@{k} [dim](95 % interval)[/]", no_wrap=True) for k in ks]
    table = Table("", *columns, title=escape(title), box=None)
    for kind in kinds:
        cells = []
        for k in ks:
            low, high = report.intervals[f"{kind}@{k}"]
            cells.append(f"{report.means[f'{kind}@{k}']:.3f} [dim]({low:.3f}–{high:.3f})[/]")
        table.add_row(f"[bold]{kind}[/]", *cells)
    return table


def in_a_line(report: Report) -> str:
    """Return the size of the measurement in one line."""
    return (
        f"{len(report.scored)} questions over {report.chunks:,} chunks of {report.mean_chunk_tokens:.0f} tokens on "
        "average"
    )


def compared(comparison: Comparison) -> Table:
    """Return a row for each figure: both means, the difference with its interval, and the questions won and lost."""
    table = Table(
        Column("", no_wrap=True),
        *(Column(name, justify="right") for name in "ab"),
        Column("difference [dim](95 % interval)[/]", no_wrap=True),
        *(Column(name, justify="right") for name in ("won", "lost", "tied")),
        box=None,
    )
    for name, difference in comparison.differences.items():
        table.add_row(
            f"[bold]{name}[/]",
            f"{comparison.a.means[name]:.3f}",
            f"{comparison.b.means[name]:.3f}",
            difference_of(difference),
            *(str(count) for count in (difference.won, difference.lost, difference.tied)),
        )
    return table


def changed_questions(comparison: Comparison) -> Table | None:
    """Return the questions that changed most, or None if none changed."""
    changed = [one for one in comparison.changed if one.by][:_QUESTIONS_SHOWN]
    if not changed:
        return None
    table = Table(
        Column("", no_wrap=True),
        Column("question", ratio=1),
        *(Column(f"@{name.partition('@')[2]}", no_wrap=True) for name in comparison.foremost),
        title=f"The questions that changed most: {comparison.foremost[0].partition('@')[0]} of a / of b",
        box=None,
    )
    for one in changed:
        table.add_row(_by(one), escape(one.question), *_pairs(one, comparison.foremost))
    return table


def difference_of(difference: Difference) -> str:
    """Return a difference with its interval, coloured if 0 is outside of it."""
    low, high = difference.interval
    colour = "green" if low > 0 else "red" if high < 0 else "default"
    return f"[{colour}]{difference.mean:+.3f}[/] [dim]({low:+.3f} to {high:+.3f})[/]"


def _by(changed: Changed) -> str:
    return f"[green]won {changed.by:+.2f}[/]" if changed.by > 0 else f"[red]lost {changed.by:+.2f}[/]"


def _pairs(changed: Changed, names: Sequence[str]) -> list[str]:
    return [f"{changed.a[name]:.2f}/{changed.b[name]:.2f}" for name in names]
