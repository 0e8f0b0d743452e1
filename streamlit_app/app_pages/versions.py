"""The page Versions: quality, size and cost, the differences between two versions, and their answers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import streamlit as st

from contextual_rag.errors import UnknownThreadError
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.versions.diff import diff
from contextual_rag.versions.summary import summaries
from streamlit_app.figures import diff_html, meanings_html, plots, table_html
from streamlit_app.live import draw_answer, draw_live_answers, draw_question
from streamlit_app.render import notice_html
from streamlit_app.services import services
from streamlit_app.state import client, owner

__all__ = ["versions", "versions_page"]


def versions_page() -> st.Page:
    """Return the page as the menu names it."""
    return st.Page(versions, title="Versions", icon=":material/stacks:", url_path="versions")


def versions() -> None:
    """Draw the versions, the differences between two, and the answers of both to one question."""
    st.title("Index versions")
    registry = services().world.registry
    shown = summaries(registry)
    if not shown:
        st.html(notice_html("There is no version yet. Run `rag build`, or run the DAG build_index.", "warning"))
        return
    asked = "both" in st.query_params
    overview, compare = st.tabs(["Over time", "Compare two"], default="Compare two" if asked else None)
    with overview:
        st.html(table_html(shown))
        if words := meanings_html(shown):
            with st.expander("What the figures mean"):
                st.html(words)
        for plot in plots(shown):
            st.markdown(f"#### {plot.title}")
            st.echarts_chart(plot.option, height=200, alt=plot.summary)
    with compare:
        _compare([one.version for one in shown])


def _compare(names: Sequence[str]) -> None:
    left, right = st.columns(2)
    before = left.selectbox("Before", names, index=min(1, len(names) - 1))
    after = right.selectbox("After", names, index=0)
    resolve = services().world.registry.resolve
    st.html(diff_html(diff(resolve(before), resolve(after))))
    st.subheader("One question, two answers", anchor=False)
    with st.form("both", border=False):
        question = st.text_input("Question", max_chars=LONGEST_QUESTION, placeholder="What do you want to know?")
        asked = st.form_submit_button("Ask both", icon=":material/compare_arrows:")
    if asked and question.strip():
        _ask(question, before, after)
    asked_threads = st.query_params.get_all("both")
    if asked_threads:
        _both(asked_threads[:2])


def _ask(question: str, *versions_: str) -> None:
    """Ask each version in a new conversation, and put these conversations into the page's address."""
    if wait_s := services().wait_s(client()):
        st.html(notice_html(f"Rate limit reached. Try again in {wait_s} s.", "warning"))
        return
    conversations = services().conversations
    started = []
    for version in versions_:
        thread = conversations.start_thread(owner())
        conversations.ask(thread.id, owner(), question, turn_id=secrets.token_urlsafe(16), version=version)
        started.append(thread.id)
    st.query_params["both"] = started
    st.rerun()


def _both(threads: Sequence[str]) -> None:
    conversations = services().conversations
    try:
        turns = [conversations.turns(thread, owner())[0] for thread in threads]
    except (UnknownThreadError, IndexError):
        st.html(notice_html("Answers not found. They were deleted, or they belong to somebody else.", "warning"))
        return
    draw_question(turns[0])
    columns = st.columns(len(turns))
    for column, turn in zip(columns, turns, strict=True):
        with column:
            st.caption(f"version {turn.version}")
            if turn.answer:
                draw_answer(turn.answer)
    waiting = [(turn, column) for turn, column in zip(turns, columns, strict=True) if turn.answer is None]
    if waiting:
        draw_live_answers(waiting, owner())
        st.rerun()
