"""The page Ask: one conversation, which can be continued in any tab."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from contextual_rag.conversation.model import Answer, Thread, Turn
from contextual_rag.errors import SettingError, UnknownThreadError
from contextual_rag.noun import noun
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.versions.records import Manifest
from streamlit_app.answers import NO_WORKER
from streamlit_app.filtering import filter_control
from streamlit_app.live import draw_answer, draw_live_answer, draw_question
from streamlit_app.render import hero_html, label, notice_html
from streamlit_app.services import services
from streamlit_app.state import client, current_version, discard_turn_id, go_to, owner, thread_id, turn_id

__all__ = ["ask", "ask_page"]

_SUGGESTED: Final = 4
_RELATED: Final = 3
_WATCH_S: Final = 1.0
_SUGGESTION: Final = "suggestion"
_CITY: Final = "city"
_OFFLINE: Final = (
    '<p class="offline"><b>Offline mode.</b> Answers are sentences quoted from the {many}, without a language model. '
    "Set TOGETHER_API_KEY, or RAG_CHAT_URL and RAG_CHAT_MODEL, to let a model write answers.</p>"
)
_RATINGS: Final = {1: 1, -1: 0}


class _Suggested(NamedTuple):
    """A question that a button asks; one that was asked before is asked with the filter of that turn."""

    question: str
    of: Turn | None


def ask_page() -> st.Page:
    """Return the page as the menu and links name it."""
    return st.Page(ask, title="Ask", icon=":material/forum:", url_path="ask", default=True)


def ask() -> None:
    """Draw the conversation in the page's address, or the start of a new one."""
    manifest, problem = current_version()
    _show_problems(manifest, problem)
    try:
        thread = services().conversations.thread(name, owner()) if (name := thread_id()) else None
    except UnknownThreadError:
        st.html(notice_html("Conversation not found. It was deleted, or it belongs to somebody else.", "warning"))
        st.button("New conversation", icon=":material/add:", on_click=go_to, args=(None,))
        return
    turns = services().conversations.turns(thread.id, owner()) if thread else []
    waiting = [turn for turn in turns if turn.answer is None]
    # Each part always has a container: Streamlit recognises unchanged elements by their position.
    with st.container():
        if not waiting:
            _worker()
    # Clear this at once; otherwise Streamlit shows it until the answer is complete.
    welcome = st.empty()
    if thread and turns:
        _head(thread)
    elif manifest:
        with welcome.container():
            _welcome(manifest)
    places = {turn.id: _turn(turn, next_one=turn in waiting[:1], last=turn is turns[-1]) for turn in turns}
    with st.container():
        if turns and not waiting:
            _related(turns)
        where = filter_control(manifest) if manifest else None
    written = st.chat_input(services().settings.page_title, max_chars=LONGEST_QUESTION, key="question")
    suggested: _Suggested | None = st.session_state.pop(_SUGGESTION, None)
    if written:
        _ask(written, where, thread)
    elif suggested:
        _ask(suggested.question, suggested.of.where if suggested.of else where, thread)
    if waiting:
        with places[waiting[0].id]:
            draw_live_answer(waiting[0], owner())
        st.rerun()
    if thread:
        _watch(thread.id, _state(turns))


def _show_problems(manifest: Manifest | None, problem: str | None) -> None:
    if problem:
        st.html(notice_html(f"The {noun().many} cannot be reached. {problem}", "error"))
    elif manifest is None:
        st.html(
            notice_html(
                "There is no index yet. Run `rag build`, or run the DAG build_index in Airflow. This page needs no "
                "restart.",
                "warning",
            )
        )
    try:
        offline = services().settings.model_for("chat").startswith("offline/")
    except SettingError as error:
        st.html(notice_html(str(error), "error"))
    else:
        if offline:
            st.html(_OFFLINE.format(many=escape(noun().many)))


@st.fragment(run_every=5.0)
def _worker() -> None:
    if services().worker_is_down:
        st.html(notice_html(NO_WORKER, "warning"))


def _head(thread: Thread) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("New", icon=":material/add:", on_click=go_to, args=(None,), help="Start a new conversation")
        with st.popover("Share", icon=":material/link:"):
            readers = "Only you" if owner() else "Everyone who has this address and can reach this server"
            st.caption(f"{readers} can read this conversation:")
            st.code(
                f"{(st.context.url or '').split('?')[0].rstrip('/')}/?thread={thread.id}",
                language=None,
                wrap_lines=True,
            )


