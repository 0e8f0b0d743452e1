"""A site on loopback that can answer in every wrong way a real one does, byte by byte.

A route is a function that is given the wire; the helpers below make the usual ones. Nothing is added to what a route
sends, so that it may also send what is not HTTP at all.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

__all__ = [
    "FaultySite",
    "Reply",
    "Seen",
    "Wire",
    "drip",
    "endless",
    "gzip_bomb",
    "moved",
    "page",
    "raw",
    "sequence",
    "silent",
    "status",
]


class Seen(NamedTuple):
    """A request as it arrived; header names in lower case, `at` by the monotonic clock."""

    path: str
    headers: dict[str, str]
    at: float


class Wire:
    """The connection of one request."""

    def __init__(self, connection: socket.socket, stopping: threading.Event, seen: Seen) -> None:
        self._connection, self._stopping, self.seen = connection, stopping, seen

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises OSError once the client has gone."""
        self._connection.sendall(data)

    def pause(self, seconds: float) -> bool:
        """Let time pass; False when the site is being stopped."""
        return not self._stopping.wait(seconds)

    def wait_for_the_client_to_leave(self) -> None:
        """Send nothing more, and keep the connection until the other side closes it."""
        self._connection.recv(1)

    def receive_request(self) -> None:
        """Read the next request on the same connection, to the end of its headers."""
        received = b""
        while not received.endswith(b"\r\n\r\n") and (more := self._connection.recv(4096)):
            received += more

    def cut(self) -> None:
        """Reset the connection, instead of closing it in order."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._connection.close()


Reply = Callable[[Wire], None]


def page(
    body: bytes = b"<p>An essay.", content_type: str | None = "text/html", code: str = "200 OK", **more: str
) -> Reply:
    """A correct answer; further headers with `_` for `-`."""
    headers = {"Content-Length": str(len(body)), "Connection": "close"}
    headers |= {"Content-Type": content_type} if content_type else {}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return raw(f"HTTP/1.1 {code}\r\n{head}\r\n".encode("latin-1") + body)


def status(code: int, **headers: str) -> Reply:
    """An answer that is no page."""
    return page(b"", None, f"{code} Said So", **headers)


def moved(location: str, code: int = 302) -> Reply:
    """A redirect."""
    return status(code, Location=location)


def raw(data: bytes) -> Reply:
    """These bytes, then the end of the connection."""
    return lambda wire: wire.send(data)


def sequence(*replies: Reply) -> Reply:
    """One reply after another; the last one from then on."""
    left: Iterator[Reply] = itertools.chain(replies, itertools.repeat(replies[-1]))

    def reply(wire: Wire) -> None:
        next(left)(wire)

    return reply


def endless(head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n") -> Reply:
    """A body as fast as it goes, for ever."""

    def reply(wire: Wire) -> None:
        wire.send(head)
        while wire.pause(0):
            wire.send(b"for ever and " * 1000)

    return reply


def drip(head: bytes, drop: bytes = b"x") -> Reply:
    """One drop every few milliseconds, for ever."""

    def reply(wire: Wire) -> None:
        wire.send(head)
        while wire.pause(0.02):
            wire.send(drop)

    return reply


def silent(head: bytes = b"") -> Reply:
    """Perhaps a beginning, then nothing, the connection staying open."""

    def reply(wire: Wire) -> None:
        wire.send(head)
        wire.wait_for_the_client_to_leave()

    return reply


def gzip_bomb(size: int) -> Reply:
    """A small body that decompresses to `size` bytes."""
    return page(gzip.compress(bytes(size), 9), Content_Encoding="gzip")


class FaultySite:
    """Serves `routes` from a free port of a loopback address, and remembers what it was asked.

    What has no route answers 404, robots.txt too.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.routes: dict[str, Reply] = {}
        self.seen: list[Seen] = []
        self._stopping = threading.Event()
        site = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines: list[bytes] = []
                while (line := self.rfile.readline()) not in {b"", b"\r\n"}:
                    lines.append(line.rstrip())
                    if not lines[0].endswith(b"HTTP/1.1"):
                        return  # TLS, perhaps
                site._answer(self.connection, lines)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server((host, 0), Handler)
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/") -> str:
        """The address of a path on this site."""
        return f"http://{self.host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """The paths asked for, in order, without robots.txt."""
        return [seen.path for seen in self.seen if seen.path != "/robots.txt"]

    def _answer(self, connection: socket.socket, lines: list[bytes]) -> None:
        if not lines:
            return
        headers = dict(line.decode("latin-1").split(": ", 1) for line in lines[1:])
        seen = Seen(lines[0].split()[1].decode(), {k.lower(): v for k, v in headers.items()}, time.monotonic())
        self.seen.append(seen)
        with contextlib.suppress(OSError):  # the client has left, as it should when it has seen enough
            self.routes.get(seen.path, status(404))(Wire(connection, self._stopping, seen))
