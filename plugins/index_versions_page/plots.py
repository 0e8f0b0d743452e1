"""Plots of the versions over time, as inline SVG.

matplotlib draws with placeholder colours. The SVG is then rewritten, so that the page's style sheet sets colours and
fonts (light or dark), and without inline styles, which the page's Content-Security-Policy forbids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from contextual_rag.versions.records import ANSWER_FIGURES
from contextual_rag.versions.summary import Summary, metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Plot", "plots"]

# Placeholder colours → the classes that the style sheet colours.
_CLASSES = {"#000001": "ink", "#000002": "grid", "#000003": "a", "#000004": "b", "#000005": "c", "#000006": "d"}
_INK, _GRID, *_SERIES = _CLASSES
_SIZE = (4.6, 2.9)
# Points, as in the style sheet.
_TEXT = 9
_HALF_A_DAY = timedelta(hours=12)
_XLINK = "{http://www.w3.org/1999/xlink}href"
_SVG = "{http://www.w3.org/2000/svg}"
# matplotlib's settings are global to the process.
_drawing = Lock()


class Plot(NamedTuple):
    """A figure with its title, a text for screen readers, and its SVG."""

    title: str
    summary: str
    svg: str


class _Line(NamedTuple):
    label: str
    value: Callable[[Summary], float | None]
    write: Callable[[float], str]


@lru_cache(maxsize=8)
def plots(rows: tuple[Summary, ...]) -> tuple[Plot, ...]:
    """Return the plots of quality, answers, size and work, from the oldest version to the newest."""
    in_order = sorted(rows, key=lambda one: one.created_at)
    measured: dict[str, list[_Line]] = {}
    names = metrics(rows)
    answers = [_Line(name, _measured(name), "{:.3f}".format) for name in names if name in ANSWER_FIGURES]
    for name in [name for name in names if name not in ANSWER_FIGURES][: len(_SERIES)]:
        # Each kind of questions has its own panel: `recall@5`, `known_item_recall@5`.
        kind = name.rpartition("_")[0]
        measured.setdefault(kind, []).append(_Line(name, _measured(name), "{:.3f}".format))
    chunks = _Line("chunks", lambda one: one.chunks, "{:,.0f}".format)
    size = _Line("MB", lambda one: one.size / 1e6, "{:.2f}".format)
    cost = _Line("USD", lambda one: one.cost_usd, "{:.2f}".format)
    seconds = _Line("seconds", lambda one: one.seconds, "{:,.0f}".format)
    return tuple(
        _plot(title, in_order, panels)
        for title, panels in (
            ("Quality", list(measured.values())),
            ("Answers", [answers[: len(_SERIES)]] if answers else []),
            ("Size", [[chunks], [size]]),
            ("Cost and duration", [[cost], [seconds]]),
        )
        if panels
    )


def _measured(name: str) -> Callable[[Summary], float | None]:
    return lambda one: one.measured(name)


def _plot(title: str, rows: Sequence[Summary], panels: Sequence[Sequence[_Line]]) -> Plot:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    lines = [line for panel in panels for line in panel]
    with _drawing, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "path.simplify": False}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        figure.set_facecolor("none")
        stacked = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        colours = iter(_SERIES)
        for axes, panel in zip(stacked, panels, strict=True):
            _draw(axes, rows, panel, [next(colours) for _ in panel])
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    return Plot(
        title, f"{title}: {_summary(rows, lines)}", _for_a_page(drawn.getvalue(), title.partition(" ")[0].lower())
    )


def _draw(axes: Axes, rows: Sequence[Summary], panel: Sequence[_Line], colours: Sequence[str]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    for line, colour in zip(panel, colours, strict=True):
        points = [(one.created_at, value) for one in rows if (value := line.value(one)) is not None]
        axes.plot(
            [at for at, _ in points],  # type: ignore[arg-type]  # matplotlib takes dates, its types do not say so
            [value for _, value in points],
            color=colour,
            linewidth=1.6,
            marker="o",
            markersize=3.5,
            label=line.label,
            # Draw markers at the bottom edge completely.
            clip_on=False,
        )
    highest = max((value for one in rows for line in panel if (value := line.value(one)) is not None), default=0)
    axes.set_ylim(0, highest * 1.1 or 1)
    first, last = rows[0].created_at, rows[-1].created_at
    if first == last:
        # matplotlib would show a range of years.
        axes.set_xlim(first - _HALF_A_DAY, last + _HALF_A_DAY)  # type: ignore[arg-type]
    locator = AutoDateLocator(minticks=2, maxticks=5)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(  # type: ignore[no-untyped-call]
            locator,
            formats=["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%H:%M:%S"],
            zero_formats=["", "%Y", "%b", "%-d %b", "%H:%M", "%H:%M"],
            offset_formats=["", "", "%Y", "%-d %b %Y", "%-d %b %Y", "%-d %b %Y"],
        )
    )
    axes.xaxis.get_offset_text().set(color=_INK, fontsize=_TEXT)
    axes.yaxis.set_major_locator(MaxNLocator(3 if len(panel) == 1 else 5))
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=0, labelsize=_TEXT)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_GRID)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(panel), frameon=False, labelcolor=_INK, fontsize=_TEXT
    )


def _summary(rows: Sequence[Summary], lines: Sequence[_Line]) -> str:
    parts = []
    for line in lines:
        values = [value for one in rows if (value := line.value(one)) is not None]
        if values:
            parts.append(f"{line.label} from {line.write(values[0])} to {line.write(values[-1])}")
    return f"{'; '.join(parts)}, over {len(rows)} version{'s' * (len(rows) != 1)}"


def _for_a_page(drawn: bytes, name: str) -> str:
    """Return SVG without inline styles, colours or fonts, with ids that are unique in the page."""
    root = etree.fromstring(drawn, etree.XMLParser(resolve_entities=False, remove_comments=True))
    for element in list(root.iter(f"{_SVG}style", f"{_SVG}metadata")):
        element.getparent().remove(element)
    for element in root.iter():
        if isinstance(element.tag, str):
            _restyle(element, name)
    for attribute in ("width", "height"):
        del root.attrib[attribute]
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    etree.cleanup_namespaces(root)
    return str(etree.tostring(root, encoding="unicode", with_tail=False))


def _restyle(element: etree._Element, name: str) -> None:
    style = element.attrib.pop("style", "")
    for declaration in style.split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key and not key.startswith("font"):
            element.set(key, value)
    classes = []
    for key in ("stroke", "fill"):
        if (known := _CLASSES.get(element.get(key, ""))) is not None:
            del element.attrib[key]
            classes.append(f"{key}-{known}")
    if classes:
        element.set("class", " ".join(classes))
    if (target := element.attrib.pop(_XLINK, None)) is not None:
        element.set("href", f"#{name}-{target.removeprefix('#')}")
    if (clip := element.get("clip-path")) is not None:
        element.set("clip-path", clip.replace("url(#", f"url(#{name}-"))
    if (own := element.get("id")) is not None:
        element.set("id", f"{name}-{own}")