def _welcome(manifest: Manifest) -> None:
    counted = f"{noun().counted(len(manifest.essays))}, as of {manifest.logical_date:%-d %B %Y}"
    says = f"{counted}. Answers quote them, and every quotation is looked up."
    st.html(hero_html(services().settings.page_title, says))
    columns = st.columns(2)
    for i, question in enumerate(services().suggestions(manifest.version, _SUGGESTED)):
        columns[i % 2].button(
            label(question), key=f"suggestion-{i}", width="stretch", on_click=_suggest, args=(question,)
        )
    with st.popover(label(st.session_state.get(_CITY) or "Your city"), icon=":material/location_on:", type="tertiary"):
        st.text_input("Your city, for questions about the weather", key=_CITY, max_chars=100, persist_state="session")


def _related(turns: Sequence[Turn]) -> None:
    """Offer questions about the essays that the last answer cites."""
    answer = turns[-1].answer
    if answer is None or answer.status != "answered" or not answer.version:
        return
    cited = {citation.n or citation.found_in for citation in answer.citations}
    slugs = [source.chunk.slug for source in answer.sources if source.n in cited]
    asked = [text for turn in turns for text in (turn.question, turn.answer.asked if turn.answer else None) if text]
    for i, question in enumerate(services().related(answer.version, asked, slugs, _RELATED)):
        st.button(
            label(question), key=f"related-{i}", icon=":material/subdirectory_arrow_right:", type="tertiary",
            on_click=_suggest, args=(question, turns[-1]),
        )  # fmt: skip


def _suggest(question: str, of: Turn | None = None) -> None:
    st.session_state[_SUGGESTION] = _Suggested(question, of)


def _ask(question: str, where: Filter | None, thread: Thread | None) -> None:
    """Store a question and redraw the page. If the rate limit is reached, show the question to the reader again."""
    if wait_s := services().wait_s(client()):
        st.html(
            notice_html(
                f"Rate limit reached. Try again in {wait_s} s. Your question: {question}",
                "warning",
            )
        )
        return
    if where:
        services().narrowed(None, where)
    conversations = services().conversations
    city = None if thread else services().city(st.session_state.get(_CITY), st.context.ip_address)
    known = thread.id if thread else None
    turn = conversations.ask(known, owner(), question, turn_id=turn_id(question), where=where, city=city)
    discard_turn_id()
    go_to(turn.thread_id)
    st.rerun()


def _turn(turn: Turn, *, next_one: bool, last: bool) -> DeltaGenerator:
    """Draw a turn; return the container of its answer."""
    draw_question(turn)
    place = st.container()
    with place:
        if turn.answer:
            draw_answer(turn.answer)
            _feedback(turn, turn.answer, last=last)
        elif not next_one:
            st.caption("Waiting for the previous answer.")
    return place


def _feedback(turn: Turn, answer: Answer, *, last: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.feedback(
            "thumbs",
            key=f"rate-{turn.id}",
            default=_RATINGS.get(turn.feedback or 0),
            on_change=_rate,
            args=(turn.id, turn.comment),
        )
        with st.popover("Comment", icon=":material/edit_note:" if turn.comment else None, type="tertiary"):
            st.text_area(
                "What was good or wrong about this answer?",
                turn.comment,
                key=f"comment-{turn.id}",
                max_chars=LONGEST_QUESTION,
                on_change=_comment,
                args=(turn.id, turn.feedback),
            )
        if answer.text.strip():
            with st.popover("Copy", icon=":material/content_copy:", type="tertiary"):
                st.code(answer.text, language=None, wrap_lines=True)
        if last:
            with st.popover("Edit", icon=":material/edit:", type="tertiary"), st.form(f"edit-{turn.id}", border=False):
                edited = st.text_area("Question", turn.question, max_chars=LONGEST_QUESTION)
                if st.form_submit_button("Ask", icon=":material/send:") and edited.strip():
                    _suggest(edited, turn)
                    st.rerun()
        if answer.status in {"failed", "timed_out", "stopped"}:
            st.button(
                "Ask again",
                key=f"again-{turn.id}",
                icon=":material/replay:",
                type="tertiary",
                on_click=_suggest,
                args=(turn.question, turn),
            )


def _rate(turn: str, comment: str) -> None:
    thumb = st.session_state[f"rate-{turn}"]
    feedback = next((value for value, shown in _RATINGS.items() if shown == thumb), None)
    services().conversations.rate(turn, owner(), feedback, comment)


def _comment(turn: str, feedback: int | None) -> None:
    services().conversations.rate(turn, owner(), feedback, st.session_state[f"comment-{turn}"])


def _state(turns: Sequence[Turn]) -> list[tuple[str, bool]]:
    return [(turn.id, turn.answer is None) for turn in turns]


@st.fragment(run_every=_WATCH_S)
def _watch(thread: str, drawn: list[tuple[str, bool]]) -> None:
    """Redraw the page if another tab has asked a question."""
    try:
        now = _state(services().conversations.turns(thread, owner()))
    except UnknownThreadError:
        now = []
    if now != drawn:
        st.rerun()
