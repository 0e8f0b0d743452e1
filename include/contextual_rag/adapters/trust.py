"""The certificates that this process trusts, read once: that takes twenty times as long as a request."""

from __future__ import annotations

from functools import cache
from ssl import SSLContext

import httpx

__all__ = ["trusted"]


@cache
def trusted() -> SSLContext:
    """Return what all clients of this process share."""
    return httpx.create_ssl_context()
