"""The page Essays: all essays of the current version, and a search of their passages without an answer."""

from __future__ import annotations

from typing import Final

import streamlit as st

from contextual_rag.conversation.model import Source
from contextual_rag.noun import noun
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.versions.records import Manifest
from streamlit_app.answers import found_html
from streamlit_app.filtering import filter_control
from streamlit_app.render import essays_html, notice_html
from streamlit_app.services import services
from streamlit_app.state import client, current_version

__all__ = ["essays", "essays_page"]

_PASSAGES: Final = 10
# What was searched last, and what it gave: a redrawn page searches nothing again.
_FOUND: Final = "found"


def essays_page() -> st.Page:
    """Return the page as the menu names it."""
    return st.Page(essays, title=noun().heading, icon=":material/library_books:", url_path="essays")


def essays() -> None:
    """Draw the passages that fit the words of the search, or all essays without any."""
    st.title(noun().heading)
    manifest, problem = current_version()
    if manifest is None:
        said = (
            f"The {noun().many} cannot be reached. {problem}" if problem else "There is no index yet. Run `rag build`."
        )
        st.html(notice_html(said, "error" if problem else "warning"))
        return
    words = st.text_input(
        "Search",
        placeholder="Words or a question",
        icon=":material/search:",
        max_chars=LONGEST_QUESTION,
        key="essays-search",
    ).strip()
    where = filter_control(manifest)
    if not words:
        st.html(essays_html(manifest.version, [(essay.slug, essay.title) for essay in manifest.essays]))
    else:
        st.html(_searched(manifest, words, where))


def _searched(manifest: Manifest, words: str, where: Filter | None) -> str:
    key = (manifest.version, words, where)
    if (kept := st.session_state.get(_FOUND)) and kept[0] == key:
        return str(kept[1])
    if wait_s := services().wait_s(client()):
        return notice_html(f"Rate limit reached. Try again in {wait_s} s.", "warning")
    version, hits = services().search(words, _PASSAGES, manifest.version, where)
    html = found_html(version, [Source.of(n, hit) for n, hit in enumerate(hits, 1)])
    st.session_state[_FOUND] = (key, html)
    return html
