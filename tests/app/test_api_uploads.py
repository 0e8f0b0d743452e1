"""Uploads by the API: each client has its own, within limits, and no body is read before it is known whose it is."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from streamlit_app.api import create_api
from streamlit_app.guard import FILES_AT_ONCE, Guard, may_upload
from streamlit_app.services import services
from tests.memory_objects import MemoryObjects

ANNA, BORIS = "the-key-that-anna-has", "the-key-that-boris-has"
FERRY = b"The ferry leaves at nine."
BINARY = {"Content-Type": "application/octet-stream"}
LARGEST = 300_000


class Answer(NamedTuple):
    """What came back."""

    status: int
    said: Any


class Client:
    """Someone with a key."""

    def __init__(self, http: httpx.Client, key: str | None) -> None:
        self._http, self._key = http, {"Authorization": f"Bearer {key}"} if key else {}

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **how: Any) -> Answer:
        """Send a request; an error has the one form."""
        got = self._http.request(method, path, headers={**self._key, **(headers or {})}, **how)
        said: Any = json.loads(got.content) if got.content else None
        assert not got.is_error or {"error", "code"} == said.keys()
        return Answer(got.status_code, said)

    def upload(self, name: str, body: bytes | Iterator[bytes] = FERRY, headers: Mapping[str, str] = BINARY) -> Answer:
        """Upload a file."""
        return self.send("POST", "/api/uploads", headers, content=body, params={"name": name})

    def refused(
        self, name: str, body: bytes | Iterator[bytes] = FERRY, headers: Mapping[str, str] = BINARY
    ) -> tuple[int, str]:
        """Return how an upload was refused."""
        status, said = self.upload(name, body, headers)
        return status, said["code"]

    @property
    def names(self) -> list[str]:
        """The names of the client's uploads."""
        return sorted(one["name"] for one in self.send("GET", "/api/uploads").said["uploads"])


Serving = Callable[..., AbstractContextManager[Callable[[str | None], Client]]]


