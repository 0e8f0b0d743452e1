"""How many questions a client may ask in a minute."""

from __future__ import annotations

from streamlit_app.limits import Allowance


class TestAllowance:
    def test_one_too_many_is_told_how_long_to_wait(self) -> None:
        allowance = Allowance(3)
        assert [allowance.take("anna") for _ in range(3)] == [0, 0, 0]
        assert 0 < allowance.take("anna") <= 60

    def test_clients_are_counted_apart(self) -> None:
        allowance = Allowance(1)
        assert allowance.take("anna") == 0
        assert allowance.take("boris") == 0
        assert allowance.take("anna") > 0
