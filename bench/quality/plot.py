"""The plot: our Pass@k beside published ones, and the effect of each part of the recipe."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from bench.quality.corpora import FOREMOST
from bench.quality.figures import Changed, Measured, Quality
from bench.quality.page import TITLES, shown
from bench.quality.published import PASS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

__all__ = ["draw"]

# Colours that colour-blind people can distinguish (Okabe & Ito 2008); those of k go from light to dark.
_ORANGE, _BLUE, _GREY, _INK = "#d55e00", "#0072b2", "#9a9a9a", "#333333"
_KS = {5: "#56b4e9", 10: "#0072b2", 20: "#08306b"}
_THIS_PROJECT = "this project, offline"
_PASSED = "{} questions about code: share of the golden chunks found, in %, beside published results"
_CHANGED = (
    "The effect of changing one part of the recipe, in points.\n"
    "Left of 0, the part is useful; coloured if the interval does not contain 0."
)
_HEADING: dict[str, Any] = {"x": 0.008, "ha": "left", "fontsize": 10, "fontweight": "bold"}
# In inches: the width of a README, the height of a row, and the height around the rows of a panel.
_WIDTH, _ROW, _AROUND = 8.5, 0.27, 1.05
_DPI = 200
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(quality: Quality) -> bytes:
    """Return the plot as PNG, the same for the same figures; panels of missing corpora are left out."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    passed = quality.corpora.get("anthropic")
    changed = {name: one for name, one in quality.corpora.items() if one.parts}
    names = list(dict.fromkeys(part.name for one in changed.values() for part in one.parts))
    rows = [*([len(PASS) + 1] if passed else []), *([len(names)] if names else [])]
    with rc_context(_STYLE):
        heights = [_ROW * row + _AROUND for row in rows] or [_AROUND]
        figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained", facecolor="white")
        places = iter(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
        if passed:
            _published(next(places), passed)
        if names:
            _parts(next(places), names, changed)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=_DPI, metadata={"Software": None})
    return picture.getvalue()


def _published(place: SubFigure, measured: Measured) -> None:
    """Draw one row per system, ours first, with a mark for each k; only ours has intervals."""
    from matplotlib.ticker import MultipleLocator

    place.suptitle(_PASSED.format(measured.questions), **_HEADING)
    panel = place.subplots()
    rows = [_THIS_PROJECT, *(one.name for one in PASS)]
    for n, (k, colour) in enumerate(_KS.items()):
        ours = measured.default.figures[f"pass@{k}"]
        low, high = ours.interval
        panel.errorbar(
            100 * ours.mean,
            0.18 * (n - 1),  # shifted, so that no interval hides another
            xerr=[[100 * (ours.mean - low)], [100 * (high - ours.mean)]],
            color=colour,
            marker="o",
            markersize=7,
            capsize=3,
            label=f"Pass@{k}",
        )
        panel.plot([one.figures[n] for one in PASS], range(1, len(rows)), "o", color=colour, alpha=0.8, markersize=6)
    panel.set_yticks(range(len(rows)), rows)
    panel.get_yticklabels()[0].set_fontweight("bold")
    panel.axhspan(-0.5, 0.5, color="#fff1e0", zorder=0)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlim(right=100)
    panel.xaxis.set_major_locator(MultipleLocator(5))
    panel.grid(axis="x", alpha=0.3)
    panel.legend(loc="lower left", frameon=False, ncols=len(_KS), bbox_to_anchor=(-0.015, 0.98))


def _parts(place: SubFigure, names: list[str], changed: dict[str, Measured]) -> None:
    """Draw a panel for each corpus, all on one scale."""
    place.suptitle(_CHANGED, **_HEADING)
    panels = place.subplots(1, len(changed), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (name, measured) in zip(panels, changed.items(), strict=True):
        for part in measured.parts:
            _bar(panel, names.index(part.name), part, FOREMOST[name])
        for missing in set(names) - {part.name for part in measured.parts}:
            panel.text(0, names.index(missing), " chunks are given", color=_GREY, fontsize=7, va="center")
        panel.axvline(0, color=_INK, linewidth=0.8)
        panel.set_title(f"{TITLES[name]}: {shown(FOREMOST[name])}")
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)


def _bar(panel: Axes, at: int, part: Changed, figure: str) -> None:
    one = part.differences[figure]
    low, high = one.interval
    panel.barh(
        at,
        100 * one.mean,
        xerr=[[100 * max(0.0, one.mean - low)], [100 * max(0.0, high - one.mean)]],
        color=_ORANGE if high < 0 else _BLUE if low > 0 else _GREY,
        ecolor=_INK,
        capsize=2,
        height=0.6,
        error_kw={"elinewidth": 0.9},
    )
