"""Draws turns: questions, finished answers, and answers in progress."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from contextual_rag.conversation.model import Answer, Turn
from contextual_rag.conversation.progress import Progress
from streamlit_app.answers import answer_html, progress_html, quiet_html, sources_html, tools_html
from streamlit_app.render import plain_html
from streamlit_app.services import services

__all__ = ["draw_answer", "draw_live_answer", "draw_live_answers", "draw_question"]

# The shortest time between two drawings, and the longest wait for an event, after which a click takes effect.
_DRAW_S: Final = 0.05
_WAIT_S: Final = 0.25
# How often to check whether a worker is running while no events arrive.
_CHECK_S: Final = 2.0
_OVER: Final = object()


def draw_question(turn: Turn) -> None:
    """Draw a question."""
    with st.chat_message("user", avatar=":material/person:"):
        st.html(plain_html(turn.question))


def draw_answer(answer: Answer) -> None:
    """Draw a finished answer with its tools, sources and figures."""
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        # One element per answer, so that a page of many turns is drawn quickly.
        st.html(tools_html(answer.tools) + answer_html(answer) + sources_html(answer) + quiet_html(answer))


def draw_live_answer(turn: Turn, owner: str | None) -> None:
    """Draw an answer while it arrives, until it is over. A click ends the drawing, not the answer."""
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        place = st.empty()
        _stop(turn, owner)
    for _ in _drawn(turn, owner, place):
        pass


def draw_live_answers(turns: Sequence[tuple[Turn, DeltaGenerator]], owner: str | None) -> None:
    """Draw several answers side by side, each in its column, until all are over."""
    drawings = []
    for turn, column in turns:
        with column, st.chat_message("assistant", avatar=":material/menu_book:"):
            place = st.empty()
            _stop(turn, owner)
        drawings.append(_drawn(turn, owner, place, wait_s=_WAIT_S / len(turns)))
    while drawings:
        drawings = [drawing for drawing in drawings if next(drawing, _OVER) is not _OVER]


def _stop(turn: Turn, owner: str | None) -> None:
    st.button(
        "Stopping…" if turn.stopping else "Stop",
        key=f"stop-{turn.id}",
        icon=":material/stop_circle:",
        disabled=turn.stopping,
        on_click=services().conversations.stop,
        args=(turn.id, owner),
    )


def _drawn(turn: Turn, owner: str | None, place: DeltaGenerator, *, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Draw an answer while it arrives; yield at each event, and after each `wait_s` without one."""
    progress, drawn_at, checked_at, worker_is_down = Progress(), 0.0, 0.0, False
    for event in services().conversations.follow(turn.id, owner, wait_s=wait_s):
        now = time.monotonic()
        if event is not None:
            progress, worker_is_down = progress.after(event), False
        elif now - checked_at >= _CHECK_S:
            worker_is_down, checked_at = services().worker_is_down, now
        if event is None or now - drawn_at >= _DRAW_S:
            place.html(progress_html(progress, worker_is_down=worker_is_down))
            drawn_at = now
        yield
