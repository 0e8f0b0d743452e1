"""The page Essay: a cited passage, highlighted in its essay."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

import streamlit as st

from contextual_rag.errors import UnknownVersionError
from contextual_rag.model import Document
from contextual_rag.noun import noun
from streamlit_app.render import essay_html, notice_html, original_link, spans_in
from streamlit_app.services import services

__all__ = ["essay", "essay_page"]


def essay_page() -> st.Page:
    """Return the page, which citations link to."""
    return st.Page(
        essay, title=noun().one.capitalize(), icon=":material/menu_book:", url_path="essay", visibility="hidden"
    )


def essay() -> None:
    """Draw the essay in the page's address, as it was in the version that answered."""
    version, slug = st.query_params.get("version", ""), st.query_params.get("slug", "")
    if not (version and slug):
        st.html(notice_html("This page shows cited passages. Open a citation in an answer.", "info"))
        return
    try:
        document = services().essay(version, slug)
    except UnknownVersionError:
        document = None
    if document is None:
        gone = f"Version {version} was deleted, or it has no such {noun().one}."
        st.html(notice_html(f"{gone} The passage is still shown below its answer.", "warning"))
        return
    st.html(_head(document, version))
    st.html(essay_html(document, spans_in(st.query_params.get("at", ""))))


def _head(document: Document, version: str) -> str:
    parts = [escape(document.date or "undated"), f"version {escape(version)}"]
    hosts = {urlsplit(one.source.url).netloc for one in services().manifest(version).followed}
    if original := next(filter(None, (original_link(document.url, host) for host in hosts)), None):
        parts.append(f'<a href="{escape(original)}" target="_blank">the original</a>')
    return f'<h1 dir="auto">{escape(document.title)}</h1><p class="quiet">{" · ".join(parts)}</p>'
