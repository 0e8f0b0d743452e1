"""Whom the API serves where no keys are set: its own machine, called by its own name, unless people log in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from streamlit_app.api import create_api
from streamlit_app.services import services


@pytest.fixture(autouse=True)
def own_services() -> Iterator[None]:
    """Services of this test's settings."""
    services.cache_clear()
    yield
    if services.cache_info().currsize:
        services().close()
    services.cache_clear()


def status(*, named: str = "127.0.0.1", comes_from: str = "127.0.0.1") -> int:
    """How a request for the conversations is answered."""
    with TestClient(create_api(), base_url=f"http://{named}:8501", client=(comes_from, 50000)) as client:
        return client.get("/threads").status_code


class TestWithoutKeys:
    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
    def test_its_own_machine_is_served(self, name: str) -> None:
        assert status(named=name) == 200

    def test_no_other_machine_is(self) -> None:
        assert status(comes_from="192.0.2.7") == 403

    def test_no_name_is_that_somebody_led_here(self) -> None:
        assert status(named="elsewhere.example") == 403

    def test_nobody_is_where_people_log_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_AUTH", "oidc")
        assert status() == 403
