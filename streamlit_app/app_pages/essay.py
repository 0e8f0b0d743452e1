"""Essay: what a citation leads to, the passage highlighted where it stands."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

import streamlit as st

from contextual_rag.errors import UnknownVersionError
from contextual_rag.model import Document
from streamlit_app.render import essay_html, notice_html, original_link, spans_in
from streamlit_app.services import services

__all__ = ["essay"]


def essay() -> None:
    """Draw the essay that the address names, as the version had it that the answer came from."""
    version, slug = st.query_params.get("version", ""), st.query_params.get("slug", "")
    if not (version and slug):
        st.html(notice_html("This page shows where a citation leads; open one from an answer.", "info"))
        return
    try:
        document = services().essay(version, slug)
    except UnknownVersionError:
        document = None
    if document is None:
        gone = f"Version {version} is not kept any more, or has no essay of that name."
        st.html(notice_html(f"{gone} The passage itself stands below its answer.", "warning"))
        return
    st.html(_head(document, version))
    st.html(essay_html(document, spans_in(st.query_params.get("at", ""))))


def _head(document: Document, version: str) -> str:
    parts = [escape(document.date or "undated"), f"as of version {escape(version)}"]
    if original := original_link(document.url, urlsplit(services().manifest(version).source.url).netloc):
        parts.append(f'<a href="{escape(original)}" target="_blank">the original</a>')
    return f'<h1>{escape(document.title)}</h1><p class="quiet">{" · ".join(parts)}</p>'
