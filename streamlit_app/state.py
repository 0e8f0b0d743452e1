"""Who asks, and what their address names: the little that a page knows beyond the stores."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from contextual_rag.errors import RagError
from contextual_rag.versions.records import Manifest
from streamlit_app.login import person
from streamlit_app.render import notice_html
from streamlit_app.services import services

__all__ = ["client", "explained", "go_to", "owner", "standing", "thread_id", "turn_id", "used"]

_NEXT = "next_turn"


def owner() -> str | None:
    """Return whose conversations are shown: the person who logged in, or nobody's where everyone may read."""
    return None if services().settings.auth == "open" else person()


def client() -> str:
    """Return whose questions are counted together."""
    return owner() or f"page {st.context.ip_address or 'here'}"


def thread_id() -> str | None:
    """Return the conversation that the address names."""
    return st.query_params.get("thread")


def turn_id() -> str:
    """Return the id of the next question, the same until it was asked: a page that is drawn again asks once."""
    return str(st.session_state.setdefault(_NEXT, secrets.token_urlsafe(16)))


def used() -> None:
    """Say that the next question was asked, and the one after it needs another id."""
    st.session_state.pop(_NEXT, None)


def go_to(thread: str | None) -> None:
    """Have the address name a conversation, or none."""
    st.query_params.clear()
    if thread:
        st.query_params["thread"] = thread


@contextmanager
def explained() -> Iterator[None]:
    """Show an error of ours in its own words; whatever else fails is for `on_script_error`."""
    try:
        yield
    except RagError as error:
        st.html(notice_html(str(error), "error"))


@st.cache_data(ttl=5, show_spinner=False)
def standing() -> tuple[Manifest | None, str | None]:
    """Return the version that answers now, and what keeps it from being known."""
    try:
        return services().current(), None
    except RagError as error:
        return None, str(error)
