"""The short bench fails if a ratio is worse by half, whatever the machine's speed."""

from __future__ import annotations

import pytest

from bench.speed.figures import Beside, Figures


def measured(ours: float, other: float, *, chunks: int = 10) -> Beside:
    """Return what five rounds of ten questions give, in one of which the machine was busy with something else."""
    busy = [(20 * ours, other)] * 10
    return Beside.of("keyword", "other", chunks, [[(ours, other)] * 10, busy, *[[(ours, other)] * 10] * 3])


class TestWorse:
    BEFORE = Figures(beside=[measured(1, 2)])

    @pytest.mark.parametrize(("ours", "other"), [(1, 2), (1.4, 2), (10, 20), (0.1, 9)])
    def test_is_none_that_takes_less_than_half_as_long_again(self, ours: float, other: float) -> None:
        assert self.BEFORE.worse([measured(ours, other)]) == []

    @pytest.mark.parametrize(("ours", "other"), [(1.6, 2), (1, 1), (16, 20)])
    def test_is_what_takes_longer_beside_the_same(self, ours: float, other: float) -> None:
        found = measured(ours, other)
        assert self.BEFORE.worse([found]) == [found]

    def test_is_unknown_of_what_was_not_measured(self) -> None:
        with pytest.raises(LookupError):
            self.BEFORE.worse([measured(1, 2, chunks=20)])
