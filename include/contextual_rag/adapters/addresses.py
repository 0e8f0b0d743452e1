"""A network backend for httpcore that connects only to allowed addresses, and keeps a deadline.

It checks the very address that the socket connects to, so a name that resolves differently a moment later (DNS
rebinding) does not pass.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from contextual_rag.errors import PageError

__all__ = ["CheckedBackend", "Deadline", "is_allowed_address"]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_allowed_address(address: str, *, configured: bool) -> bool:
    """Whether a socket may be connected to this IP address.

    Public addresses are always allowed; private and loopback ones only for an origin that the operator `configured`;
    link-local (cloud metadata), multicast and unspecified ones never. If an IPv6 address contains an IPv4 address, the
    IPv4 address is checked.
    """
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        in_nat64 = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        ip = ip.ipv4_mapped or ip.sixtofour or in_nat64 or ip
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    return configured or (ip.is_global and not ip.is_reserved)


class Deadline(threading.local):
    """The end of the current exchange in this thread, in monotonic time."""

    at: float = math.inf

    def limit(self, timeout: float | None) -> float:
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline, even if headers or body arrive very slowly."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.limit(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        limit = self._deadline.limit(timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, limit), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class CheckedBackend(httpcore.SyncBackend):
    """Resolves names itself, and checks each address before it connects.

    `configured` are the hosts and ports that may have a private address. Raises PageError if no address is allowed.
    """

    def __init__(self, deadline: Deadline, configured: Iterable[tuple[str, int]]) -> None:
        self._deadline, self._configured = deadline, frozenset(configured)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name cannot be resolved: {error}") from error
        addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
        allowed = [a for a in addresses if is_allowed_address(a, configured=(host, port) in self._configured)]
        if not allowed:
            raise PageError(
                f"{host} has no public address ({', '.join(addresses)}), so it was not fetched. To allow it, add "
                f"{host}:{port} to RAG_SOURCE_HOSTS (link-local addresses are never allowed)",
                code="page_private",
            )
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in allowed:
            try:
                limit = self._deadline.limit(timeout)
                stream = super().connect_tcp(address, port, limit, local_address, socket_options)
                return _Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")
