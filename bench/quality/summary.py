"""The table that the command prints at its end."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Column, Table

from bench.quality.corpora import FOREMOST
from bench.quality.figures import Quality
from bench.quality.page import percent, shown, signed

__all__ = ["summary"]

_FIGURES = ("pass@", "recall@", "precision@", "iou@")


def summary(quality: Quality) -> Table:
    """Return a row for each of the most important figures, in per cent."""
    columns = (Column(name, no_wrap=True) for name in ("", "% (95 % interval)", "less the default"))
    table = Table(*columns, Column("won", justify="right"), Column("lost", justify="right"), box=None)
    for row in _rows(quality):
        table.add_row(*row)
    return table


def _rows(quality: Quality) -> Iterator[tuple[str, ...]]:
    for name, measured in quality.corpora.items():
        for figure, value in measured.default.figures.items():
            if figure.startswith(_FIGURES) or (name, figure) == ("sample", "mrr@5"):
                yield f"{name} {shown(figure)}", percent(value)
        for part in (*([measured.fixed] if measured.fixed else []), *measured.parts):
            one = part.differences[FOREMOST[name]]
            low, high = (signed(bound) for bound in one.interval)
            changed = f"{signed(one.mean)} ({low} to {high})"
            yield f"  {part.name}", percent(part.figures[FOREMOST[name]]), changed, str(one.won), str(one.lost)
    if talk := quality.conversation:
        yield f"{talk.follow_ups} follow-ups as good", percent(talk.as_good_as_whole)
        yield f"{talk.own} own answered", percent(talk.answered)
        yield f"{talk.foreign} foreign abstained", percent(talk.abstained)
        yield f"{talk.untold} untold abstained", percent(talk.untold_abstained)
    if speed := quality.speed:
        yield "questions a second", f"{speed.per_second:.0f}", f"over {speed.chunks:,} chunks"
