"""Whom the rate limit counts as one client."""

from __future__ import annotations

import pytest

from streamlit_app.limits import client_at


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
