"""Requests of other web pages, of other machines, and of programs that send too much or in a wrong form."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from contextual_rag.embedded.loopback import answers, free_port
from contextual_rag.settings import read_settings
from streamlit_app.guard import LARGEST_BODY, Guard
from tests.awaited import run
from tests.conversing import Process, until

JSON = {"Content-Type": "application/json"}
KEY = {"Authorization": "Bearer a-key-of-sixteen-or-more"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ELSEWHERE = "https://elsewhere.example"
PER_MINUTE = 30


class Sent(NamedTuple):
    """What came back."""

    status: int
    code: str | None


class Server(NamedTuple):
    """`rag page` without stores, keys or login."""

    port: int

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | Iterator[bytes] = b""
    ) -> Sent:
        """Send exactly these headers; `PORT` in them is the server's."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = {"Host": "127.0.0.1:PORT", **(headers or {})}
        if not isinstance(body, bytes):
            given["Transfer-Encoding"] = "chunked"
        elif body:
            given.setdefault("Content-Length", str(len(body)))
        for name, value in given.items():
            if value:
                connection.putheader(name, value.replace("PORT", str(self.port)))
        connection.endheaders(body or None, encode_chunked="Transfer-Encoding" in given)
        response = connection.getresponse()
        is_json = response.headers.get_content_type() == "application/json"
        found: Any = json.loads(response.read()) if is_json else {}
        connection.close()
        return Sent(response.status, found.get("code") if isinstance(found, dict) else None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, which answers without anything else running."""
    folder = tmp_path_factory.mktemp("page")
    port = free_port()
    environment = {
        "RAG_DATA_DIR": str(folder / "data"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "RAG_QUESTIONS_PER_MINUTE": str(PER_MINUTE),
    }
    page = Process(["page", "--port", str(port)], environment, folder / "page.log")
    page.start()
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/api/health"), "the page", page)
        yield Server(port)
    finally:
        page.kill(signal.SIGTERM)


# What a page of another origin, or a page that lets its own name point to this machine, can send.
HOSTILE: dict[str, tuple[str, str, dict[str, str], str]] = {
    "page by rebinding": ("GET", "/", {"Host": "elsewhere.example:PORT"}, "host"),
    "page under its address in a name": ("GET", "/", {"Host": "127.0.0.1.elsewhere.example:PORT"}, "host"),
    "page under a name that begins like ours": ("GET", "/", {"Host": "localhost.elsewhere.example:PORT"}, "host"),
    "page under a name that ends like ours": ("GET", "/", {"Host": "elsewhere-localhost:PORT"}, "host"),
    "page under another port": ("GET", "/", {"Host": "127.0.0.1:1"}, "host"),
    "page under no port": ("GET", "/", {"Host": "127.0.0.1"}, "host"),
    "page under another address": ("GET", "/", {"Host": "192.0.2.7:PORT"}, "host"),
    "page under all addresses": ("GET", "/", {"Host": "0.0.0.0:PORT"}, "host"),
    "page under a user's name": ("GET", "/", {"Host": "127.0.0.1:PORT@elsewhere.example"}, "host"),
    "page under two names": ("GET", "/", {"Host": "127.0.0.1:PORT, elsewhere.example"}, "host"),
    "page under a forwarded name": ("GET", "/", {"Host": "elsewhere.example", "X-Forwarded-Host": "127.0.0.1"}, "host"),
    "websocket by rebinding": (
        "GET",
        "/_stcore/stream",
        {**UPGRADE, "Host": "elsewhere.example:PORT", "Origin": "http://elsewhere.example:PORT"},
        "",
    ),
    "websocket of another site": ("GET", "/_stcore/stream", {**UPGRADE, "Origin": ELSEWHERE}, ""),
    "websocket of another port": ("GET", "/_stcore/stream", {**UPGRADE, "Origin": "http://127.0.0.1:3000"}, ""),
    "websocket of another port by name": ("GET", "/_stcore/stream", {**UPGRADE, "Origin": "http://localhost:1"}, ""),
    "websocket of another scheme": ("GET", "/_stcore/stream", {**UPGRADE, "Origin": "https://127.0.0.1:PORT"}, ""),
    "websocket of a sandbox": ("GET", "/_stcore/stream", {**UPGRADE, "Origin": "null"}, ""),
    "websocket of an extension": ("GET", "/_stcore/stream", {**UPGRADE, "Origin": "chrome-extension://abc"}, ""),
    "websocket across sites": ("GET", "/_stcore/stream", {**UPGRADE, "Sec-Fetch-Site": "cross-site"}, ""),
    "websocket at another path": ("GET", "/elsewhere", {**UPGRADE, "Origin": ELSEWHERE}, ""),
    "health by rebinding": ("GET", "/_stcore/health", {"Host": "elsewhere.example"}, "host"),
    "host configuration of another site": ("GET", "/_stcore/host-config", {"Origin": ELSEWHERE}, "origin"),
    "upload of another site": ("PUT", "/_stcore/upload_file/a/b", {"Origin": ELSEWHERE}, "origin"),
    "upload's preflight": ("OPTIONS", "/_stcore/upload_file/a/b", {"Origin": ELSEWHERE}, "origin"),
    "media by rebinding": ("GET", "/media/abc.png", {"Host": "elsewhere.example:PORT"}, "host"),
    "media as an image elsewhere": ("GET", "/media/abc.png", {"Sec-Fetch-Site": "cross-site"}, "origin"),
    "component of another site": ("GET", "/component/a/b", {"Origin": ELSEWHERE}, "origin"),
    "agent of another site": ("POST", "/_stcore/agent/interact", {**JSON, "Origin": ELSEWHERE}, "origin"),
    "page in a frame": ("GET", "/", LINK | {"Sec-Fetch-Dest": "iframe"}, "origin"),
    "page as a script": ("GET", "/", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, "origin"),
    "page by a form": ("POST", "/", LINK, "origin"),
    "API by rebinding": ("GET", "/api/threads", {"Host": "elsewhere.example:PORT"}, "host"),
    "API of another site": ("GET", "/api/threads", {"Origin": ELSEWHERE}, "origin"),
    "API of another port": ("GET", "/api/threads", {"Origin": "http://127.0.0.1:8080"}, "origin"),
    "API's preflight": (
        "OPTIONS",
        "/api/threads",
        {"Origin": ELSEWHERE, "Access-Control-Request-Method": "DELETE"},
        "origin",
    ),
    "search as an image elsewhere": ("GET", "/api/search?q=x", {"Sec-Fetch-Site": "cross-site"}, "origin"),
    "search by a link": ("GET", "/api/search?q=x", LINK, "origin"),
    "conversation by a form of a sandbox": ("POST", "/api/threads", {**JSON, "Origin": "null"}, "origin"),
    "conversation by a form without an origin": ("POST", "/api/threads", {}, "content_type"),
    "conversation by a form of text": ("POST", "/api/threads", {"Content-Type": "text/plain"}, "content_type"),
    "conversation by a form of fields": (
        "POST",
        "/api/threads",
        {"Content-Type": "application/x-www-form-urlencoded"},
        "content_type",
    ),
    "stop by a form": ("POST", "/api/turns/some-turn/stop", {"Content-Type": "multipart/form-data"}, "content_type"),
    "question by a beacon": ("POST", "/api/ask", {"Content-Type": "text/plain;application/json"}, "content_type"),
    "question with a key by a form": ("POST", "/api/ask", {**KEY, "Content-Type": "text/plain"}, "content_type"),
    "deletion of another site": ("DELETE", "/api/threads/abc", {"Origin": ELSEWHERE}, "origin"),
    "title across sites": ("PATCH", "/api/threads/abc", {**JSON, "Sec-Fetch-Site": "same-site"}, "origin"),
}
OWN: dict[str, tuple[str, str, dict[str, str], int]] = {
    "page": ("GET", "/", {}, 200),
    "page by name": ("GET", "/", {"Host": "LocalHost:PORT"}, 200),
    "page by its IPv6 address": ("GET", "/", {"Host": "[::1]:PORT"}, 200),
    "page by a link": ("GET", "/?thread=abc", LINK, 200),
    "page from the address bar": ("GET", "/", LINK | {"Sec-Fetch-Site": "none"}, 200),
    "page's own requests": ("GET", "/_stcore/health", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
    "websocket": ("GET", "/_stcore/stream", {**UPGRADE, "Origin": "http://127.0.0.1:PORT"}, 101),
    "websocket by name": (
        "GET",
        "/_stcore/stream",
        {**UPGRADE, "Host": "localhost:PORT", "Origin": "http://localhost:PORT"},
        101,
    ),
    "websocket of a program": ("GET", "/_stcore/stream", UPGRADE, 101),
    "API": ("GET", "/api/threads", {}, 200),
    "API of the page": ("GET", "/api/threads", {"Origin": "http://127.0.0.1:PORT"}, 200),
    "API's documentation by a link": ("GET", "/api/docs", LINK, 200),
    "conversation": ("POST", "/api/threads", JSON, 201),
    "conversation of the page": ("POST", "/api/threads", {**JSON, "Origin": "http://127.0.0.1:PORT"}, 201),
    "conversation with a character set": (
        "POST",
        "/api/threads",
        {"Content-Type": "Application/JSON;charset=utf-8"},
        201,
    ),
    "conversation with a key": ("POST", "/api/threads", KEY, 201),
    "deletion": ("DELETE", "/api/threads/abc", {}, 404),
}


class TestTheServer:
    def test_is_tried_with_many_requests(self) -> None:
        assert len(HOSTILE) >= 40

    @pytest.mark.parametrize("name", HOSTILE)
    def test_refuses_requests_of_other_pages(self, server: Server, name: str) -> None:
        method, path, headers, why = HOSTILE[name]
        status = 415 if why == "content_type" else 403
        assert server.send(method, path, headers) == Sent(status, f"request_{why}" if why else None)

    @pytest.mark.parametrize("name", OWN)
    def test_answers_its_own_page_and_programs(self, server: Server, name: str) -> None:
        method, path, headers, status = OWN[name]
        assert server.send(method, path, headers).status == status

    @pytest.mark.parametrize("path", ["/api/ask", "/api/health", "/", "/_stcore/upload_file/a/b"])
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_reads_no_large_body(self, server: Server, method: str, path: str) -> None:
        assert server.send(method, path, {**JSON, "Content-Length": "500000000"}) == Sent(413, "request_size")
        pieces = (b"x" * 10_000 for _ in range(LARGEST_BODY // 10_000 + 1))
        assert server.send(method, path, JSON, pieces) == Sent(413, "request_size")

    def test_reads_a_body_of_the_allowed_size(self, server: Server) -> None:
        body = json.dumps({"question": "x" * (LARGEST_BODY - len(json.dumps({"question": ""})))}).encode()
        assert len(body) == LARGEST_BODY
        assert server.send("POST", "/api/ask", JSON, body) == Sent(422, "request_invalid")
        assert server.send("POST", "/api/ask", JSON, iter([body])) == Sent(422, "request_invalid")

    @pytest.mark.parametrize(
        ("method", "path", "body", "expected"),
        [
            ("GET", "/api/elsewhere", b"", Sent(404, "request_address")),
            ("GET", "/api/threads/a%0Ab", b"", Sent(404, "request_address")),
            ("GET", "/api/threads/a%00", b"", Sent(404, "request_address")),
            ("GET", "/api/threads/..%5Cb", b"", Sent(404, "request_address")),
            ("GET", "/api/docs/../threads", b"", Sent(404, "request_address")),
            ("PUT", "/api/threads", b"{}", Sent(405, "request_method")),
            ("POST", "/api/ask", b"{", Sent(422, "request_invalid")),
            ("POST", "/api/ask", b'"\xff"', Sent(422, "request_invalid")),
            ("GET", "/api/threads/abc", b"", Sent(404, "unknown_thread")),
            ("GET", "/api/versions", b"", Sent(503, "service_unavailable")),
        ],
    )
    def test_has_one_form_of_errors(self, server: Server, method: str, path: str, body: bytes, expected: Sent) -> None:
        assert server.send(method, path, JSON, body) == expected

    def test_limits_what_one_client_does_whatever_a_header_says(self, server: Server) -> None:
        sent = [
            server.send("POST", "/api/threads", {**JSON, "X-Forwarded-For": f"192.0.2.{n}"})
            for n in range(PER_MINUTE + 1)
        ]
        assert sent[-1] == Sent(429, "request_limit")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the client's address, and accept each WebSocket."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).accept()
    else:
        await PlainTextResponse(scope["client"][0])(scope, receive, send)


def guarded(address: str = "http://127.0.0.1:8501", **settings: Any) -> TestClient:
    """A client of an app behind the guard."""
    return TestClient(Guard(echo, read_settings(**settings)), base_url=address, client=("127.0.0.1", 50000))


LOGIN = {"auth": "oidc"}
PUBLIC = {"page_url": "https://essays.example/ask"}


class TestThePublicAddress:
    def test_is_answered_where_a_setting_names_it(self) -> None:
        for host in ("essays.example", "essays.example:443", "127.0.0.1:8501"):
            for headers in ({}, {"Origin": "https://essays.example"}, {"Origin": "http://127.0.0.1:8501"}):
                assert guarded(**PUBLIC).get("/", headers={"Host": host, **headers}).status_code == 200
        with guarded(**PUBLIC).websocket_connect("ws://127.0.0.1:8501/", headers={"Origin": "https://essays.example"}):
            pass

    @pytest.mark.parametrize("host", ["essays.example:8501", "essays.example.elsewhere.example", "elsewhere.example"])
    def test_is_no_other(self, host: str) -> None:
        assert guarded(**PUBLIC).get("/", headers={"Host": host}).status_code == 403

    @pytest.mark.parametrize("origin", ["http://essays.example", "https://essays.example:8501", ELSEWHERE])
    def test_is_no_other_origin(self, origin: str) -> None:
        assert guarded(**PUBLIC).get("/", headers={"Host": "essays.example", "Origin": origin}).status_code == 403
        with pytest.raises(WebSocketDisconnect):
            guarded(**PUBLIC).websocket_connect("ws://127.0.0.1:8501/", headers={"Origin": origin}).__enter__()

    @pytest.mark.parametrize("url", ["http://localhost:8501", "http://127.0.0.1:8501", "http://[::1]:8501/ask"])
    def test_has_all_names_of_this_machine_if_it_is_one(self, url: str) -> None:
        # The page listens on a network of its own, behind a proxy on this machine.
        behind = guarded("http://192.0.2.1:8501", page_url=url)
        for host in ("localhost:8501", "127.0.0.1:8501", "[::1]:8501"):
            assert behind.get("/", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200
        for host in ("192.0.2.1:8501", "localhost:8502", "localhost", "localhost.elsewhere.example:8501"):
            assert behind.get("/", headers={"Host": host}).status_code == 403
        assert behind.get("/", headers={"Host": "localhost:8501", "Origin": ELSEWHERE}).status_code == 403

    def test_is_not_answered_without_the_setting(self) -> None:
        assert guarded().get("/", headers={"Host": "essays.example"}).status_code == 403


class TestTheAddressOfTheServer:
    @pytest.mark.parametrize("address", ["http://127.0.0.5:80", "http://[::1]:8501", "https://localhost:8501"])
    def test_may_be_any_of_this_machine(self, address: str) -> None:
        assert guarded(address).get("/").status_code == 200

    def test_is_of_this_machine_as_long_as_there_is_no_login(self) -> None:
        assert guarded("http://192.0.2.1:8501").get("/", headers={"Host": "127.0.0.1:8501"}).status_code == 403
        assert guarded("http://192.0.2.1:8501", **LOGIN).get("/").status_code == 200


class TestWithLogin:
    def test_any_name_is_answered_to_its_own_origin_alone(self) -> None:
        client = guarded("http://page.internal:8501", **LOGIN, **PUBLIC)
        for origin in ("http://page.internal:8501", "https://essays.example"):
            assert client.get("/", headers={"Origin": origin}).status_code == 200
        for origin in ("http://page.internal:3000", "http://127.0.0.1:8501", ELSEWHERE):
            assert client.get("/", headers={"Origin": origin}).status_code == 403


class TestProxies:
    def address(self, proxies: int, *forwarded: str) -> str:
        headers = [("X-Forwarded-For", one) for one in forwarded]
        return guarded(trusted_proxies=proxies).get("/", headers=headers).text

    def test_are_not_believed_without_a_setting(self) -> None:
        assert self.address(0, "192.0.2.1") == "127.0.0.1"

    def test_are_believed_as_far_as_they_are_trusted(self) -> None:
        assert self.address(1, "203.0.113.9, 192.0.2.1") == "192.0.2.1"
        assert self.address(1, "203.0.113.9", "192.0.2.1") == "192.0.2.1"
        assert self.address(2, "203.0.113.9, 192.0.2.1, 192.0.2.2") == "192.0.2.1"

    @pytest.mark.parametrize("forwarded", ["", "elsewhere", "192.0.2.1, "])
    def test_that_say_no_address_change_nothing(self, forwarded: str) -> None:
        assert self.address(1, forwarded) == self.address(3, "192.0.2.1") == "127.0.0.1"


class TestABody:
    def sent(self, headers: Mapping[str, str], pieces: list[bytes]) -> tuple[int, int]:
        """Return the status, and how many pieces were read."""
        waiting: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": n < len(pieces)} for n, piece in enumerate(pieces, 1)
        ]
        statuses = []

        async def receive() -> Message:
            return waiting.pop(0)

        async def send(message: Message) -> None:
            statuses.append(int(message.get("status", 0)))

        given = {"host": "127.0.0.1:8501", **headers}
        scope = {
            "type": "http",
            "method": "PUT",
            "path": "/",
            "scheme": "http",
            "server": ("127.0.0.1", 8501),
            "client": ("127.0.0.1", 50000),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        run(Guard(echo, read_settings())(scope, receive, send))
        return statuses[0], len(pieces) - len(waiting)

    def test_that_says_that_it_is_large_is_not_read(self) -> None:
        for length in (str(LARGEST_BODY + 1), "9" * 5000):
            assert self.sent({"content-length": length}, [b"x"] * 3) == (413, 0)

    def test_that_does_not_say_it_is_read_up_to_the_limit(self) -> None:
        assert self.sent({}, [b"x" * (LARGEST_BODY // 2)] * 1000) == (413, 3)

    def test_that_is_not_large_is_read(self) -> None:
        assert self.sent({"content-length": str(LARGEST_BODY)}, [b"x" * (LARGEST_BODY // 2)] * 2) == (200, 2)
