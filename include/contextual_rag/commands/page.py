"""The page and its API, served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contextual_rag.commands.console import err
from contextual_rag.settings import read_settings

__all__ = ["page"]

_ROOT = Path(__file__).parents[3]


def page(
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but loopback needs RAG_API_KEYS.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: RAG_PAGE_PORT.")] = None,
) -> None:
    """Serve the page that people ask on, and its API under /api, until Ctrl-C. `rag worker` answers."""
    import uvicorn

    settings = read_settings()
    port = settings.page_port if port is None else port
    err.print(f"the page: http://{host}:{port}   the API: http://{host}:{port}/api/docs", soft_wrap=True)
    # A reader who is being streamed to never leaves by himself; what he sees goes on in the worker.
    uvicorn.run(
        "streamlit_app.app:create_app",
        factory=True,
        app_dir=str(_ROOT),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
