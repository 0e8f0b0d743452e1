"""The command `rag page`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer

from contextual_rag.commands.console import err
from contextual_rag.errors import SettingError
from contextual_rag.extras import needs
from contextual_rag.hosts import is_loopback
from contextual_rag.settings import PROJECT, Settings, read_settings

__all__ = ["check_listening", "page", "serve"]

# In bytes; what a browser sends of this page has a few thousand.
_LARGEST_MESSAGE = 1_000_000


def page(
    host: Annotated[
        str, typer.Option(help="The address to listen on. All except loopback need RAG_AUTH=oidc.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: RAG_PAGE_PORT.")] = None,
) -> None:
    """Serve the web page, and its API under /api, until Ctrl-C. `rag worker` answers the questions."""
    needs("page")
    settings = read_settings()
    port = settings.page_port if port is None else port
    says = f"the page: http://{host}:{port}   the API: http://{host}:{port}/api/docs"
    serve("streamlit_app.app:create_app", host, port, settings, says)


def serve(app: str, host: str, port: int, settings: Settings, says: str) -> None:
    """Say where a factory's app is served, and serve it until Ctrl-C. Raises SettingError as `check_listening` does."""
    import uvicorn

    check_listening(host, settings)
    err.print(says, soft_wrap=True)
    # Streams to readers would keep the server open; their answers continue in the worker.
    uvicorn.run(
        app,
        factory=True,
        app_dir=str(PROJECT),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
        # Only as many proxies are believed as RAG_TRUSTED_PROXIES says: see streamlit_app.guard.
        proxy_headers=False,
        ws_max_size=_LARGEST_MESSAGE,
    )


def check_listening(host: str, settings: Settings) -> None:
    """Raise SettingError if the page would listen to other machines without login.

    It may if only a proxy reaches it, which people reach from this machine alone: so it is in docker-compose.yaml.
    """
    public = urlsplit(settings.page_url or "").hostname or ""
    behind_a_proxy = settings.trusted_proxies > 0 and is_loopback(public)
    if settings.auth == "open" and not is_loopback(host) and not behind_a_proxy:
        raise SettingError(
            f"--host {host!r} lets other machines read all conversations, because the page has no login. Set "
            "RAG_AUTH=oidc (docs/page.md), or listen on 127.0.0.1. If only a proxy on this machine can reach the page, "
            "set RAG_TRUSTED_PROXIES, and RAG_PAGE_URL to the proxy's address on loopback.",
            code="setting_login",
        )
