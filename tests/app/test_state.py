"""The state of a page between two clicks."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _asks() -> None:
    import streamlit as st

    from streamlit_app.state import discard_turn_id, turn_id

    for question in ("Who?", "Who?", "And why?"):
        st.text(turn_id(question))
    discard_turn_id()
    st.text(turn_id("Who?"))


def test_a_question_keeps_its_id_until_it_is_asked_and_another_one_has_another() -> None:
    once, again, other, later = (text.value for text in AppTest.from_function(_asks).run().text)
    assert once == again
    assert len({once, other, later}) == 3
