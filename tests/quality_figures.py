"""Made-up figures of a whole `make quality`, for what is made of them."""

from __future__ import annotations

from bench.quality.ablation import PARTS
from bench.quality.figures import Changed, Conversation, Figure, Measured, Quality, Setup, Speed
from contextual_rag.evaluation.bootstrap import Difference

__all__ = ["figures_of_all"]

_SPANS = ("recall@5", "precision@5", "iou@5", "mrr@5")
_PASS = ("pass@5", "pass@10", "pass@20")
_LOSS = Difference(mean=-0.021, interval=(-0.04, -0.003), won=2, lost=9, tied=40)


def figures_of_all() -> Quality:
    """All corpora, each with every part of the table."""
    return Quality(
        recipe={"chunk_size": 640, "stemmer": "english"},
        packages={"bm25s": "0.3.16"},
        corpora={"anthropic": _measured(_PASS), "chroma": _measured(_SPANS, fixed=464), "sample": _measured(_SPANS)},
        conversation=Conversation(
            follow_ups=40,
            as_good_as_whole=_figure(0.95),
            foreign=30,
            abstained=_figure(0.9),
            untold=11,
            untold_abstained=_figure(0.1),
            own=85,
            answered=_figure(1.0),
        ),
        speed=Speed(chunks=10_000, questions=500, k=10, seconds=3.21, per_second=155.8, embedding_ms=11.9),
    )


def _measured(names: tuple[str, ...], fixed: int | None = None) -> Measured:
    return Measured(
        documents=17,
        questions=51,
        default=_setup(names),
        fixed=_changed(names, "fixed windows", "", {"chunk_size": fixed}) if fixed else None,
        parts=tuple(_changed(names, part.name, part.says, dict(part.overrides)) for part in PARTS),
    )


def _setup(names: tuple[str, ...]) -> Setup:
    figures = {name: _figure(0.7 + n / 100) for n, name in enumerate(names)}
    return Setup(chunks=1737, mean_chunk_tokens=100.4, figures=figures)


def _changed(names: tuple[str, ...], name: str, says: str, overrides: dict[str, object]) -> Changed:
    differences = dict.fromkeys(names, _LOSS)
    return Changed(**dict(_setup(names)), name=name, says=says, overrides=overrides, differences=differences)


def _figure(mean: float) -> Figure:
    return Figure(mean=mean, interval=(max(0.0, mean - 0.05), min(1.0, mean + 0.04)))
