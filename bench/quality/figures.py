"""The records of `quality.json`: figures are shares from 0 to 1, each with its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from contextual_rag.evaluation.bootstrap import Difference, intervals
from contextual_rag.evaluation.report import Comparison, Report
from contextual_rag.record import Record

__all__ = ["Changed", "Conversation", "Figure", "Measured", "Quality", "Setup", "Speed", "changed", "setup", "share"]

_DIGITS = 6


class Figure(Record):
    """A mean over questions, and its interval."""

    mean: float
    interval: tuple[float, float]


class Setup(Record):
    """The results of one recipe on one corpus; figures by name, such as `recall@5`."""

    chunks: int
    mean_chunk_tokens: float
    figures: dict[str, Figure]


class Changed(Setup):
    """A setup that differs from the default recipe by `overrides`; differences are its figures minus the default's."""

    name: str
    says: str
    overrides: dict[str, Any]
    differences: dict[str, Difference]


class Measured(Record):
    """A corpus: the default recipe, each changed part, and fixed windows of the same size if these are compared."""

    documents: int
    questions: int
    default: Setup
    fixed: Changed | None = None
    parts: tuple[Changed, ...] = ()


class Conversation(Record):
    """Shares of the sample's questions, with their numbers."""

    follow_ups: int
    as_good_as_whole: Figure
    foreign: int
    abstained: Figure
    untold: int
    untold_abstained: Figure
    own: int
    answered: Figure


class Speed(Record):
    """The time of questions asked one after the other; embedding is measured separately."""

    chunks: int
    questions: int
    k: int
    seconds: float
    per_second: float
    embedding_ms: float


class Quality(Record):
    """All results. `corpora` has no entry for a corpus that was not measured."""

    recipe: dict[str, Any]
    packages: dict[str, str]
    corpora: dict[str, Measured]
    conversation: Conversation | None = None
    speed: Speed | None = None


def setup(report: Report) -> Setup:
    """Return a report as it is stored."""
    return Setup(
        chunks=report.chunks,
        mean_chunk_tokens=round(report.mean_chunk_tokens, 2),
        figures={name: _figure(mean, report.intervals[name]) for name, mean in report.means.items()},
    )


def changed(name: str, says: str, overrides: Mapping[str, Any], comparison: Comparison) -> Changed:
    """Return a comparison of a changed setup, the first, with the default, the second."""
    differences = {
        figure: one.model_copy(update=_figure(one.mean, one.interval).model_dump())
        for figure, one in comparison.differences.items()
    }
    return Changed(
        **dict(setup(comparison.a)), name=name, says=says, overrides=dict(overrides), differences=differences
    )


def share(right: Sequence[bool]) -> Figure:
    """Return the share of true values."""
    values = np.array(right, dtype=np.float64)[:, None]
    return _figure(float(values.mean()), intervals(values)[0])


def _figure(mean: float, interval: tuple[float, float]) -> Figure:
    low, high = interval
    return Figure(mean=round(mean, _DIGITS), interval=(round(low, _DIGITS), round(high, _DIGITS)))
