"""The pages and their addresses, for the menu and for links between pages."""

from __future__ import annotations

from typing import Literal

import streamlit as st

__all__ = ["Name", "page"]

Name = Literal["ask", "threads", "versions", "essay"]


def page(name: Name) -> st.Page:
    """Return a page."""
    # Imported here because the pages link to each other.
    from streamlit_app.app_pages.ask import ask
    from streamlit_app.app_pages.essay import essay
    from streamlit_app.app_pages.threads import threads
    from streamlit_app.app_pages.versions import versions

    match name:
        case "ask":
            return st.Page(ask, title="Ask", icon=":material/forum:", url_path="ask", default=True)
        case "threads":
            return st.Page(threads, title="Threads", icon=":material/history:", url_path="threads")
        case "versions":
            return st.Page(versions, title="Versions", icon=":material/stacks:", url_path="versions")
        case "essay":
            # Citations link to it.
            return st.Page(essay, title="Essay", icon=":material/menu_book:", url_path="essay", visibility="hidden")
