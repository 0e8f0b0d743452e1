"""The page Uploads: add documents, see how far they are, remove them."""

from __future__ import annotations

from html import escape
from typing import Final

import streamlit as st
from rich.filesize import decimal
from streamlit.runtime.scriptrunner import get_script_run_ctx

from contextual_rag.conversation.model import Indexing
from contextual_rag.errors import RagError
from contextual_rag.sources.uploads import file_name
from contextual_rag.uploads import Uploaded
from streamlit_app.guard import FILES_AT_ONCE, may_upload
from streamlit_app.render import essay_address, notice_html
from streamlit_app.services import services
from streamlit_app.state import client, errors_shown, owner

__all__ = ["progress_of", "uploads", "uploads_page"]

_EVERY: Final = "2s"
# Another key is another field, in which no files are.
_FIELD, _PROBLEMS = "uploads_field", "uploads_problems"
_STEPS: Final = {
    "discover": "Looking at what there is",
    "fetch": "Reading",
    "changes": "Looking for what is new",
    "chunk": "Cutting into passages",
    "contextualize": "Explaining the passages",
    "embed": "Embedding the passages",
    "assemble": "Putting the index together",
    "evaluate": "Measuring it",
    "publish": "Publishing it",
}


def uploads_page() -> st.Page:
    """Return the page as the menu names it."""
    return st.Page(uploads, title="Uploads", icon=":material/upload_file:", url_path="uploads")


def uploads() -> None:
    """Draw the field for files, and what was uploaded."""
    st.title("Uploads")
    st.caption("Answers to everybody's questions may quote what you upload. A file answers after the next build.")
    if context := get_script_run_ctx():
        may_upload(context.session_id)
    shelf = services().world.shelf
    field = st.session_state.setdefault(_FIELD, 0)
    files = st.file_uploader(
        "Add documents",
        # All that are read would be a list of sixty, which `Shelf` checks anyway.
        type=shelf.types if services().settings.upload_types else None,
        accept_multiple_files=True,
        key=f"{_FIELD}-{field}",
        max_upload_size=max(1, shelf.largest // 1_000_000),
        help=shelf.allowed,
    )
    if files:
        st.session_state[_PROBLEMS] = _added([(file.name, file.getvalue()) for file in files[:FILES_AT_ONCE]])
        st.session_state[_FIELD] += 1
        st.rerun()
    for problem in st.session_state.pop(_PROBLEMS, ()):
        st.html(notice_html(problem, "error"))
    is_busy = _is_busy(services().conversations.indexing(), shelf.of(owner()))
    st.fragment(_listed, run_every=_EVERY if is_busy else None)(is_busy)


def _added(files: list[tuple[str, bytes]]) -> list[str]:
    """Store files and let them be indexed; return what is wrong with those that were not."""
    problems, stored = [], False
    for name, body in files:
        if wait_s := services().wait_s(client(), "uploads"):
            problems.append(f"{file_name(name)} was not stored: rate limit reached. Try again in {wait_s} s.")
            continue
        try:
            services().world.shelf.add(owner(), name, body)
            stored = True
        except RagError as error:
            problems.append(str(error))
    if stored:
        services().conversations.index_uploads()
    return problems


def _is_busy(indexing: Indexing | None, mine: list[Uploaded]) -> bool:
    return bool(indexing and not indexing.is_over) or any(one.state == "waits" for one in mine)


def _listed(was_busy: bool) -> None:
    with errors_shown():
        shelf, indexing = services().world.shelf, services().conversations.indexing()
        mine, current = shelf.of(owner()), services().current()
        if was_busy and not _is_busy(indexing, mine):
            st.rerun()
        if indexing:
            _progress(indexing)
        if leaving := shelf.leaving():
            they = (
                "1 document that was removed still answers" if leaving == 1 else f"{leaving} removed documents answer"
            )
            st.html(notice_html(f"{they} until the next build is over.", "info"))
        if not mine:
            st.caption("You have uploaded nothing yet.")
        for one in mine:
            _row(one, current.version if current else "")


def _progress(indexing: Indexing) -> None:
    if indexing.state == "queued":
        waits = "No worker is running. Start `rag worker`." if services().worker_is_down else "Waiting for a worker"
        st.progress(0.0, text=waits)
    elif indexing.state == "running":
        st.progress(*progress_of(indexing))
    elif indexing.state in {"refused", "failed"}:
        st.html(notice_html(f"The last build changed nothing. {indexing.why}", "error"))


def progress_of(indexing: Indexing) -> tuple[float, str]:
    """Return how much of a build is done, from 0 to 1, and what it does now."""
    steps = list(_STEPS)
    before = steps.index(indexing.step) if indexing.step in steps else 0
    part = indexing.done / indexing.of if indexing.of else 0.0
    number = f" ({indexing.done} of {indexing.of})" if indexing.of > 1 else ""
    return (before + part) / len(steps), f"{_STEPS.get(indexing.step, 'Starting')}{number}"


def _row(one: Uploaded, version: str) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", border=True):
        st.html(_about(one, version))
        # With a key, what is open stays that of this file when one above it goes.
        with st.popover("Remove", type="tertiary", key=f"menu-{one.id}"):
            st.caption("Answers stop quoting it after the next build. Earlier versions keep it until they are deleted.")
            if st.button("Remove from answers", key=f"remove-{one.id}", icon=":material/delete:", type="primary"):
                services().world.shelf.remove(owner(), one.id)
                services().conversations.index_uploads()
                st.rerun()


def _about(one: Uploaded, version: str) -> str:
    name = f'<span dir="auto">{escape(one.name)}</span>'
    if one.slug:
        name = f'<a href="{escape(essay_address(version, one.slug, ()))}" target="_blank">{name}</a>'
    state = {
        "answers": '<em class="yes">answers questions</em>',
        "failed": f'<em class="no">not read: {escape(one.reason or "")}</em>',
        "waits": "waits for the next build",
    }[one.state]
    about = f"{state} · {decimal(one.size)} · {one.uploaded_at:%-d %b %Y, %H:%M} UTC"
    return f'<div class="upload">{name}<p class="quiet">{about}</p></div>'
