"""The frame of every page: title, style, navigation. Streamlit runs it anew at each click."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from streamlit_app.login import logged_in
from streamlit_app.navigation import page
from streamlit_app.render import label
from streamlit_app.services import services
from streamlit_app.state import explained

__all__: list[str] = []

_HERE = Path(__file__).parent

# A file, because Streamlit has browsers load icons by name from elsewhere.
st.set_page_config(page_title="Ask the essays", page_icon=str(_HERE / "icon.svg"), layout="centered")
st.html(_HERE / "style.css")
chosen = st.navigation([page("ask"), page("threads"), page("versions"), page("essay")], position="top")
closed = services().settings.auth == "oidc"
if not closed or logged_in():
    with explained():
        chosen.run()
    if closed:
        with st.sidebar:
            st.caption(label(str(st.user.get("name") or st.user.get("email") or "Logged in")))
            st.button("Log out", icon=":material/logout:", on_click=st.logout)
