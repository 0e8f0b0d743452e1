"""The first thing that each request and each WebSocket meets, before anything of it is read.

Any web page may let its reader's browser send requests to this machine, and read the answers under a name of its own
that it lets point here (DNS rebinding). Without login, that is all it would need. So

    Host     without login, must be this machine's name and the server's port, or the public address
    Origin   must be that of the page itself, if a browser sends it; the same for Sec-Fetch-Site
    POST     in the API, must have what no page can send elsewhere without asking: a body declared as JSON, or a key
    body     may have some kilobytes, whatever it declares, and JSON is in UTF-8; a file that is uploaded declares its
             length, and goes on unread to what knows who sends it

The public address is RAG_PAGE_URL. Behind proxies, RAG_TRUSTED_PROXIES says whose address a client's is.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from contextual_rag.hosts import is_loopback
from contextual_rag.settings import Settings
from streamlit_app.api_errors import RefusedError, problem, unknown_address

__all__ = ["FILES_AT_ONCE", "LARGEST_BODY", "Guard", "may_upload"]

# In bytes. The longest question takes 24,000, if each of its characters is written as two escapes.
LARGEST_BODY: Final = 100_000

# How many files a tab may send each time that the page is drawn, and how many tabs are known.
FILES_AT_ONCE: Final = 10
_MOST_TABS: Final = 10_000
# What stands around a file in a form.
_FRAME: Final = 10_000

_API: Final = "/api/"
_UPLOADS: Final = "/api/uploads"
# Where Streamlit takes the files of a tab, which it keeps in memory.
_OF_TAB: Final = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+")
_FOR_PEOPLE: Final = "/api/docs"
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
# Starlette's patterns do not match it, or Streamlit refuses it: the page would answer instead of the API.
_ODD_PATH: Final = re.compile(r"[\0-\x1f\\]|/\.\.(?:/|$)")
_PORTS: Final = {"http": 80, "https": 443}
_SECURE: Final = {"https", "wss"}
_OWN_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")

# Scheme, name, port.
_Origin = tuple[str, str, int]


_uploading: dict[str, int] = {}


def may_upload(tab: str) -> None:
    """Let a tab, by Streamlit's id of its session, send some files: whoever it belongs to sees the page for it."""
    _uploading.pop(tab, None)
    _uploading[tab] = FILES_AT_ONCE
    while len(_uploading) > _MOST_TABS:
        _uploading.pop(next(iter(_uploading)), None)


class Guard:
    """Refuses requests as described above."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._open = settings.auth == "open"
        self._proxies = settings.trusted_proxies
        self._largest = max(settings.max_file_bytes, settings.max_page_bytes) if settings.uploads else None
        self._public = _named(settings.page_url or "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_sender(scope, headers)
            if scope["type"] == "http":
                _check_form(scope, headers)
                if self._largest is None or not _is_upload(scope):
                    receive = await _read(headers, receive)
                else:
                    _check_length(headers, self._largest)
                    _check_tab(scope)
        except RefusedError as refused:
            response = WebSocketClose(code=1008) if scope["type"] == "websocket" else problem(refused)
            await response(scope, receive, send)
        else:
            await self._app(self._with_client(scope, headers), receive, send)

    def _check_sender(self, scope: Scope, headers: Headers) -> None:
        hosts = headers.getlist("host")
        own = self._own(scope, hosts)
        if not own:
            raise RefusedError(
                "This server does not answer under this name. Without login, it answers to names of this machine, with "
                "its own port. If people open the page under another address, set RAG_PAGE_URL to it.",
                403,
                code="request_host",
            )
        foreign = any(_origin(*_parts(origin)) not in own for origin in headers.getlist("origin"))
        elsewhere = {*headers.getlist("sec-fetch-site")} - {"none", "same-origin"}
        if foreign or (elsewhere and not _is_link(scope, headers)):
            raise RefusedError("This server does not answer requests of other web pages.", 403, code="request_origin")

    def _own(self, scope: Scope, hosts: list[str]) -> set[_Origin]:
        """Return the origins of the page for a request to these hosts; none if it may not be answered."""
        if len(hosts) != 1:
            return set()
        scheme = "https" if scope["scheme"] in _SECURE else "http"
        named = _origin(scheme, hosts[0])
        if not self._open:
            # Whoever cannot log in sees nothing, under any name.
            return {named} | self._public if named else set()
        address, port = scope.get("server") or ("", None)
        here: set[_Origin] = set()
        if is_loopback(address) and port:
            names = (*_OWN_NAMES, f"[{address}]" if ":" in address else address)
            here = {(scheme, name, port) for name in names}
        under_public = {_origin(public[0], hosts[0]) for public in self._public} & self._public
        return here | self._public if named in here or under_public else set()

    def _with_client(self, scope: Scope, headers: Headers) -> Scope:
        """Return a scope with the client's address as the trusted proxies give it: each adds one at the end."""
        added = ",".join(headers.getlist("x-forwarded-for")).split(",")
        if not 0 < self._proxies <= len(added):
            return scope
        try:
            return {**scope, "client": (str(ip_address(added[-self._proxies].strip())), 0)}
        except ValueError:
            return scope


