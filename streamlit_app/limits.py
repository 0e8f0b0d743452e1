"""Whom the rate limit counts as one client."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from contextual_rag.hosts import is_loopback

__all__ = ["client_at"]

_NETWORK: Final = 64


def client_at(address: str | None) -> str:
    """Return the name of an anonymous client. All addresses that one client can choose from have the same name."""
    if not address or is_loopback(address):
        return "this machine"
    try:
        network = ip_network(f"{address}/{_NETWORK}", strict=False)
    except ValueError:
        return address
    return address if network.version == 4 else str(network)  # noqa: PLR2004
