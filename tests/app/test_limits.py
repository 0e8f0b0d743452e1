"""The rate limit of a client."""

from __future__ import annotations

from streamlit_app.limits import Allowance


class TestAllowance:
    def test_beyond_the_limit_it_returns_the_time_to_wait(self) -> None:
        allowance = Allowance(3)
        assert [allowance.take("anna") for _ in range(3)] == [0, 0, 0]
        assert 0 < allowance.take("anna") <= 60

    def test_clients_are_counted_separately(self) -> None:
        allowance = Allowance(1)
        assert allowance.take("anna") == 0
        assert allowance.take("boris") == 0
        assert allowance.take("anna") > 0
