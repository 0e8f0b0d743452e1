"""Keeps web pages away from a server on the loopback address.

A browser lets every page that is open on this machine send requests to this machine's own ports. It says so in the
request: by an Origin, by Sec-Fetch-Site, or, if the page has pointed its own name to this address (DNS rebinding), by a
Host that is not ours. Programs send none of these.

This file runs in the object store's environment too, so it imports nothing but the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["App", "NoWebPages", "Receive", "Scope", "Send", "answer"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Whatever the port: a browser always names the one that it asks, and a tunnel or a proxy has another.
_HOST = re.compile(rb"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
_READ = {"GET", "HEAD"}


class NoWebPages:
    """An ASGI application that answers 403 to requests of web pages, and has no WebSockets.

    With `readable`, a person may still read it in a browser: follow a link to it, and see what its own pages load.
    """

    def __init__(self, app: App, *, readable: bool = False) -> None:
        self._app = app
        self._readable = readable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif why := self._refusal(scope):
            await answer(send, 403, f"Refused: {why}.\n".encode(), b"text/plain")
        else:
            await self._app(scope, receive, _without_cors(send))

    def _refusal(self, scope: Scope) -> str | None:
        """Return what tells that a web page sent the request, or None."""
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0].lower()):
            return "its Host is not this server"
        if _values(scope, b"origin"):
            return "it has an Origin, so a web page sent it"
        sites = {*_values(scope, b"sec-fetch-site")} - {b"none"}
        if not sites or (self._readable and scope["method"] in _READ and _is_read(scope, sites)):
            return None
        return "its Sec-Fetch-Site says that a web page sent it"


def _values(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]


def _is_read(scope: Scope, sites: set[bytes]) -> bool:
    return sites == {b"same-origin"} or _values(scope, b"sec-fetch-mode") == [b"navigate"]


def _without_cors(send: Send) -> Send:
    async def sent(message: Scope) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            message["headers"] = [one for one in headers if not one[0].lower().startswith(b"access-control-")]
        await send(message)

    return sent


async def answer(send: Send, status: int, body: bytes, media_type: bytes) -> None:
    """Send a whole answer."""
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
