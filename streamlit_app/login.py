"""Login with an OpenID Connect provider."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import streamlit as st

from contextual_rag.errors import SettingError
from contextual_rag.settings import Settings
from streamlit_app.render import hero_html

__all__ = ["logged_in", "login_secrets", "person"]


def login_secrets(settings: Settings) -> dict[str, Any] | None:
    """Return the secrets that Streamlit's login reads, or None if login is off. Raises SettingError."""
    if settings.auth == "open":
        return None
    given = {
        "server_metadata_url": ("RAG_OIDC_METADATA_URL", settings.oidc_metadata_url),
        "client_id": ("RAG_OIDC_CLIENT_ID", settings.oidc_client_id),
        "client_secret": ("RAG_OIDC_CLIENT_SECRET", settings.oidc_client_secret),
        "cookie_secret": ("RAG_OIDC_COOKIE_SECRET", settings.oidc_cookie_secret),
    }
    if missing := [name for name, value in given.values() if not value]:
        raise SettingError(f"RAG_AUTH=oidc also requires {', '.join(missing)}. Set them in the environment or .env.")
    page_url = settings.page_url or f"http://127.0.0.1:{settings.page_port}"
    values = {key: getattr(value, "get_secret_value", lambda value=value: value)() for key, (_, value) in given.items()}
    return {"auth": {**values, "redirect_uri": f"{page_url.rstrip('/')}/oauth2callback"}}


def person() -> str:
    """Return an id of the person who logged in. A subject is unique only within its provider."""
    user = st.user
    return "oidc:" + sha256(f"{user.get('iss')} {user['sub']}".encode()).hexdigest()[:32]


def logged_in(site_name: str) -> bool:
    """Whether the reader has logged in; if not, draw the login button."""
    if st.user.is_logged_in:
        return True
    st.html(hero_html(site_name, "Log in to see your conversations."))
    with st.container(horizontal_alignment="center"):
        st.button("Log in", icon=":material/login:", type="primary", on_click=st.login)
    return False
