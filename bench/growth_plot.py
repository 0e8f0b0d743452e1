"""The plot of how an index grows: what a day takes, memory, storage, and what a model costs."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

__all__ = ["CHANGES", "PRICES", "day_s", "draw", "usd"]

# The shares of all chunks that change in a day.
CHANGES = (0.001, 0.01, 0.1)
# USD per million tokens of a small context model and of an embedding model: examples, chosen for this plot.
PRICES = (0.06, 0.02)
_ANSWER_TOKENS = 80
_COLOURS = ("#56b4e9", "#0072b2", "#08306b", "#d55e00")
_KEPT, _MACHINE_MB, _DPI = 14, 24 * 1024, 200
_STYLE: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True}


def day_s(found: Mapping[str, Any], chunks: str, share: float) -> float:
    """Return the processor's seconds of a day offline: for the index of all chunks, and for those that change."""
    one = found["sizes"][chunks]
    a_chunk = found["of_a_chunk"]["embed_s"]
    if "vectors" in one:
        a_chunk += one["vectors"]["upsert_s"] / int(chunks)
    return float(one["arrays"]["index_s"] + share * int(chunks) * a_chunk)


def usd(found: Mapping[str, Any], chunks: float) -> float:
    """Return what the models of so many changed chunks cost by `PRICES`: contexts, and embeddings."""
    one = found["of_a_chunk"]
    contexts = (one["context_prompt_tokens"] + _ANSWER_TOKENS) * PRICES[0]
    return float(chunks * (contexts + (one["tokens"] + _ANSWER_TOKENS) * PRICES[1]) / 1e6)


def draw(found: Mapping[str, Any]) -> bytes:
    """Return the plot as PNG, the same for the same figures."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = list(found["sizes"])
    sizes, measured = [int(name) for name in names], [found["sizes"][name] for name in names]
    with_milvus = [(size, one) for size, one in zip(sizes, measured, strict=True) if "vectors" in one]
    with rc_context(_STYLE):
        figure = Figure(figsize=(9.5, 6.5), layout="constrained", facecolor="white")
        (time, memory), (storage, cost) = figure.subplots(2, 2)
        for share, colour in zip(CHANGES, _COLOURS, strict=False):
            label = f"{share:.1%} of the chunks change"
            time.plot(sizes, [day_s(found, name, share) for name in names], "o-", color=colour, label=label)
            cost.plot(sizes, [usd(found, share * size) for size in sizes], "o-", color=colour, label=label)
        cost.plot(sizes, [usd(found, size) for size in sizes], "o-", color=_COLOURS[3], label="all are made")
        for label, colour, peaks in (
            ("build, words in arrays", _COLOURS[2], [one["arrays"]["index_peak_mb"] for one in measured]),
            ("build, words in Milvus", _COLOURS[1], [one["in_milvus"]["index_peak_mb"] for one in measured]),
            ("answering", _COLOURS[0], [one["arrays"]["resident_mb"] for one in measured]),
        ):
            memory.plot(sizes, peaks, "o-", color=colour, label=label)
        of_milvus = [one["vectors"]["server_mb"] for _, one in with_milvus]
        memory.plot([size for size, _ in with_milvus], of_milvus, "s--", color=_COLOURS[3], label="embedded Milvus")
        memory.axhline(_MACHINE_MB, color="black", linewidth=0.8)
        memory.annotate("24 GiB", (sizes[0], _MACHINE_MB), xytext=(0, 3), textcoords="offset points")
        kept = [_KEPT * one["arrays"]["files_mb"] for one in measured]
        storage.plot(sizes, [one["arrays"]["files_mb"] for one in measured], "o-", color=_COLOURS[2], label="a version")
        in_milvus = [one["in_milvus"]["files_mb"] for one in measured]
        storage.plot(sizes, in_milvus, "o-", color=_COLOURS[1], label="a version, words in Milvus")
        storage.plot(sizes, kept, "o-", color=_COLOURS[0], label=f"{_KEPT} versions")
        on_disk = [one["vectors"]["disk_mb"] for _, one in with_milvus]
        storage.plot([size for size, _ in with_milvus], on_disk, "s--", color=_COLOURS[3], label="embedded Milvus")
        titles = {
            time: "A day offline: seconds of the processor",
            memory: "Memory: MB",
            storage: "Storage: MB",
            cost: "A day with hosted models: USD",
        }
        for panel, title in titles.items():
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_xlabel("chunks")
            panel.grid(alpha=0.3)
            panel.set_title(title, loc="left", fontweight="bold")
            panel.legend(frameon=False, fontsize=7)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=_DPI, metadata={"Software": None})
    return picture.getvalue()
