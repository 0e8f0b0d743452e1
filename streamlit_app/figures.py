"""The contents of the page Versions: a table, plots over time, and the differences between two versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

from contextual_rag.noun import noun
from contextual_rag.versions.diff import Diff
from contextual_rag.versions.records import ANSWER_FIGURES
from contextual_rag.versions.summary import Summary, described, meanings, metrics

__all__ = ["Plot", "diff_html", "meanings_html", "plots", "table_html"]

_TABLE = '<div class="table" tabindex="0"><table>{}</table></div>'


class Plot(NamedTuple):
    """A chart as an ECharts option, with its title and a text for screen readers."""

    title: str
    summary: str
    option: dict[str, Any]


def table_html(versions: Sequence[Summary]) -> str:
    """Return the versions, newest first, as a table."""
    measured = metrics(versions)
    columns = ["made", noun().many, "chunks", "MB", *measured, "USD"]
    numbers = set(columns[1:])
    head = "".join(_cell("th", name, number=name in numbers) for name in columns)
    rows = []
    for one in versions:
        marks = [*(["current"] if one.current else []), *(["pinned"] if one.pinned else [])]
        badges = "".join(f'<span class="badge">{mark}</span>' for mark in marks)
        values = [
            f"{one.created_at:%Y-%m-%d %H:%M}",
            f"{one.essays:,}" + (f" ({len(one.failed)} failed)" if one.failed else ""),
            f"{one.chunks:,}",
            f"{one.size / 1e6:.2f}",
            *(_figure(one.measured(metric)) for metric in measured),
            f"{one.cost_usd:.4f}",
        ]
        cells = "".join(_cell("td", value, number=name in numbers) for name, value in zip(columns, values, strict=True))
        rows.append(f'<tr><th scope="row">{escape(one.version)}{badges}</th>{cells}</tr>')
    return _TABLE.format(f"<thead><tr><th>version</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>")


def meanings_html(versions: Sequence[Summary]) -> str:
    """Return what each figure in the table means; empty if there are none."""
    lines = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(words)}</td></tr>' for name, words in meanings(versions)
    ]
    return _TABLE.format(f"<tbody>{''.join(lines)}</tbody>") if lines else ""


def _cell(tag: str, text: str, *, number: bool) -> str:
    return f'<{tag} class="{"number" if number else "nowrap"}">{escape(text)}</{tag}>'


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def plots(versions: Sequence[Summary]) -> list[Plot]:
    """Return plots of quality, answers, size and cost, from the oldest version to the newest."""
    in_order = sorted(versions, key=lambda one: one.created_at)
    measured = [(name, _measured(name)) for name in metrics(versions)]
    lines: list[tuple[str, list[tuple[str, Callable[[Summary], float | None]]]]] = [
        ("Quality", [one for one in measured if one[0] not in ANSWER_FIGURES]),
        ("Answers", [one for one in measured if one[0] in ANSWER_FIGURES]),
        ("Size in MB", [("MB", lambda one: round(one.size / 1e6, 3))]),
        ("Cost in USD", [("USD", lambda one: round(one.cost_usd, 6))]),
    ]
    return [_plot(title, in_order, drawn) for title, drawn in lines if drawn]


def _measured(name: str) -> Callable[[Summary], float | None]:
    return lambda one: one.measured(name)


def _plot(
    title: str, versions: Sequence[Summary], lines: Sequence[tuple[str, Callable[[Summary], float | None]]]
) -> Plot:
    series, summary = [], []
    for name, value in lines:
        points = [[one.created_at.isoformat(), value(one)] for one in versions]
        known = [point[1] for point in points if point[1] is not None]
        summary.append(f"{name} from {known[0]} to {known[-1]}" if known else f"{name} not measured")
        series.append({"type": "line", "name": name, "data": points, "symbolSize": 7, "connectNulls": True})
    option = {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 36 if len(lines) > 1 else 16, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis"},
        "legend": {"show": len(lines) > 1, "top": 0, "left": 0},
        "xAxis": {"type": "time", "splitNumber": 3},
        "yAxis": {"type": "value", "min": 0, "splitNumber": 3},
        "series": series,
    }
    return Plot(title, f"{title}: {'; '.join(summary)}, over {len(versions)} versions", option)


def diff_html(found: Diff) -> str:
    """Return the differences between two versions, a line for each kind."""
    lines = described(found)
    rows = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in lines)
    return _TABLE.format(f"<tbody>{rows}</tbody>")
