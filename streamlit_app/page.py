"""The frame of every page: title, style, navigation. Streamlit runs it anew at each click."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from streamlit_app.navigation import page
from streamlit_app.state import explained

__all__: list[str] = []

_HERE = Path(__file__).parent

# A file, because Streamlit has browsers load icons by name from elsewhere.
st.set_page_config(page_title="Ask the essays", page_icon=str(_HERE / "icon.svg"), layout="centered")
st.html(_HERE / "style.css")
chosen = st.navigation([page("ask"), page("threads"), page("versions"), page("essay")], position="top")
with explained():
    chosen.run()
