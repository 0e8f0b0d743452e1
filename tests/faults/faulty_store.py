"""An object store that fails on demand: a proxy in front of the real one, which refuses what its rules name."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

__all__ = ["FaultyStore", "Rule", "faulty_store"]

_NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Rule:
    """What happens to the requests of a method whose path matches, from the `nth` on.

    `status` and `code` are answered as S3 does; `then` is called once, at the nth, before the request is passed on.
    Where `done`, it is passed on and only its own answer is lost. Where `once`, it happens to the nth alone.
    """

    method: str
    path: str
    nth: int = 1
    status: int = 0
    code: str = ""
    then: Callable[[], None] | None = None
    done: bool = False
    once: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is one of them; counts it, and does what is to be done then."""
        if method != self.method or not re.search(self.path, path):
            return False
        with self._lock:
            self.nth -= 1
            if self.nth == 0 and self.then:
                self.then()
            return self.nth == 0 if self.once else self.nth <= 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """The client has left."""


class FaultyStore:
    """The proxy; `url` is where it listens, `passed` what it passed on."""

    def __init__(self, upstream: str) -> None:
        self.rules: list[Rule] = []
        self.passed: list[tuple[str, str]] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                refusal = store.refusal(self.command, self.path)
                if refusal and not refusal.done:
                    self.reply(refusal.status, {"Content-Type": "application/xml"}, _error(refusal))
                    return
                passed = _passed_on(upstream, self, body)
                if passed is None:
                    self.close_connection = True  # as a store does that ends
                    return
                response, answered = passed
                store.passed.append((self.command, self.path))
                if refusal:
                    self.reply(refusal.status, {"Content-Type": "application/xml"}, _error(refusal))
                    return
                length = response.headers.get("content-length") if self.command == "HEAD" else None
                self.reply(response.status, dict(response.headers.items()), answered, length)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815  # the names that http.server looks for

            def reply(self, status: int, headers: dict[str, str], body: bytes, length: str | None = None) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in _NOT_PASSED_ON:
                        self.send_header(name, value)
                self.send_header("Content-Length", length or str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def refusal(self, method: str, path: str) -> Rule | None:
        """Count a request in all rules; return the first that refuses it."""
        struck = [rule for rule in self.rules if rule.strikes(method, path)]
        return next((rule for rule in struck if rule.status), None)


def _passed_on(upstream: str, asked: BaseHTTPRequestHandler, body: bytes) -> tuple[HTTPResponse, bytes] | None:
    """Ask the real store; None where it does not answer."""
    address = urlsplit(upstream)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request(asked.command, asked.path, body, dict(asked.headers.items()))
        response = connection.getresponse()
        return response, response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


@contextmanager
def faulty_store(upstream: str) -> Iterator[FaultyStore]:
    """Run a proxy until the block ends."""
    store = FaultyStore(upstream)
    thread = threading.Thread(target=store.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        store.server.shutdown()
        store.server.server_close()
        thread.join()


def _error(rule: Rule) -> bytes:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{rule.code}</Code><Message>Planned.</Message>"
        "<RequestId>1</RequestId></Error>"
    ).encode()
