"""Ports of this machine: which are free, and on which a server answers."""

from __future__ import annotations

import socket

import httpx

from contextual_rag.adapters.trust import trusted

__all__ = ["answers", "free_port", "is_free", "listens"]


def free_port() -> int:
    """Return a free port. Another process may take it before you use it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def listens(port: int) -> bool:
    """Whether a server accepts connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether a server answers with success."""
    try:
        return httpx.get(url, timeout=2, trust_env=False, verify=trusted()).is_success
    except httpx.HTTPError:
        return False
