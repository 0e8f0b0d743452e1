"""The rate limit of a client."""

from __future__ import annotations

import pytest

from streamlit_app.limits import Allowance, client_at
from streamlit_app.metrics import LIMITED


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

    def test_questions_and_other_things_are_counted_separately(self) -> None:
        allowance = Allowance(1)
        assert allowance.take("anna") == 0
        assert allowance.take("anna", "conversations") == 0
        assert allowance.take("anna", "conversations") > 0

    def test_only_refusals_are_counted_for_the_metrics(self) -> None:
        allowance, counter = Allowance(1), LIMITED.labels("searches")
        allowance.take("anna", "searches")
        assert counter._value.get() == 0
        allowance.take("anna", "searches")
        assert counter._value.get() == 1


class TestAnAnonymousClient:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("127.0.0.1", "127.0.0.77"),
            ("127.0.0.1", "::1"),
            (None, "127.0.0.1"),
            ("2001:db8:1:2::3", "2001:db8:1:2:ffff::"),
        ],
    )
    def test_is_one_whichever_of_its_addresses_it_uses(self, one: str | None, other: str) -> None:
        assert client_at(one) == client_at(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("192.0.2.1", "192.0.2.2"), ("192.0.2.1", "127.0.0.1"), ("2001:db8:1:2::3", "2001:db8:1:3::3"), ("a", "b")],
    )
    def test_is_another_at_the_address_of_another(self, one: str, other: str) -> None:
        assert client_at(one) != client_at(other)
