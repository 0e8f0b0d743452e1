"""The rate limit: how many questions a client may ask in a minute."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

__all__ = ["Allowance"]


class Allowance:
    """Counts the questions of each client over the last minute, in this process."""

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def take(self, client: str) -> int:
        """Count a question; return 0, or the seconds to wait if the limit is reached."""
        if self._window.hit(self._limit, client):
            return 0
        free_at = self._window.get_window_stats(self._limit, client).reset_time
        return max(1, math.ceil(free_at - time.time()))
