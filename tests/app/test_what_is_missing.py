"""What the page says if something is missing, as drawn by Streamlit, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import streamlit_app.page
from contextual_rag.settings import Settings
from streamlit_app.answers import NO_WORKER
from streamlit_app.services import services

PAGE = Path(str(streamlit_app.__file__)).with_name("page.py")


@pytest.fixture(autouse=True)
def own_services() -> Iterator[None]:
    """Services with this test's settings."""
    services.cache_clear()
    st.cache_data.clear()
    yield
    if services.cache_info().currsize:
        services().close()
    services.cache_clear()


def drawn() -> str:
    """Return everything that a first visit shows."""
    app = AppTest.from_file(str(PAGE), default_timeout=30).run()
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


class TestWhatIsMissing:
    @pytest.mark.usefixtures("settings")
    def test_without_an_index_it_says_how_to_make_one(self) -> None:
        html = drawn()
        assert "`rag build`" in html
        assert "Offline mode" in html
        assert NO_WORKER in html

    def test_without_a_store_it_says_which_and_shows_no_trace(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        html = drawn()
        assert "http://127.0.0.1:9" in html
        assert "Traceback" not in html
