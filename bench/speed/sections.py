"""The parts of the page whose figures other benchmarks measured: words in Milvus, growth, and embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.growth_plot import CHANGES, PRICES, day_s, usd
from bench.speed.tables import table

__all__ = ["embedding", "full_text", "growth"]

_FULL_TEXT = """## Keyword search in Milvus

`python -m bench.full_text` asks the questions of three sets of the same index twice: with its words in bm25s' arrays,
and with `RAG_KEYWORD_SEARCH=milvus` in an embedded Milvus. The same first chunk and the same ten are shares of the
questions; milliseconds are those of a whole search, on the clock.
"""
_GROWTH = """## Growth

`python -m bench.growth` measures what grows with the number of chunks, on the synthetic corpora, whose chunks are a
third as long as real ones. Seconds are the processor's, and not all sizes were measured under the same load. The index
is made of all chunks whenever one changes; all else is made of the chunks that change. A chunk of the sample site has
{characters} characters; embedding it offline takes {embed_ms:.0f} ms, and explaining it takes a model
{context_prompt_tokens} tokens. Dollars are those of models at {prices} USD per million tokens.

![Time, memory, storage and cost](images/growth.png)
"""
_ENDS = """### When one machine ends

{lines}
The embedded Milvus is the first at its end: each of its searches looks through all rows, which takes a third of the
time of a question at 12,000 chunks already. Use a Milvus server from some ten thousands of chunks on. bm25s' arrays go
on to millions. `RAG_KEYWORD_SEARCH=milvus` then makes versions a
third smaller, so that each machine that answers downloads and keeps less, and gives Milvus the words of new chunks
alone. It does not make a build smaller by much, because the chunks and the words of their windows stay in a version.
Measure it with your own questions before it answers (`rag evaluate index --recipe`). With the embedded Milvus keep
`bm25s`, which is faster there. Builds that take too long, because much changes in a day, need
[Celery workers](deployment.md) and no other keyword search.
"""
_EMBEDDING = """## Embedding