def _parts(url: str) -> tuple[str, str]:
    """Return scheme, and host with port, of a URL or an origin."""
    scheme, _, rest = url.partition("://")
    return scheme, rest.partition("/")[0]


def _named(url: str) -> set[_Origin]:
    """Return the origins of a public address: several if it is this machine, as behind a proxy or through a tunnel."""
    found = _origin(*_parts(url))
    if found is None:
        return set()
    scheme, name, port = found
    return {(scheme, one, port) for one in (_OWN_NAMES if name in _OWN_NAMES else (name,))}


def _origin(scheme: str, authority: str) -> _Origin | None:
    found = _AUTHORITY.fullmatch(authority)
    if not found or scheme not in _PORTS:
        return None
    return scheme, found[1].lower(), int(found[2] or _PORTS[scheme])


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether somebody followed a link to a page, as a browser says it. Links into the API lead to its docs only."""
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return False
    to_page = scope["path"] == _FOR_PEOPLE or not f"{scope['path']}/".startswith(_API)
    return to_page and (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")


def _check_form(scope: Scope, headers: Headers) -> None:
    if not scope["path"].startswith(_API):
        return
    if _ODD_PATH.search(scope["path"]):
        raise unknown_address()
    if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        return
    right = "application/octet-stream" if _is_upload(scope) else "application/json"
    declared = _kind(headers) == right
    # Other methods and a key always make a browser ask first.
    may_be_empty = not headers.get("content-type") and (scope["method"] != "POST" or "authorization" in headers)
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if not declared and (has_body or not may_be_empty):
        raise RefusedError(f"Send `Content-Type: {right}`.", 415, code="request_content_type")


def _is_upload(scope: Scope) -> bool:
    """Whether the body of a request is a file, in the API or of a tab."""
    in_api = scope["method"] == "POST" and scope["path"] == _UPLOADS
    return in_api or (scope["method"] == "PUT" and _OF_TAB.fullmatch(scope["path"]) is not None)


def _check_length(headers: Headers, largest: int) -> None:
    """Raise RefusedError unless a file declares a length that is allowed; the server reads no more than that."""
    declared = headers.get("content-length", "")
    if not declared.isdecimal() or "transfer-encoding" in headers:
        raise RefusedError("Send the length of the file as `Content-Length`.", 411, code="request_size")
    if len(declared) > len(str(largest)) + 1 or int(declared) > largest + _FRAME:
        raise RefusedError(f"The file has more than {largest:,} bytes.", 413, code="request_size")


def _check_tab(scope: Scope) -> None:
    """Count a file of a tab. Raises RefusedError if the tab does not show the page for it, or sent too many."""
    if not (of_tab := _OF_TAB.fullmatch(scope["path"])):
        return
    left = _uploading.get(of_tab[1], 0)
    if not left:
        raise RefusedError("This tab may not send files now. Reload the page.", 403, code="request_uploads")
    _uploading[of_tab[1]] = left - 1


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_utf8(body: bytearray) -> bool:
    """Whether JSON is in the one encoding that RFC 8259 allows. Python's reader would guess UTF-16 and UTF-32, too."""
    try:
        return "\0" not in body.decode()
    except UnicodeDecodeError:
        return False


async def _read(headers: Headers, receive: Receive) -> Receive:
    """Read a body that is small enough and, if JSON, in UTF-8; return what gives it again. Raises RefusedError."""
    too_large = RefusedError(f"The body has more than {LARGEST_BODY:,} bytes.", 413, code="request_size")
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and (len(declared) > len(str(LARGEST_BODY)) or int(declared) > LARGEST_BODY):
        raise too_large
    body, message = bytearray(), None
    while message is None or message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise too_large
    if _kind(headers) == "application/json" and not _is_utf8(body):
        raise RefusedError("Invalid request. body: JSON must be in UTF-8.", 422, code="request_invalid")
    waiting = [{**message, "body": bytes(body)}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
