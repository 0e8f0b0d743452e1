"""Without API keys, the API only serves its own machine under its own name, and nobody if login is on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from streamlit_app.api import create_api
from streamlit_app.services import services


@pytest.fixture(autouse=True)
def own_services() -> Iterator[None]:
    """Services with this test's settings."""
    services.cache_clear()
    yield
    if services.cache_info().currsize:
        services().close()
    services.cache_clear()


def status(*, named: str = "127.0.0.1", comes_from: str = "127.0.0.1") -> int:
    """Return the status of a request for the conversations."""
    with TestClient(create_api(), base_url=f"http://{named}:8501", client=(comes_from, 50000)) as client:
        return client.get("/threads").status_code


class TestWithoutKeys:
    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
    def test_its_own_machine_is_served(self, name: str) -> None:
        assert status(named=name) == 200

    def test_other_machines_are_refused(self) -> None:
        assert status(comes_from="192.0.2.7") == 403

    def test_other_host_names_are_refused(self) -> None:
        assert status(named="elsewhere.example") == 403

    def test_with_login_everyone_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_AUTH", "oidc")
        assert status() == 403