async def _kept(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f'"{len(await request.body())}"')


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """The API over a real socket, with settings of one's own and an empty bucket."""

    @contextmanager
    def served(**settings: str) -> Iterator[Callable[[str | None], Client]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAG_DATA_DIR", str(tmp_path / "data"))
            for name, value in {"RAG_UPLOADS": "true", "RAG_API_KEYS": f"{ANNA},{BORIS}", **settings}.items():
                patch.setenv(name, value)
            services.cache_clear()
            services().world.__dict__["store"] = MemoryObjects()
        app = Starlette(
            routes=[
                Mount("/api", create_api()),
                Route("/_stcore/upload_file/{tab}/{file}", _kept, methods=["PUT"]),
            ],
            middleware=[Middleware(Guard, services().settings)],
        )
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
                yield lambda key: Client(client, key)
            server.should_exit = True
            thread.join()
        services().close()
        services.cache_clear()

    return served


class TestAClient:
    def test_uploads_sees_and_removes_its_own_files_alone(self, serving: Serving) -> None:
        with serving() as client:
            anna, boris = client(ANNA), client(BORIS)
            status, stored = anna.upload("../ferry\u202e.md")
            assert (status, stored["name"], stored["state"], stored["size"]) == (201, "ferry.md", "waits", len(FERRY))
            assert anna.upload("again.md").said["id"] == stored["id"]
            assert boris.upload("boat.md").said["id"] == stored["id"]
            assert (anna.names, boris.names) == (["ferry.md"], ["boat.md"])
            # One build waits, whoever asked for it.
            said = anna.send("GET", "/api/uploads").said
            assert (said["indexing"]["state"], said["leaving"]) == ("queued", 0)
            assert boris.send("DELETE", f"/api/uploads/{stored['id']}").status == 204
            assert (anna.names, boris.names) == (["ferry.md"], [])
            for id_ in (stored["id"], "0" * 32, "%00"):
                assert boris.send("DELETE", f"/api/uploads/{id_}").status == 404
            assert anna.names == ["ferry.md"]

    @pytest.mark.parametrize("key", [None, "a-key-that-nobody-has"])
    def test_without_a_right_key_can_do_nothing(self, serving: Serving, key: str | None) -> None:
        with serving() as client:
            nobody = client(key)
            sent = [nobody.upload("a.md"), nobody.send("GET", "/api/uploads"), nobody.send("DELETE", "/api/uploads/a")]
            assert [(status, said["code"]) for status, said in sent] == [(401, "request_key")] * 3
            assert client(ANNA).names == []

    def test_can_do_nothing_if_uploads_are_off(self, serving: Serving) -> None:
        with serving(RAG_UPLOADS="false") as client:
            anna = client(ANNA)
            sent = [anna.upload("a.md"), anna.send("GET", "/api/uploads"), anna.send("DELETE", "/api/uploads/a")]
            assert [(status, said["code"]) for status, said in sent] == [(403, "request_uploads")] * 3


class TestLimits:
    def test_have_one_form_and_codes(self, serving: Serving) -> None:
        limits = {"RAG_MAX_PAGE_BYTES": "1000", "RAG_MAX_FILE_BYTES": str(LARGEST), "RAG_UPLOADS_PER_PERSON": "2"}
        with serving(**limits) as client:
            anna = client(ANNA)
            assert anna.refused("a.exe") == (415, "upload_type")
            assert anna.refused("a.md", b"") == (422, "upload_empty")
            assert anna.refused("a.md", b"x" * 1001) == (413, "upload_size")
            assert anna.refused("a.pdf", b"x" * (LARGEST + 1)) == (413, "upload_size")
            assert anna.refused("a.pdf", b"x" * (LARGEST + 20_000)) == (413, "request_size")
            assert anna.refused("a.pdf", iter([b"x"])) == (411, "request_size")
            assert anna.refused("a.pdf", headers={"Content-Type": "multipart/form-data"}) == (
                415,
                "request_content_type",
            )
            assert anna.refused("a.pdf", headers={"Content-Type": "text/plain"}) == (415, "request_content_type")
            assert anna.refused("a" * 10_001 + ".md") == (422, "request_invalid")
            assert anna.names == []
            # What is within them passes.
            assert anna.upload("ж" * 4000 + ".md", b"x" * 1000).status == 201
            assert anna.upload("a.pdf", b"x" * LARGEST).status == 201
            assert anna.refused("c.md") == (429, "upload_count")
            assert client(BORIS).upload("c.md").status == 201

    def test_of_a_minute_are_each_clients(self, serving: Serving) -> None:
        with serving(RAG_QUESTIONS_PER_MINUTE="1") as client:
            assert client(ANNA).upload("a.md").status == 201
            assert client(ANNA).refused("b.md", b"b") == (429, "request_limit")
            assert client(BORIS).upload("b.md", b"b").status == 201


class TestAnotherPage:
    def test_can_upload_nothing(self, serving: Serving) -> None:
        with serving() as client:
            elsewhere = {**BINARY, "Origin": "https://elsewhere.example"}
            assert client(ANNA).refused("a.md", headers=elsewhere) == (403, "request_origin")
            assert client(ANNA).names == []


class TestATab:
    PATH = "/_stcore/upload_file/{}/1"

    def test_sends_files_only_while_it_shows_the_page_for_them(self, serving: Serving) -> None:
        with serving(RAG_MAX_FILE_BYTES=str(LARGEST), RAG_MAX_PAGE_BYTES="1000") as client:
            nobody, body = client(None), b"x" * LARGEST
            assert nobody.send("PUT", self.PATH.format("stranger"), content=body).status == 403
            may_upload("reader")
            sent = [nobody.send("PUT", self.PATH.format("reader"), content=body) for _ in range(FILES_AT_ONCE + 1)]
            assert [one.status for one in sent] == [200] * FILES_AT_ONCE + [403]
            may_upload("reader")
            assert nobody.send("PUT", self.PATH.format("reader"), content=body + b"x" * 20_000).status == 413
            assert nobody.send("PUT", self.PATH.format("reader"), content=iter([body])).status == 411

    def test_sends_no_file_if_uploads_are_off(self, serving: Serving) -> None:
        with serving(RAG_UPLOADS="false") as client:
            may_upload("reader")
            assert client(None).send("PUT", self.PATH.format("reader"), content=b"x" * 200_000).status == 413
