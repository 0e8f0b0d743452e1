"""The frame of every page: title, style, navigation. Streamlit runs this file again at each click."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from streamlit_app.app_pages.ask import ask_page
from streamlit_app.app_pages.essay import essay_page
from streamlit_app.app_pages.essays import essays_page
from streamlit_app.app_pages.threads import threads_page
from streamlit_app.app_pages.uploads import uploads_page
from streamlit_app.app_pages.versions import versions_page
from streamlit_app.login import logged_in
from streamlit_app.render import label
from streamlit_app.services import services
from streamlit_app.state import errors_shown

__all__: list[str] = []

_HERE = Path(__file__).parent

settings = services().settings
# The icon is a file because Streamlit loads named icons from another site.
st.set_page_config(page_title=settings.page_title, page_icon=str(_HERE / "icon.svg"), layout="centered")
st.html(_HERE / "style.css")
added = [uploads_page()] if settings.uploads else []
pages = [ask_page(), essays_page(), *added, threads_page(), versions_page(), essay_page()]
chosen = st.navigation(pages, position="top")
needs_login = settings.auth == "oidc"
if not needs_login or logged_in(settings.page_title):
    with errors_shown():
        chosen.run()
    if needs_login:
        with st.sidebar:
            st.caption(label(str(st.user.get("name") or st.user.get("email") or "Logged in")))
            st.button("Log out", icon=":material/logout:", on_click=st.logout)
