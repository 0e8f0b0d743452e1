"""The page of what was measured, as Markdown: `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.speed import sections
from bench.speed.figures import Beside, Figures, Scale
from bench.speed.tables import table

__all__ = ["BARE", "SLOWER", "page"]

BARE, SLOWER = "bare bm25s", "the slower of its two searches"
_INTRO = """# Performance

`make bench` measures this page: our searches beside what bounds them. `make bench BENCH=--peers` measures them beside
other libraries too, each in the newest release that goes with the others, in an environment of its own. Corpora are
synthetic: words as often as in English prose, 45 a chunk, always the same.

Each question is asked of both sides in turn, in five rounds. **A ratio is our time as a share of theirs at the 95th
percentile, in the same run: the median of the rounds. Below 1, ours is faster.** Times are the processor's, so that a
busy machine counts for neither side. Milliseconds differ from machine to machine and from hour to hour; ratios hardly
do. `make bench BENCH=--short` runs on every change: it compares the median of all pairs with that of these figures.

![How many times as long others take](images/performance.png)
"""
_KEYWORD = """## Keyword search

A question of six words in, the texts of the ten best chunks out. The bound is bare bm25s on the same arrays, with a
partial sort and a list of texts: what a search cannot do without. Ours is asked as readers ask, with small words before
the six ("what is"), as all 468 questions of the public evaluation sets have; without any, telling the language of
invented words takes 0.03 to 0.1 ms more.
"""
_HYBRID = """## Hybrid search

The keyword search, the search by vectors, their fusion, and a closer look at the best hundred; the question's vector
is given, all vectors are in memory. Where the other side is our own two searches, the rest is what fusion and the
closer look take: it may be 2 ms and three tenths of the slower one. The others fuse fifty hits each and look no
closer.
"""
_MILVUS = """## Hybrid search on one Milvus

The same on the embedded Milvus. The others have it search for words too, each as its documents show, for ten hits; ours
has only the vectors there, and asks for the two hundred nearest, since the ranking needs them. The embedded server
reads each row that it returns with its whole vector, one number after the other: that is more than half of our time,
and grows with what else the server holds. Of 19 ms alone, it takes 7.5, looking through all rows 6.5, the request 2.5,
the keyword search 0.7 and the closer look 1.8. Times are the processor's, of the server too, after it has done what it
does by itself with new rows.
"""
_SCALE = """## Making and opening an index

Ours beside bare bm25s on the same texts, each in a process of its own; seconds are the processor's. Bare bm25s keeps
no texts, no ids and no windows. The first answer is that of a process that opens a local copy and checks it against
its digests; what it then holds is its memory without the pages of the files, which the system can take back.
"""
_DAY = """## A day

`python -m bench.daily` runs days of {documents} small documents through Airflow, and cold builds of 25 real pages, the
latter in turn with `rag build`, in the same session. Seconds depend on the machine and on what else it does; its load
at the beginning was {load:g}.
"""
_COLD = """Where the time of a cold build goes; the load before was {load:g}. The processor time of all services is
**{cpu:.2f}** of that of `rag build`. An instance waits from when it could begin until it does. The first build after
Airflow's start took {first:.0f} s.
"""
_SECTIONS = {"full-text": sections.full_text, "growth": sections.growth, "embedding": sections.embedding}


def page(figures: Figures, others: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page, with the figures of other benchmarks by name; a part that was not measured is left out."""
    by_kind = {kind: [one for one in figures.beside if one.kind == kind] for kind in ("keyword", "hybrid", "milvus")}
    parts = [_INTRO]
    for text, kind in ((_KEYWORD, "keyword"), (_HYBRID, "hybrid"), (_MILVUS, "milvus")):
        if by_kind[kind]:
            parts.append(f"{text}\n{_beside(by_kind[kind])}")
    if figures.scale:
        parts.append(f"{_SCALE}\n{_scale(figures.scale)}")
    for name, section in _SECTIONS.items():
        if name in others:
            parts.append(section(others[name]))
    daily = others.get("daily", {})
    if "days" in daily:
        text = _DAY.format(documents=daily["days"]["documents"], load=daily["days"]["load"])
        parts.append(f"{text}\n{_days(daily)}")
        if "first" in (cold := daily.get("cold", {})):
            text = _COLD.format(load=cold["load"], cpu=cold["cpu_ratio"], first=cold["first"]["wall_s"])
            parts.append(f"{text}\n{_tasks(cold['airflow']['tasks'])}")
    if figures.absent:
        absent = "; ".join(f"{name}: {why}" for name, why in figures.absent.items())
        parts.append(f"Not measured: {absent}.\n")
    return "\n".join(parts)


def _beside(measured: Sequence[Beside]) -> str:
    head = ("chunks", "beside", "theirs p50", "theirs p95", "ours p50", "ours p95", "ratio at p95", "of the rounds")
    return table(head, (_row(one) for one in measured))


def _row(one: Beside) -> tuple[str, ...]:
    times = (one.p50_ms, one.p95_ms, one.ours_p50_ms, one.ours_p95_ms)
    return (
        f"{one.chunks:,}",
        f"{one.other} {one.release}".strip(),
        *(f"{ms:.3g} ms" if ms < 1000 else f"{ms:,.0f} ms" for ms in times),  # noqa: PLR2004
        f"**{one.ratio:.2g}**",
        f"{min(one.ratios):.2g}–{max(one.ratios):.2g}",
    )


def _scale(measured: Sequence[Scale]) -> str:
    head = ("chunks", "bare bm25s", "ours", "ratio", "bare peak", "our peak", "files", "first answer", "memory then")
    rows = (
        (
            f"{one.chunks:,}",
            f"{one.bare_index_s:.1f} s",
            f"{one.index_s:.1f} s",
            f"**{one.ratio:.2f}**",
            *(f"{mb:,.0f} MB" for mb in (one.bare_index_peak_mb, one.index_peak_mb, one.files_mb)),
            f"{one.first_s:.2f} s",
            f"{one.resident_mb:,.0f} MB",
        )
        for one in measured
    )
    return table(head, rows)


def _days(daily: Mapping[str, Any]) -> str:
    days = daily["days"]
    runs = {"the first": [days["first"]]} | {name: days[name]["runs"] for name in ("unchanged", "one changed")}
    rows = [
        (
            f"{max(run['ran'] for run in found)}",
            f"{name}, {len(found)} times" if found[1:] else name,
            *(f"{median(run[what] for run in found):.0f} s" for what in ("wall_s", "cpu_s")),
            "",
        )
        for name, found in runs.items()
    ]
    if cold := daily.get("cold"):
        through = cold["airflow"]
        seconds = (f"{through[what]:.0f} s" for what in ("wall_s", "cpu_s"))
        times = f", {len(cold['runs'])} times" if "runs" in cold else ""
        rows.append((f"{through['ran']}", f"cold, 25 real pages{times}", *seconds, f"**{cold['wall_ratio']:.2f}**"))
    return table(("task instances that ran", "day", "seconds", "of the processor", "beside `rag build`"), rows)


def _tasks(tasks: Mapping[str, Mapping[str, float]]) -> str:
    rows = (
        (f"{one['instances']}", f"`{name}`", *(f"{one[what]:.1f} s" for what in ("began_s", "waited_s", "seconds")))
        for name, one in tasks.items()
    )
    return table(("instances", "task", "began after", "waited", "took"), rows)
