"""The state of a page outside the stores: the reader, and what the page's address names."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from contextual_rag.errors import RagError
from contextual_rag.versions.records import Manifest
from streamlit_app.limits import client_at
from streamlit_app.login import person
from streamlit_app.render import notice_html
from streamlit_app.services import services

__all__ = ["client", "current_version", "discard_turn_id", "errors_shown", "go_to", "owner", "thread_id", "turn_id"]

_NEXT = "next_turn"


def owner() -> str | None:
    """Return the owner of the conversations shown: the person who logged in, or None without login."""
    return None if services().settings.auth == "open" else person()


def client() -> str:
    """Return the name under which the rate limit counts questions."""
    return owner() or client_at(st.context.ip_address)


def thread_id() -> str | None:
    """Return the id of the conversation in the page's address."""
    return st.query_params.get("thread")


def turn_id(question: str) -> str:
    """Return the id of a question. It is the same until the question is asked, so a redrawn page asks once."""
    kept: dict[str, str] = st.session_state.setdefault(_NEXT, {})
    return kept.setdefault(question, secrets.token_urlsafe(16))


def discard_turn_id() -> None:
    """Discard the id after its question was asked; the next question gets a new one."""
    st.session_state.pop(_NEXT, None)


def go_to(thread: str | None) -> None:
    """Put a conversation, or none, into the page's address."""
    st.query_params.clear()
    if thread:
        st.query_params["thread"] = thread


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show the message of our own errors; `on_script_error` handles all others."""
    try:
        yield
    except RagError as error:
        st.html(notice_html(str(error), "error"))


@st.cache_data(ttl=5, show_spinner=False)
def current_version() -> tuple[Manifest | None, str | None]:
    """Return the current version, and the problem if it cannot be read."""
    try:
        return services().current(), None
    except RagError as error:
        return None, str(error)
