"""The page Threads: search, open, rename, export and delete conversations."""

from __future__ import annotations

import re
from typing import Final

import streamlit as st

from contextual_rag.conversation.model import Thread
from streamlit_app.app_pages.ask import ask_page
from streamlit_app.render import label
from streamlit_app.services import services
from streamlit_app.state import errors_shown, owner

__all__ = ["threads", "threads_page"]

_AT_ONCE: Final = 20
_SHOWN: Final = "threads_shown"


def threads_page() -> st.Page:
    """Return the page as the menu names it."""
    return st.Page(threads, title="Threads", icon=":material/history:", url_path="threads")


def threads() -> None:
    """Draw the conversations that match the search, most recently asked first."""
    st.title("Threads")
    search = st.text_input("Search", placeholder="Words in a title, a question or an answer", icon=":material/search:")
    shown = st.session_state.setdefault(_SHOWN, _AT_ONCE)
    found = services().conversations.threads(owner(), search=search, limit=shown + 1)
    if not found:
        st.caption("No conversation contains these words." if search else "There are no conversations yet.")
        st.page_link(ask_page(), label="Ask the first question")
    for thread in found[:shown]:
        _row(thread)
    if len(found) > shown:
        st.button("Show more", on_click=_show_more)


def _show_more() -> None:
    st.session_state[_SHOWN] += _AT_ONCE


def _row(thread: Thread) -> None:
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        with st.container(gap=None):
            st.page_link(ask_page(), label=label(_title(thread)), query_params={"thread": thread.id})
            questions = f"{thread.turns} question{'s' * (thread.turns != 1)}"
            st.caption(f"{questions} · {thread.asked_at:%-d %b %Y, %H:%M} UTC")
        if st.button("Manage", key=f"manage-{thread.id}", type="tertiary", help="Rename, export or delete"):
            _manage(thread)


def _title(thread: Thread) -> str:
    return thread.title or "No question yet"


@st.dialog("Conversation")
def _manage(thread: Thread) -> None:
    conversations = services().conversations
    with errors_shown():
        with st.form(f"rename-{thread.id}", border=False):
            title = st.text_input("Title", thread.title)
            if st.form_submit_button("Rename", icon=":material/edit:"):
                conversations.rename(thread.id, owner(), title)
                st.rerun()
        st.caption("Export with sources:")
        name = re.sub(r"[^a-z0-9]+", "-", thread.title.lower()).strip("-")[:60] or "conversation"
        with st.container(horizontal=True):
            st.download_button(
                "Markdown",
                lambda: conversations.export(thread.id, owner(), "markdown"),
                f"{name}.md",
                "text/markdown",
                icon=":material/download:",
                on_click="ignore",
            )
            st.download_button(
                "JSON",
                lambda: conversations.export(thread.id, owner(), "json"),
                f"{name}.json",
                "application/json",
                icon=":material/download:",
                on_click="ignore",
            )
        st.divider()
        sure = st.checkbox("Delete permanently, for everyone", key=f"sure-{thread.id}")
        if st.button("Delete", icon=":material/delete:", disabled=not sure, type="primary"):
            conversations.delete(thread.id, owner())
            st.rerun()
