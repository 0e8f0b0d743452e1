"""The plot: how many times as long as ours the others take."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from bench.speed.figures import Beside, Figures

__all__ = ["draw"]

# Colours that colour-blind people can distinguish (Okabe & Ito 2008), for the sizes of a corpus.
_COLOURS = ("#56b4e9", "#0072b2", "#08306b")
_TITLES = {"keyword": "Keyword search", "hybrid": "Hybrid search", "milvus": "Hybrid search on one Milvus"}
_WIDTH, _ROW, _AROUND = 8.5, 0.42, 1.0
_DPI = 200
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(figures: Figures) -> bytes:
    """Return the plot as PNG, the same for the same figures."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    kinds = {kind: [one for one in figures.beside if one.kind == kind] for kind in _TITLES}
    kinds = {kind: measured for kind, measured in kinds.items() if measured}
    sizes = sorted({one.chunks for one in figures.beside})
    colours = dict(zip(sizes, _COLOURS, strict=False))
    heights = [_ROW * len(_names(measured)) + _AROUND for measured in kinds.values()] or [_AROUND]
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained", facecolor="white")
        panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for panel, (kind, measured) in zip(panels, kinds.items(), strict=False):
            names = _names(measured)
            for one in measured:
                at = names.index(one.other) + 0.25 * (sizes.index(one.chunks) - (len(sizes) - 1) / 2)
                panel.barh(at, 1 / one.ratio, height=0.22, color=colours.get(one.chunks))
            for size, colour in colours.items():
                panel.barh([0], [0], color=colour, label=f"{size:,} chunks")
            panel.axvline(1, color="#d55e00", linewidth=1.2)
            panel.set_xscale("log")
            panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ×"))
            panel.set_yticks(range(len(names)), names)
            panel.set_ylim(len(names) - 0.5, -0.5)
            panel.grid(axis="x", alpha=0.3)
            panel.set_title(f"{_TITLES[kind]}: time of the others at p95; ours is 1", loc="left", fontweight="bold")
        panels[0].legend(loc="upper right", frameon=False)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=_DPI, metadata={"Software": None})
    return picture.getvalue()


def _names(measured: list[Beside]) -> list[str]:
    return list(dict.fromkeys(one.other for one in measured))
