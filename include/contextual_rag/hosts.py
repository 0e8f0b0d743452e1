"""Names of this machine."""

from __future__ import annotations

from ipaddress import ip_address

__all__ = ["is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether a host can only be this machine: `localhost` or a loopback address, but not a name that leads to one."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