`python -m bench.embedding` embeds {passages} passages of {tokens} tokens, in turn with a model of nothing but the
matrix multiplications of the same layers, in the same types and shapes, on the same runtime and as many threads.
These multiplications take **{share:.0%}** of our time. Beside a process that never rests it is {beside:.0%}, and
{speed:.2f} times as fast as without (the load before was {load:g}).
"""
_MEMORY_MB, _DAY_S, _ANSWER_MS = 0.8 * 24 * 1024, 4 * 3600, 300


def full_text(found: Mapping[str, Any]) -> str:
    """Return what searching words in Milvus changes."""
    head = (
        "questions of",
        "figure",
        "questions",
        "chunks",
        "arrays",
        "Milvus",
        "same first",
        "same ten",
        "arrays",
        "Milvus",
    )
    rows = []
    for name, one in found.items():
        figure = next(iter(one["bm25s"]))
        shares = (one["bm25s"][figure], one["milvus"][figure], one["same_first"], one["same_ten"])
        times = (f"{one['ms'][way]:.0f} ms" for way in ("bm25s", "milvus"))
        counts = (f"{one[what]}" for what in ("questions", "chunks"))
        rows.append((name, figure, *counts, *(f"{100 * share:.1f} %" for share in shares), *times))
    return f"{_FULL_TEXT}\n{table(head, rows)}"


def growth(found: Mapping[str, Any]) -> str:
    """Return how an index grows, and where one machine ends."""
    a_chunk, sizes = found["of_a_chunk"], found["sizes"]
    prices = " and ".join(map(str, PRICES))
    text = _GROWTH.format(**a_chunk, embed_ms=1000 * a_chunk["embed_s"], prices=prices)
    head = ("chunks", "", "index", "peak", "files", "to Milvus", "its memory", "its disk", "by meaning", "by words")
    rows = []
    for chunks, one in sizes.items():
        for name, way, stored in (
            ("words in arrays", one["arrays"], one.get("vectors")),
            ("words in Milvus", one["in_milvus"], one.get("vectors_and_words")),
        ):
            files = (f"{way['index_s']:.1f} s", *(f"{way[what]:,.0f} MB" for what in ("index_peak_mb", "files_mb")))
            rows.append((f"{int(chunks):,}", name, *files, *_stored(stored)))
    days = [
        (
            f"{int(chunks):,}",
            *(f"{day_s(found, chunks, share):,.0f} s" for share in CHANGES),
            *_dollars(found, int(chunks)),
        )
        for chunks in sizes
    ]
    shares = tuple(f"{share:.1%} change" for share in CHANGES)
    day_table = table(("chunks", *shares, *shares, "all are made"), days)
    return f"{text}\n{table(head, rows)}\nA day, by the share of the chunks that change:\n\n{day_table}\n{_ends(found)}"


def _stored(one: Mapping[str, float] | None) -> tuple[str, ...]:
    if not one:
        return ("",) * 5
    memory = (f"{one[what]:,.0f} MB" for what in ("server_mb", "disk_mb"))
    searches = (f"{one[what]:.0f} ms" if what in one else "" for what in ("search_ms", "search_words_ms"))
    return (f"{one['upsert_s']:.0f} s", *memory, *searches)


def _dollars(found: Mapping[str, Any], chunks: int) -> tuple[str, ...]:
    return tuple(f"{usd(found, share * chunks):,.2f} USD" for share in (*CHANGES, 1))


def _ends(found: Mapping[str, Any]) -> str:
    """Return at how many chunks each part is at its end, if it goes on growing as from the first to the last size."""
    sizes = found["sizes"]
    lines = []
    for what, bound, unit, at in (
        ("The memory of a build, words in arrays", _MEMORY_MB, "19,700 MB", ("arrays", "index_peak_mb")),
        ("The memory of a build, words in Milvus", _MEMORY_MB, "19,700 MB", ("in_milvus", "index_peak_mb")),
        ("The memory of the embedded Milvus, vectors alone", _MEMORY_MB, "19,700 MB", ("vectors", "server_mb")),
        ("A search by meaning in the embedded Milvus", _ANSWER_MS, "300 ms", ("vectors", "search_ms")),
        ("A search by words in the embedded Milvus", _ANSWER_MS, "300 ms", ("vectors_and_words", "search_words_ms")),
    ):
        known = [(int(chunks), one[at[0]][at[1]]) for chunks, one in sizes.items() if at[1] in one.get(at[0], ())]
        if len(known) > 1:
            lines.append((what, unit, f"{_reached(known, bound):,.0f}"))
    first = next(iter(sizes))
    of_one = found["of_a_chunk"]["embed_s"] + sizes[first].get("vectors", {"upsert_s": 0})["upsert_s"] / int(first)
    lines.append(("Embedding all chunks offline, on two cores", "4 hours", f"{_rounded(2 * _DAY_S / of_one):,.0f}"))
    return _ENDS.format(lines=table(("what grows", "is at its end at", "chunks, about"), lines))


def _reached(known: list[tuple[int, float]], bound: float) -> float:
    """Return where a straight line through the first and the last reaches a bound."""
    (first, low), (last, high) = known[0], known[-1]
    at = last + (bound - high) * (last - first) / max(high - low, 1e-9)
    return _rounded(at)


def _rounded(number: float) -> float:
    digits = 10 ** (len(f"{number:.0f}") - 2)
    return float(round(number / digits) * digits)


def embedding(found: Mapping[str, Any]) -> str:
    """Return how much of embedding is multiplication."""
    return _EMBEDDING.format(
        passages=found["passages"],
        tokens=f"{found['tokens']:,}",
        share=found["alone"]["share"],
        beside=found["beside"]["share"],
        speed=found["speed_beside"],
        load=found["load_before"],
    )
