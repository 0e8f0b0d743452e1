"""The server: the page (Streamlit) and the API (FastAPI) in one process, as an ASGI app.

`rag page` runs it, as does `uvicorn --no-proxy-headers --factory streamlit_app.app:create_app`.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

from contextual_rag.errors import RagError
from contextual_rag.logs import log_no_texts
from contextual_rag.settings import read_settings
from streamlit_app.api import create_api
from streamlit_app.guard import Guard
from streamlit_app.login import login_secrets
from streamlit_app.metrics import Counted
from streamlit_app.render import notice_html
from streamlit_app.services import services

__all__ = ["create_app"]

_log = logging.getLogger(__name__)

_UNEXPECTED = "An unexpected error occurred. Reload the page. The server's log has the details."


def _own_scripts() -> str:
    """Return the digests of the scripts in Streamlit's own HTML, in the form of a Content-Security-Policy."""
    html = (Path(st.__file__).parent / "static" / "index.html").read_text()
    scripts = (after.partition("</script>")[0] for after in html.split("<script>")[1:])
    return " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)


# The page loads nothing from other sites, sends nothing to them, and cannot be framed, whatever text it shows.
# Streamlit needs inline styles.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        f"script-src 'self' {_own_scripts()}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class _Protected:
    """Sets the security headers of a page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[dict[str, Any] | None]:
    # The libraries of the stores take seconds to import; the first reader should not wait for them.
    Thread(target=_warm, daemon=True).start()
    yield None
    if services.cache_info().currsize:
        services().close()


def _warm() -> None:
    with suppress(RagError):
        services().current()
    with suppress(RagError):
        services().conversations.worker_seen_at()


def _explain(error: Exception) -> bool:
    """Tell the reader that a page failed; only the log says where."""
    _log.error("A page failed", exc_info=error)
    st.html(notice_html(_UNEXPECTED, "error"))
    return True


def create_app() -> st.App:
    """Return the server, configured by the environment. Raises SettingError."""
    log_no_texts()
    settings = read_settings()
    app = st.App(
        Path(__file__).with_name("page.py"),
        secrets=login_secrets(settings),
        lifespan=_lifespan,
        routes=[Mount("/api", create_api())],
        middleware=[Middleware(Counted), Middleware(_Protected), Middleware(Guard, settings)],
        on_script_error=_explain,
    )
    # Only now, since the first look at an option reads config.toml, which Streamlit finds beside the app's script.
    if settings.uploads:
        # In whole megabytes of 2**20 bytes; `guard` and `Shelf` know the limits to the byte.
        config.set_option("server.maxUploadSize", max(settings.max_file_bytes, settings.max_page_bytes) // 2**20 + 1)
    if settings.oidc_cookie_secret:
        # Streamlit signs the cookie of a login under way with a secret of each process, unless this is set: a reader
        # could not return from the provider to another page, or to this one after a restart.
        config.set_option("server.cookieSecret", settings.oidc_cookie_secret.get_secret_value())
    return app
