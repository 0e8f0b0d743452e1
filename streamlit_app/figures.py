"""The contents of the page Versions: a table, plots over time, and the differences between two versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

from contextual_rag.diff import Diff
from contextual_rag.model import Manifest, Pointer

__all__ = ["Plot", "diff_html", "plots", "table_html"]

_SHOWN = 12
_TABLE = '<div class="table" tabindex="0"><table>{}</table></div>'


class Plot(NamedTuple):
    """A chart as an ECharts option, with its title and a text for screen readers."""

    title: str
    summary: str
    option: dict[str, Any]


def table_html(manifests: Sequence[Manifest], pointer: Pointer | None) -> str:
    """Return the versions, newest first, as a table."""
    metrics = _metrics(manifests)
    columns = ["made", "essays", "chunks", "MB", *metrics, "USD"]
    numbers = set(columns[1:])
    head = "".join(_cell("th", name, number=name in numbers) for name in columns)
    rows = []
    for manifest in manifests:
        marks = [
            *(["current"] if pointer and pointer.version == manifest.version else []),
            *(["pinned"] if pointer and manifest.version in pointer.pinned else []),
        ]
        badges = "".join(f'<span class="badge">{mark}</span>' for mark in marks)
        values = [
            f"{manifest.created_at:%Y-%m-%d %H:%M}",
            f"{len(manifest.essays):,}" + (f" ({len(manifest.failed)} failed)" if manifest.failed else ""),
            f"{manifest.chunks:,}",
            f"{manifest.bytes / 1e6:.2f}",
            *(_figure(manifest.quality.get(metric)) for metric in metrics),
            f"{manifest.work.cost_usd:.4f}",
        ]
        cells = "".join(_cell("td", value, number=name in numbers) for name, value in zip(columns, values, strict=True))
        rows.append(f'<tr><th scope="row">{escape(manifest.version)}{badges}</th>{cells}</tr>')
    return _TABLE.format(f"<thead><tr><th>version</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>")


def _cell(tag: str, text: str, *, number: bool) -> str:
    return f'<{tag} class="{"number" if number else "nowrap"}">{escape(text)}</{tag}>'


def _metrics(manifests: Sequence[Manifest]) -> list[str]:
    return list(dict.fromkeys(name for manifest in manifests for name in manifest.figures))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def plots(manifests: Sequence[Manifest]) -> list[Plot]:
    """Return plots of quality, size and cost, from the oldest version to the newest."""
    in_order = sorted(manifests, key=lambda manifest: manifest.created_at)
    quality = [(name, _measured(name)) for name in _metrics(manifests)]
    lines: list[tuple[str, list[tuple[str, Callable[[Manifest], float | None]]]]] = [
        ("Quality", quality),
        ("Size in MB", [("MB", lambda one: round(one.bytes / 1e6, 3))]),
        ("Cost in USD", [("USD", lambda one: round(one.work.cost_usd, 6))]),
    ]
    return [_plot(title, in_order, drawn) for title, drawn in lines if drawn]


def _measured(name: str) -> Callable[[Manifest], float | None]:
    return lambda manifest: manifest.quality.get(name)


def _plot(
    title: str, manifests: Sequence[Manifest], lines: Sequence[tuple[str, Callable[[Manifest], float | None]]]
) -> Plot:
    series, summary = [], []
    for name, value in lines:
        points = [[manifest.created_at.isoformat(), value(manifest)] for manifest in manifests]
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
    return Plot(title, f"{title}: {'; '.join(summary)}, over {len(manifests)} versions", option)


def diff_html(found: Diff) -> str:
    """Return the differences between two versions, a line for each kind."""
    lines = [(name, _some(getattr(found, name))) for name in ("added", "removed", "changed", "remade")]
    lines += [("failed", "{} → {}".format(*found.failed)), ("chunks", "{:,} → {:,}".format(*found.chunks))]
    lines.append(("size", "{:.2f} → {:.2f} MB".format(*(size / 1e6 for size in found.bytes))))
    lines += [(f"recipe: {name}", f"{before} → {after}") for name, (before, after) in found.recipe.items()]
    lines += [(name, f"{_figure(before)} → {_figure(after)}") for name, (before, after) in found.quality.items()]
    lines.append(("cost", "{:.4f} → {:.4f} USD".format(*found.cost_usd)))
    rows = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in lines)
    return _TABLE.format(f"<tbody>{rows}</tbody>")


def _some(slugs: Sequence[str]) -> str:
    if not slugs:
        return "none"
    more = f" … and {len(slugs) - _SHOWN} more" if len(slugs) > _SHOWN else ""
    return f"{len(slugs)}: {', '.join(slugs[:_SHOWN])}{more}"
