"""The page's server, which can be killed, and clients of its API that retry like a page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from contextual_rag.conversation.model import Event, Thread
from contextual_rag.settings import Settings

__all__ = ["ByApi", "Page"]

_ROOT = Path(__file__).parents[2]
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
# How soon a disconnected client retries, and for how long.
_AGAIN_S = 0.1
_PATIENCE_S = 120.0
_WITHOUT_LIMIT = 1_000_000
_AWAY = (502, 503, 504)


class Page:
    """`rag page` in its own process."""

    def __init__(self, settings: Settings, port: int) -> None:
        environment = {
            "RAG_DATA_DIR": settings.data_dir,
            "RAG_BUCKET": settings.bucket,
            "RAG_CONVERSATIONS_URL": settings.conversations_url and settings.conversations_url.get_secret_value(),
            "RAG_QUESTIONS_PER_MINUTE": _WITHOUT_LIMIT,
            "AWS_ENDPOINT_URL": settings.aws_endpoint_url,
            "AWS_ACCESS_KEY_ID": settings.aws_access_key_id and settings.aws_access_key_id.get_secret_value(),
            "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key
            and settings.aws_secret_access_key.get_secret_value(),
            "MILVUS_URI": settings.milvus_uri,
        }
        self._process = subprocess.Popen(  # noqa: S603
            [str(Path(sys.executable).parent / "rag"), "page", "--port", str(port)],
            env=os.environ | {name: str(value) for name, value in environment.items() if value},
            cwd=_ROOT,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """End it like a crash."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class ByApi:
    """Asks and follows through the API; while the server is down, it retries."""

    def __init__(self, port: int, key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"http://127.0.0.1:{port}/api"
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

    def start_thread(self, _: None) -> Thread:
        """Start a conversation. If the response is lost, an empty conversation remains."""
        return Thread.model_validate_json(self._answer("POST", "/threads", json={}).content)

    def ask(self, thread_id: str, _: None, question: str, *, turn_id: str) -> None:
        """Ask a conversation's next question, and wait until it is stored."""
        body = {"thread": thread_id, "turn": turn_id, "question": question}
        for _ in self._tries():
            try:
                with self._http.stream("POST", "/ask", json=body) as answer:
                    if not _is_up(answer):
                        continue
                    if next(_messages(answer))[0] == "turn":
                        return
            except (httpx.TransportError, StopIteration):
                continue

    def follow(self, turn_id: str, _: None, *, offset: int) -> Iterator[Event | None]:
        """Yield the events of a turn from an offset on; None while the server is silent or down."""
        for _ in self._tries():
            try:
                with self._http.stream("GET", f"/turns/{turn_id}/events", params={"offset": offset}) as answer:
                    if not _is_up(answer):
                        yield None
                        continue
                    for kind, data in _messages(answer):
                        if kind == "answer":
                            return
                        if kind == "error":
                            raise RuntimeError(data)
                        if kind == "turn":
                            continue
                        yield _EVENT.validate_json(data) if kind else None
                        offset += bool(kind)
            except httpx.TransportError:
                yield None

    def _answer(self, method: str, path: str, **options: object) -> httpx.Response:
        for _ in self._tries():
            try:
                answer = self._http.request(method, path, **options)  # type: ignore[arg-type]
            except httpx.TransportError:
                continue
            if _is_up(answer):
                return answer
        raise TimeoutError

    def _tries(self) -> Iterator[None]:
        gives_up_at = time.monotonic() + _PATIENCE_S
        while time.monotonic() < gives_up_at:
            yield
            time.sleep(_AGAIN_S)
        raise TimeoutError(f"the page's server was not back after {_PATIENCE_S:.0f} s")


def _is_up(answer: httpx.Response) -> bool:
    """Whether a page answered: a balancer does so in its place while none is there. Raises for other failures."""
    if answer.status_code in _AWAY:
        return False
    answer.raise_for_status()
    return True


def _messages(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    """Yield (kind, data) of server-sent events; a comment has no kind."""
    kind = data = ""
    for line in answer.iter_lines():
        if line.startswith(":"):
            yield "", ""
        elif line.startswith("event:"):
            kind = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data = line.removeprefix("data:").strip()
        elif not line and kind:
            yield kind, data
            kind = data = ""
