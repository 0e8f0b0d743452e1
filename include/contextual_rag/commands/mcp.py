"""The command `rag mcp`."""

from __future__ import annotations

from typing import Annotated

import typer

from contextual_rag.commands.page import serve
from contextual_rag.extras import needs
from contextual_rag.face import connect
from contextual_rag.logs import log_no_texts
from contextual_rag.settings import read_settings

__all__ = ["mcp"]


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP, for clients with the API's keys.")] = False,
    host: Annotated[
        str, typer.Option(help="The address to listen on. All except loopback need RAG_AUTH=oidc.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: RAG_MCP_PORT.")] = None,
) -> None:
    """Serve the documents to assistants, by the Model Context Protocol: on standard input and output, or over HTTP."""
    needs("mcp")
    if not http:
        from contextual_rag.mcp.server import create_server

        log_no_texts()
        # Standard output belongs to the protocol; the library sends all else that is printed to standard error.
        create_server(connect()).run("stdio")
        return
    needs("page")
    settings = read_settings()
    port = settings.mcp_port if port is None else port
    says = f"Model Context Protocol: http://{host}:{port}/mcp"
    serve("streamlit_app.mcp_app:create_app", host, port, settings, says)
