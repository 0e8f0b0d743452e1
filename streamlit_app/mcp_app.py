"""The server of the Model Context Protocol over HTTP: behind the page's guard, for clients with the API's keys.

`rag mcp --http` runs it.
"""

from __future__ import annotations

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from contextual_rag.logs import log_no_texts
from contextual_rag.mcp.server import create_server
from contextual_rag.settings import read_settings
from streamlit_app.api_access import admit, asker, bearer
from streamlit_app.api_errors import RefusedError, problem
from streamlit_app.guard import Guard
from streamlit_app.services import services

__all__ = ["create_app"]


class _Keyed:
    """Lets in clients that the API lets in, and keeps who they are with the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            try:
                request.state.asker = asker(request, await bearer(request))
            except RefusedError as refused:
                await problem(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def create_app() -> Starlette:
    """Return the server at /mcp, configured by the environment. Raises SettingError."""
    log_no_texts()
    settings = read_settings()
    server = create_server(services().world, admit=lambda request: admit(request, request.state.asker))
    # Each request stands alone, so that several processes can serve one client. The guard looks at hosts and origins.
    app = server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    app.add_middleware(_Keyed)
    app.add_middleware(Guard, settings)
    return app
