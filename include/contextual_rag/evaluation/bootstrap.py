"""Confidence intervals of means over questions, by the bootstrap (Efron 1979); seeded, so results are repeatable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from contextual_rag.record import Record

__all__ = ["Difference", "differences", "intervals"]

_RESAMPLES = 10_000
_CONFIDENCE = 0.95
# The largest number of draws in memory at once: 16 MB.
_DRAWS = 2_000_000
# Smaller differences are rounding errors.
_SAME = 1e-9

Values = NDArray[np.float64]


class Difference(Record):
    """The difference between two lists of figures, question by question.

    `interval` is the 95 % interval of the mean. `won` counts questions where the first list is better, `lost` those
    where the second is better.
    """

    mean: float
    interval: tuple[float, float]
    won: int
    lost: int
    tied: int


def intervals(values: Values, *, resamples: int = _RESAMPLES, seed: int = 0) -> list[tuple[float, float]]:
    """Return the 95 % interval of the mean of each column; `values` has shape (questions, figures).

    Questions are drawn with replacement, all figures of one question together. The interval is given by percentiles of
    the means. Without questions it is (nan, nan).
    """
    if not len(values):
        return [(float("nan"), float("nan"))] * values.shape[1]
    means = np.concatenate(list(_means(values, resamples, seed)))
    tails = np.quantile(means, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2], axis=0)
    # A rounding error may put a mean outside the range of the values.
    low, high = np.clip(tails, values.min(axis=0), values.max(axis=0))
    return list(zip(low.tolist(), high.tolist(), strict=True))


def differences(a: Values, b: Values, *, resamples: int = _RESAMPLES, seed: int = 0) -> list[Difference]:
    """Return `a` minus `b` for each column. Row n of both is the same question, so its difficulty cancels out."""
    changes = a - b
    changes[np.abs(changes) < _SAME] = 0
    return [
        Difference(
            mean=float(column.mean()) if len(column) else float("nan"),
            interval=interval,
            won=int((column > 0).sum()),
            lost=int((column < 0).sum()),
            tied=int((column == 0).sum()),
        )
        for column, interval in zip(changes.T, intervals(changes, resamples=resamples, seed=seed), strict=True)
    ]


def _means(values: Values, resamples: int, seed: int) -> Iterator[Values]:
    """Yield the means of resampled questions, shape (some, figures), in batches of at most `_DRAWS` draws."""
    questions = len(values)
    random = np.random.default_rng(seed)
    at_once = max(1, _DRAWS // questions)
    for start in range(0, resamples, at_once):
        samples = min(at_once, resamples - start)
        drawn = random.integers(questions, size=(samples, questions))
        drawn += questions * np.arange(samples)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=samples * questions).reshape(samples, questions)
        yield counts @ values / questions
