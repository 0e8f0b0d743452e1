"""A rate limit that all threads of a process share; other processes have their own."""

from __future__ import annotations

import time
from threading import Lock

__all__ = ["Limiter"]


class Limiter:
    """Keeps the requests and tokens of all threads below a rate per minute. None means no limit.

    It uses two token buckets. A tenth of a minute's limit may be used at once, the rest evenly, so that no minute
    exceeds its limit. A caller reserves its share first and then waits for it, so no caller starves.
    """

    def __init__(self, requests_per_minute: int | None = None, tokens_per_minute: int | None = None) -> None:
        self._lock = Lock()
        self._limits = (requests_per_minute, tokens_per_minute)
        self._bursts = tuple(max(1.0, (limit or 0) / 10) for limit in self._limits)
        self._room = list(self._bursts)
        self._filled_at = time.monotonic()
        self._closed_until = 0.0

    def acquire(self, tokens: int) -> None:
        """Wait until a request with this number of tokens may be sent."""
        with self._lock:
            now = time.monotonic()
            waits = [self._closed_until - now]
            for i, (limit, burst, wanted) in enumerate(zip(self._limits, self._bursts, (1, tokens), strict=True)):
                if limit is not None:
                    rate = max(limit - burst, limit / 2) / 60
                    self._room[i] = min(burst, self._room[i] + (now - self._filled_at) * rate) - wanted
                    waits.append(-self._room[i] / rate)
            self._filled_at = now
        if (wait := max(waits)) > 0:
            time.sleep(wait)

    def settle(self, reserved: int, used: int) -> None:
        """Correct an `acquire` when the true number of tokens is known."""
        with self._lock:
            self._room[1] += reserved - used

    def hold(self, seconds: float) -> None:
        """Stop all requests for a time, because the provider is overloaded."""
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)
