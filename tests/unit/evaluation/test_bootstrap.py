"""The bootstrap: repeatable confidence intervals of means."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextual_rag.evaluation.bootstrap import Values, differences, intervals

shares = st.floats(0, 1, allow_nan=False)
columns = st.lists(shares, min_size=1, max_size=12).map(lambda values: np.array([values]).T)
pairs = st.lists(st.tuples(shares, shares), min_size=1, max_size=12).map(np.array)


def interval(values: Values, resamples: int = 400) -> tuple[float, float]:
    ((low, high),) = intervals(values, resamples=resamples)
    return low, high


class TestIntervals:
    @given(columns)
    @settings(deadline=None)
    def test_lie_within_the_values_and_are_repeatable(self, values: Values) -> None:
        low, high = interval(values)
        assert values.min() <= low <= high <= values.max()
        assert interval(values) == (low, high)

    @given(columns, st.floats(-3, 3))
    @settings(deadline=None)
    def test_move_with_the_values(self, values: Values, by: float) -> None:
        assert interval(values + by) == pytest.approx(tuple(np.array(interval(values)) + by), abs=1e-9)

    @given(pairs)
    @settings(deadline=None)
    def test_of_a_column_do_not_depend_on_the_others(self, values: Values) -> None:
        both = intervals(values, resamples=400)
        for column in (0, 1):
            assert interval(values[:, [column]]) == pytest.approx(both[column], abs=1e-12)

    def test_are_those_of_resampling_one_by_one(self) -> None:
        values = np.random.default_rng(1).random((40, 1))
        random = np.random.default_rng(2)
        means = [random.choice(values[:, 0], 40).mean() for _ in range(20_000)]
        assert intervals(values)[0] == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.005)

    def test_cover_the_mean_95_times_in_100(self) -> None:
        random = np.random.default_rng(3)
        covered = [low <= 0.3 <= high for low, high in intervals((random.random((200, 400)) < 0.3).astype(float))]
        assert 0.92 <= np.mean(covered) <= 0.98

    def test_grow_narrow_with_more_questions(self) -> None:
        random = np.random.default_rng(4)
        few, many = random.random((20, 1)), random.random((2000, 1))
        assert np.ptp(interval(many)) < np.ptp(interval(few)) / 5

    def test_of_one_value_throughout_is_that_value(self) -> None:
        assert interval(np.full((7, 1), 0.1)) == (0.1, 0.1)

    def test_of_no_questions_are_not_numbers(self) -> None:
        assert all(math.isnan(bound) for bound in interval(np.empty((0, 1))))

    def test_of_many_questions_and_figures_take_seconds_at_most(self) -> None:
        values = np.random.default_rng(5).random((1000, 15))
        before = time.process_time()
        assert len(intervals(values)) == 15
        assert time.process_time() - before < 10


class TestDifferences:
    @given(pairs)
    @settings(deadline=None)
    def test_are_counted_and_change_sign_with_the_sides(self, values: Values) -> None:
        a, b = values[:, :1], values[:, 1:]
        (one,), (other,) = differences(a, b, resamples=400), differences(b, a, resamples=400)
        assert (one.won, one.lost, one.tied) == (other.lost, other.won, other.tied)
        assert one.won + one.lost + one.tied == len(values)
        assert one.mean == pytest.approx(-other.mean)
        assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]), abs=1e-9)
        assert one.mean == pytest.approx(a.mean() - b.mean(), abs=1e-8)

    def test_are_narrower_than_the_spread_of_questions_that_are_hard_for_both(self) -> None:
        a = np.random.default_rng(6).random((50, 1))
        (difference,) = differences(a, a - 0.1)
        assert difference.interval == pytest.approx((0.1, 0.1))
        assert (difference.won, difference.lost, difference.tied) == (50, 0, 0)

    def test_of_rounding_alone_are_none(self) -> None:
        (difference,) = differences(np.array([[0.1 + 0.2]]), np.array([[0.3]]))
        assert (difference.mean, difference.interval, difference.tied) == (0, (0, 0), 1)
