"""The command `rag page`."""

from __future__ import annotations

from typing import Annotated

import typer

from contextual_rag.commands.console import err
from contextual_rag.settings import PROJECT, read_settings

__all__ = ["page"]


def page(
    host: Annotated[
        str, typer.Option(help="The address to listen on. All except loopback need RAG_API_KEYS.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: RAG_PAGE_PORT.")] = None,
) -> None:
    """Serve the web page, and its API under /api, until Ctrl-C. `rag worker` answers the questions."""
    import uvicorn

    settings = read_settings()
    port = settings.page_port if port is None else port
    err.print(f"the page: http://{host}:{port}   the API: http://{host}:{port}/api/docs", soft_wrap=True)
    # Streams to readers would keep the server open; their answers continue in the worker.
    uvicorn.run(
        "streamlit_app.app:create_app",
        factory=True,
        app_dir=str(PROJECT),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
