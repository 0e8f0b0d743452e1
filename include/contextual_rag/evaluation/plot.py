"""Plots a report or a comparison: each figure over k, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Literal, NamedTuple

from contextual_rag.evaluation.report import Comparison, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_LARGE = 0.5
_PANEL = (2.9, 2.7)
# Two colours that colour-blind people can distinguish (Okabe & Ito 2008).
_COLOURS = ("#0072b2", "#d55e00")


class _Line(NamedTuple):
    label: str
    means: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def draw(result: Report | Comparison, labels: tuple[str, str], title: str, form: Literal["png", "svg"]) -> bytes:
    """Return the bytes of the picture, the same each time. `labels` name the setups."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    reports = (result,) if isinstance(result, Report) else (result.a, result.b)
    lines = [_Line(label, one.means, one.intervals) for label, one in zip(labels, reports, strict=False)]
    kinds = list(dict.fromkeys(name.partition("@")[0] for name in reports[0].names))
    # The setting makes the ids inside an SVG repeatable.
    with rc_context({"svg.hashsalt": "rag", "svg.fonttype": "none"}):
        figure = Figure(figsize=(_PANEL[0] * len(kinds), _PANEL[1]), layout="constrained")
        figure.suptitle(title, fontsize="medium")
        axes = figure.subplots(1, len(kinds), squeeze=False)[0]
        for axis, kind in zip(axes, kinds, strict=True):
            _panel(axis, kind, lines)
        if len(lines) > 1:
            axes[0].legend(fontsize="small")
        picture = BytesIO()
        figure.savefig(picture, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return picture.getvalue()


def _panel(axis: Axes, kind: str, lines: list[_Line]) -> None:
    """Draw one figure for each k; the lines are shifted slightly, so that their intervals do not overlap."""
    names = [name for name in lines[0].means if name.partition("@")[0] == kind]
    for n, line in enumerate(lines):
        places = [at + 0.08 * (n - (len(lines) - 1) / 2) for at in range(len(names))]
        means = [line.means[name] for name in names]
        below = [max(0.0, line.means[name] - line.intervals[name][0]) for name in names]
        above = [max(0.0, line.intervals[name][1] - line.means[name]) for name in names]
        axis.errorbar(
            places, means, yerr=[below, above], label=line.label, color=_COLOURS[n], marker="o", markersize=4, capsize=3
        )
    axis.set_title(kind, fontsize="medium")
    axis.set_xticks(range(len(names)), [name.partition("@")[2] for name in names])
    axis.set_xlabel("k")
    # Small shares (precision of long chunks) get a scale of their own.
    axis.set_ylim(0, 1.02 if axis.get_ylim()[1] > _LARGE else None)
    axis.grid(axis="y", alpha=0.3)
