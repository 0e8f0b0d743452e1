"""Turns as they are drawn: what was asked, what was answered, and an answer while it is being made."""

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

__all__ = ["answered", "asked_of", "followed", "followed_together"]

# Between two drawings, for readers see no more; and how long an event is waited for, so that a click is heard.
_DRAW_S: Final = 0.05
_HEAR_S: Final = 0.25
# How often it is asked whether there is a worker at all, where nothing comes.
_LOOK_S: Final = 2.0
_OVER: Final = object()


def asked_of(turn: Turn) -> None:
    """Draw a question."""
    with st.chat_message("user", avatar=":material/person:"):
        st.html(plain_html(turn.question))


def answered(answer: Answer) -> None:
    """Draw an answer with all that belongs to it."""
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        # One element for each answer, which a page of many turns draws at once.
        st.html(tools_html(answer.tools) + answer_html(answer) + sources_html(answer) + quiet_html(answer))


def followed(turn: Turn, owner: str | None) -> None:
    """Draw an answer as it comes, until it is over. A click or another question ends this and not the answer."""
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        place = st.empty()
        _stop(turn, owner)
    for _ in _drawn(turn, owner, place):
        pass


def followed_together(turns: Sequence[tuple[Turn, DeltaGenerator]], owner: str | None) -> None:
    """Draw several answers side by side, each in its column, until all are over."""
    drawings = []
    for turn, column in turns:
        with column, st.chat_message("assistant", avatar=":material/menu_book:"):
            place = st.empty()
            _stop(turn, owner)
        drawings.append(_drawn(turn, owner, place, hear_s=_HEAR_S / len(turns)))
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


def _drawn(turn: Turn, owner: str | None, place: DeltaGenerator, *, hear_s: float = _HEAR_S) -> Iterator[None]:
    """Draw an answer as it comes; yield at each event, and at the latest when none came for so long."""
    progress, drawn_at, looked_at, alone = Progress(), 0.0, 0.0, False
    for event in services().conversations.follow(turn.id, owner, wait_s=hear_s):
        now = time.monotonic()
        if event is not None:
            progress, alone = progress.with_(event), False
        elif now - looked_at >= _LOOK_S:
            alone, looked_at = services().worker_is_down, now
        if event is None or now - drawn_at >= _DRAW_S:
            place.html(progress_html(progress, alone=alone))
            drawn_at = now
        yield
