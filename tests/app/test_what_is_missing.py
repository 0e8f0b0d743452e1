"""What the pages say where something is missing, as Streamlit draws them, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import streamlit_app.page
from contextual_rag.settings import Settings
from streamlit_app.services import services

PAGE = Path(str(streamlit_app.__file__)).with_name("page.py")


@pytest.fixture(autouse=True)
def own_services() -> Iterator[None]:
    """Services of this test's settings."""
    services.cache_clear()
    st.cache_data.clear()
    yield
    if services.cache_info().currsize:
        services().close()
    services.cache_clear()


def drawn() -> str:
    """Everything that a first visit shows."""
    app = AppTest.from_file(str(PAGE), default_timeout=30).run()
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


class TestWhatIsMissing:
    @pytest.mark.usefixtures("settings")
    def test_without_an_index_it_says_how_to_make_one(self) -> None:
        said = drawn()
        assert "There is no index of the essays yet. Make one with `rag build`" in said
        assert "Offline mode" in said
        assert "Nothing is lost: questions are kept" in said

    def test_without_a_store_it_says_which_and_shows_no_trace(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        said = drawn()
        assert "The essays cannot be reached. The object store at http://127.0.0.1:9 does not answer" in said
        assert "Traceback" not in said
