"""Summarises the figures of questions: means with their intervals, and the comparison of two setups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from contextual_rag.evaluation.bootstrap import Difference, Values, differences, intervals

__all__ = ["Changed", "Comparison", "Report", "Scored", "means"]

_DIGITS = 6


class Scored(NamedTuple):
    """A question and its figures by name, such as `recall@5`."""

    question: str
    figures: dict[str, float]


def means(scored: Sequence[Scored]) -> dict[str, float]:
    """Return each figure's mean over the questions, which all have the same figures; empty without questions."""
    return {name: fmean(one.figures[name] for one in scored) for name in scored[0].figures} if scored else {}


class Report:
    """The results of one setup, in the order of its questions; all questions have the same figures.

    `chunks` is the number of chunks in the index, `mean_chunk_tokens` their mean number of tokens.
    """

    def __init__(self, scored: Sequence[Scored], *, chunks: int, mean_chunk_tokens: float) -> None:
        self.scored = tuple(scored)
        self.chunks = chunks
        self.mean_chunk_tokens = mean_chunk_tokens

    @property
    def names(self) -> tuple[str, ...]:
        """The figures' names, in order."""
        return tuple(self.scored[0].figures) if self.scored else ()

    @cached_property
    def values(self) -> Values:
        """The figures as an array of shape (questions, figures)."""
        return np.array([list(one.figures.values()) for one in self.scored], dtype=np.float64)

    @cached_property
    def means(self) -> dict[str, float]:
        """Each figure's mean over the questions."""
        return means(self.scored)

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Each mean's 95 % interval, for other questions of the same kind."""
        return dict(zip(self.names, intervals(self.values), strict=True)) if self.scored else {}

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs: flat, except for the intervals."""
        return {
            **{name: round(mean, _DIGITS) for name, mean in self.means.items()},
            "mean_chunk_tokens": round(self.mean_chunk_tokens, 2),
            "chunks": self.chunks,
            "questions": len(self.scored),
            "intervals": {name: _rounded(interval) for name, interval in self.intervals.items()},
        }


class Changed(NamedTuple):
    """A question with different figures in two setups. `by` is the gain of a over b in `Comparison.foremost`."""

    question: str
    a: dict[str, float]
    b: dict[str, float]
    by: float


class Comparison:
    """The comparison of setup a with setup b over the same questions; a gain means that a is better."""

    def __init__(self, a: Report, b: Report) -> None:
        if [one.question for one in a.scored] != [one.question for one in b.scored]:
            raise ValueError("a comparison needs the same questions in the same order")
        self.a = a
        self.b = b

    @cached_property
    def differences(self) -> dict[str, Difference]:
        """Each figure of a minus that of b."""
        return dict(zip(self.a.names, differences(self.a.values, self.b.values), strict=True))

    @property
    def foremost(self) -> tuple[str, ...]:
        """The figures that order the questions: recall or pass, for each k."""
        return tuple(name for name in self.a.names if name.startswith(("recall@", "pass@")))

    @cached_property
    def changed(self) -> list[Changed]:
        """The questions that differ in any figure, largest change first."""
        changed = [
            Changed(a.question, a.figures, b.figures, _mean(a, self.foremost) - _mean(b, self.foremost))
            for a, b in zip(self.a.scored, self.b.scored, strict=True)
            if a.figures != b.figures
        ]
        return sorted(changed, key=lambda one: -abs(one.by))

    def as_json(self) -> dict[str, Any]:
        """Return the comparison for programs."""
        return {
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            "difference": {
                name: one.model_dump() | {"mean": round(one.mean, _DIGITS), "interval": _rounded(one.interval)}
                for name, one in self.differences.items()
            },
            "questions": [
                {"question": one.question, "a": _all_rounded(one.a), "b": _all_rounded(one.b)} for one in self.changed
            ],
        }


def _mean(scored: Scored, names: Sequence[str]) -> float:
    return sum(scored.figures[name] for name in names) / len(names) if names else 0.0


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(bound, _DIGITS) for bound in interval]


def _all_rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in figures.items()}
