"""Ask: a conversation, answered in the open, which goes on wherever it is opened again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from contextual_rag.conversation.model import LONGEST_QUESTION, Answer, Thread, Turn
from contextual_rag.errors import UnknownThreadError
from contextual_rag.versions.records import Manifest
from streamlit_app.answers import NO_WORKER
from streamlit_app.live import answered, asked_of, followed
from streamlit_app.render import label, notice_html
from streamlit_app.services import services
from streamlit_app.state import client, go_to, owner, standing, thread_id, turn_id, used

__all__ = ["ask"]

_SUGGESTED: Final = 4
_WATCH_S: Final = 1.0
_SUGGESTION: Final = "suggestion"
_CITY: Final = "city"
_OFFLINE: Final = (
    '<p class="offline"><b>Offline mode.</b> Answers are the essays\' own sentences, found and quoted without a '
    "language model. With TOGETHER_API_KEY set, a model writes them.</p>"
)
_RATINGS: Final = {1: 1, -1: 0}


def ask() -> None:
    """Draw the conversation that the address names, or the beginning of one."""
    manifest, problem = standing()
    _say_what_is_wrong(manifest, problem)
    try:
        thread = services().conversations.thread(name, owner()) if (name := thread_id()) else None
    except UnknownThreadError:
        st.html(notice_html("There is no such conversation here: it was deleted, or it is somebody else's.", "warning"))
        st.button("Begin a new one", icon=":material/add:", on_click=go_to, args=(None,))
        return
    turns = services().conversations.turns(thread.id, owner()) if thread else []
    waiting = [turn for turn in turns if turn.answer is None]
    # Each part has its place whatever is drawn in it: Streamlit tells what is new from what stays by its position.
    with st.container():
        if not waiting:
            _worker()
    # What stood here is taken away at once: left to Streamlit, it would stay until the answer is whole.
    welcome = st.empty()
    if thread and turns:
        _head(thread)
    elif manifest:
        with welcome.container():
            _welcome(manifest)
    places = {turn.id: _turn(turn, next_one=turn in waiting[:1]) for turn in turns}
    written = st.chat_input("Ask the essays", max_chars=LONGEST_QUESTION, key="question")
    if question := written or st.session_state.pop(_SUGGESTION, None):
        _ask(question, thread)
    if waiting:
        with places[waiting[0].id]:
            followed(waiting[0], owner())
        st.rerun()
    if thread:
        _watch(thread.id, _state(turns))


def _say_what_is_wrong(manifest: Manifest | None, problem: str | None) -> None:
    if problem:
        st.html(notice_html(f"The essays cannot be reached. {problem}", "error"))
    elif manifest is None:
        st.html(
            notice_html(
                "There is no index of the essays yet. Make one with `rag build`, or run the DAG build_index in "
                "Airflow; this page needs no restart.",
                "warning",
            )
        )
    if services().settings.model_for("chat").startswith("offline/"):
        st.html(_OFFLINE)


@st.fragment(run_every=5.0)
def _worker() -> None:
    if services().worker_is_down:
        st.html(notice_html(NO_WORKER, "warning"))


def _head(thread: Thread) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("New", icon=":material/add:", on_click=go_to, args=(None,), help="Begin a new conversation")
        with st.popover("Share", icon=":material/link:"):
            whose = "you, wherever you log in" if owner() else "everyone who has this address and can reach this server"
            st.caption(f"This conversation can be read by {whose}:")
            st.code(
                f"{(st.context.url or '').split('?')[0].rstrip('/')}/?thread={thread.id}",
                language=None,
                wrap_lines=True,
            )


def _welcome(manifest: Manifest) -> None:
    essays = len(manifest.essays)
    st.html(
        f'<div class="hero"><h1>Ask the essays</h1><p>{essays} essay{"s" * (essays != 1)}, as of '
        f"{manifest.logical_date:%-d %B %Y}. Every claim is quoted, and every quotation checked.</p></div>"
    )
    columns = st.columns(2)
    for i, question in enumerate(services().suggestions(manifest.version, _SUGGESTED)):
        columns[i % 2].button(
            label(question), key=f"suggestion-{i}", width="stretch", on_click=_suggest, args=(question,)
        )
    with st.popover(label(st.session_state.get(_CITY) or "Your city"), icon=":material/location_on:", type="tertiary"):
        st.text_input(
            "Where you are, for questions about the weather", key=_CITY, max_chars=100, persist_state="session"
        )


def _suggest(question: str) -> None:
    st.session_state[_SUGGESTION] = question


def _ask(question: str, thread: Thread | None) -> None:
    """Store a question, and draw the page with it. One too many is given back to the reader."""
    if wait_s := services().allowance.take(client()):
        st.html(
            notice_html(
                f"That was one question too many for a minute; ask again in {wait_s} s. You had asked: {question}",
                "warning",
            )
        )
        return
    conversations = services().conversations
    thread = thread or services().start_thread(owner(), city=st.session_state.get(_CITY), address=st.context.ip_address)
    conversations.ask(thread.id, owner(), question, turn_id=turn_id())
    used()
    go_to(thread.id)
    st.rerun()


def _turn(turn: Turn, *, next_one: bool) -> DeltaGenerator:
    """Draw a turn as far as it is known; return the place of its answer."""
    asked_of(turn)
    place = st.container()
    with place:
        if turn.answer:
            answered(turn.answer)
            _opinion(turn, turn.answer)
        elif not next_one:
            st.caption("Waits for the answer before it.")
    return place


def _opinion(turn: Turn, answer: Answer) -> None:
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
        if answer.status in {"failed", "timed_out", "stopped"}:
            st.button(
                "Ask again",
                key=f"again-{turn.id}",
                icon=":material/replay:",
                type="tertiary",
                on_click=_suggest,
                args=(turn.question,),
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
    """Draw the page again where another tab has asked meanwhile."""
    try:
        now = _state(services().conversations.turns(thread, owner()))
    except UnknownThreadError:
        now = []
    if now != drawn:
        st.rerun()
