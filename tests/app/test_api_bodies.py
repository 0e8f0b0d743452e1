"""Whatever a client sends, the API answers with one form of errors, never with 500, and never repeats what was sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from streamlit_app.api import create_api
from streamlit_app.guard import Guard
from streamlit_app.services import services
from tests.memory_objects import MemoryObjects

DESCRIBED = create_api().openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DESCRIBED["paths"].items()
    for method, operation in operations.items()
]
WITH_BODY = [
    (method, path, DESCRIBED["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]["properties"])
    for method, path, operation in OPERATIONS
    if (body := operation.get("requestBody", {}).get("content", {}).get("application/json"))
]
# Lone surrogates and NUL among them.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
LIKELY = st.sampled_from(
    ["Why?", "x" * 2001, "", 1, -1, True, False, None, 1e400, 10**40, "a" * 64, "a\u2028b", "\ud83d"]
)
SECRET = "what-nobody-else-sends"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the API over a real socket; its bucket is empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAG_DATA_DIR", str(tmp_path_factory.mktemp("bodies")))
        patch.setenv("RAG_QUESTIONS_PER_MINUTE", "1000000")
        services.cache_clear()
        services().world.__dict__["store"] = MemoryObjects()
    app = Starlette(routes=[Mount("/api", create_api())], middleware=[Middleware(Guard, services().settings)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            yield client
        server.should_exit = True
        thread.join()
    services().close()
    services.cache_clear()


def sent(client: httpx.Client, method: str, path: str, body: bytes | None = None, **query: str) -> int:
    """Send a request; return the status, after a look at the form of an error."""
    headers = {"Content-Type": "application/json"}
    with client.stream(method, path, content=body, headers=headers, params=query) as response:
        assert response.status_code not in range(500, 503), (method, path, body, query)
        if response.is_error and path != "/ready":
            problem = json.loads(response.read())
            assert {"error", "code"} == problem.keys()
            assert SECRET not in problem["error"]
        return response.status_code


@pytest.mark.parametrize(("method", "path", "fields"), WITH_BODY, ids=[path for _, path, _ in WITH_BODY])
class TestABody:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_with_any_values_is_answered(
        self, client: httpx.Client, method: str, path: str, fields: dict[str, Any], data: st.DataObject
    ) -> None:
        body: Any = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(fields, LIKELY | ANY_JSON)) | ANY_JSON)
        target = path.format(thread="abc", turn="abc")
        # Escaped, since no bytes can hold a lone surrogate.
        sent(client, method, target, json.dumps(body).encode())

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"NaN",
            b"\xff\xfe\x00",
            b'"\xff"',
            b'{"question": "\xed\xa0\x80"}',
            b"[" * 50_000,
            b'{"question":' * 8_000,
            b'{"question": ' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"turn": ' + b"9" * 5000 + b', "feedback": ' + b"9" * 5000 + b"}",
            b'{"feedback": 1e999, "title": -Infinity, "question": NaN}',
            b'{"question": "a", "question": ["b"], "title": "a", "title": {}, "feedback": 1, "feedback": "1"}',
            b'{"question": "Why?", "turn": "\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000"}',
            b'{"question": "Why?", "thread": "\\u0000", "version": "../CURRENT"}',
            f'{{"question": ["{SECRET}"], "title": ["{SECRET}"], "feedback": "{SECRET}"}}'.encode(),
            f'{{"{SECRET}": '.encode(),
            f'{{"question": "Why?", "where": {{"{SECRET}": 1, "sources": 5}}}}'.encode(),
        ],
        ids=range(17),
    )
    def test_of_an_odd_form_is_refused(
        self, client: httpx.Client, method: str, path: str, fields: dict[str, Any], body: bytes
    ) -> None:
        assert sent(client, method, path.format(thread="abc", turn="abc"), body) in {400, 404, 422}


def asked(client: httpx.Client, encoding: str, kind: str) -> int:
    """Ask in an encoding; return the status, without waiting for an answer."""
    question = {"question": "Why was the Größe of it 5?", "turn": f"in-{encoding}-as-{kind[-6:]}".replace("/", "-")}
    body = json.dumps(question, ensure_ascii=False).encode(encoding)
    with client.stream("POST", "/ask", content=body, headers={"Content-Type": kind}) as response:
        if response.is_error:
            assert json.loads(response.read())["code"] == "request_invalid"
        return response.status_code


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-16"])
class TestTheEncodingOfABody:
    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp037"])
    def test_is_no_other_than_utf_8(self, client: httpx.Client, encoding: str, kind: str) -> None:
        assert asked(client, encoding, kind) == 422

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    def test_is_utf_8_whatever_is_declared(self, client: httpx.Client, encoding: str, kind: str) -> None:
        """The twin. RFC 8259 knows no charset, and lets a reader ignore a byte order mark."""
        assert asked(client, encoding, kind) == 200


class TestAnAddress:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(operation=st.sampled_from(OPERATIONS), data=st.data())
    def test_with_any_parts_is_answered(
        self, client: httpx.Client, operation: tuple[str, str, dict[str, Any]], data: st.DataObject
    ) -> None:
        method, path, described = operation
        encodable = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
        values = encodable | st.sampled_from(["0", "-1", "9" * 5000, "1e9", "..", "a/b", "\x00", "x" * 300])
        parts: dict[str, str] = {
            one["name"]: data.draw(values) for one in described.get("parameters", ()) if one["in"] != "header"
        }
        inside = {name: quote(parts.pop(name), safe="") for name in list(parts) if f"{{{name}}}" in path}
        sent(client, method, path.format(**inside), b"{}" if "requestBody" in described else None, **parts)

    @pytest.mark.parametrize("last", ["9" * 5000, "-1", "x", "1.5"])
    def test_with_any_last_event_is_answered(self, client: httpx.Client, last: str) -> None:
        sent(client, "POST", "/ask", b'{"question": "Why?", "turn": "one-that-is-followed"}')
        headers = {"Last-Event-ID": last}
        with client.stream("GET", "/turns/one-that-is-followed/events", headers=headers) as response:
            assert response.status_code == 200


class TestAGoodBody:
    def test_is_accepted(self, client: httpx.Client) -> None:
        """The twin: what is refused above is refused for its form."""
        body = json.dumps({"question": "Why?", "turn": "a-turn-of-this-test"}).encode()
        assert sent(client, "POST", "/ask", body) == 200
        again = json.dumps(json.loads(body) | {"thread": "", "version": "", "city": ""}).encode()
        assert sent(client, "POST", "/ask", again) == 200
        assert sent(client, "PUT", "/turns/a-turn-of-this-test/feedback", b'{"feedback": 1}') == 204
        thread = client.get("/turns/a-turn-of-this-test").json()["thread_id"]
        assert sent(client, "PATCH", f"/threads/{thread}", b'{"title": "Reasons"}') == 200
