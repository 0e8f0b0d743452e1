"""The rate limit: how many questions a client may ask in a minute."""

from __future__ import annotations

import math
import time
from ipaddress import ip_network
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from contextual_rag.hosts import is_loopback
from streamlit_app.metrics import LIMITED

__all__ = ["Allowance", "client_at"]

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


class Allowance:
    """Counts the questions of each client over the last minute, in this process."""

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def take(self, client: str, what: str = "questions") -> int:
        """Count a question, or something else; return 0, or the seconds to wait if the limit is reached."""
        if self._window.hit(self._limit, client, what):
            return 0
        LIMITED.labels(what).inc()
        free_at = self._window.get_window_stats(self._limit, client, what).reset_time
        return max(1, math.ceil(free_at - time.time()))
