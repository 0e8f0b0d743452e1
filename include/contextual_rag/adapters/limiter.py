"""A rate limit that all threads of a process share, and divide with the other processes that ask at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

__all__ = ["Limiter"]

_COUNTED_EVERY_S: Final = 3.0


class Limiter:
    """Keeps the requests and tokens of all threads below a rate per minute. None means no limit.

    It uses two token buckets. A tenth of a minute's limit may be used at once, the rest evenly, so that no minute
    exceeds its limit. A caller reserves its share first and then waits for it, so no caller starves. `askers` says how
    many processes divide the limits at the moment.
    """

    def __init__(
        self,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        *,
        askers: Callable[[], int] = lambda: 1,
    ) -> None:
        self._lock = Lock()
        self._limits = (requests_per_minute, tokens_per_minute)
        self._askers = askers
        self._room = [max(1.0, (limit or 0) / 10) for limit in self._limits]
        self._filled_at = time.monotonic()
        self._closed_until = 0.0

    def acquire(self, tokens: int) -> None:
        """Wait until a request with this number of tokens may be sent."""
        askers = self._askers()
        with self._lock:
            now = time.monotonic()
            waits = [self._closed_until - now]
            for i, (all_of_it, wanted) in enumerate(zip(self._limits, (1, tokens), strict=True)):
                if all_of_it is not None:
                    limit = all_of_it / askers
                    burst = max(1.0, limit / 10)
                    rate = max(limit - burst, limit / 2) / 60
                    self._room[i] = min(burst, self._room[i] + (now - self._filled_at) * rate) - wanted
                    waits.append(-self._room[i] / rate)
            self._filled_at = now
            until = now + max(waits)
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _COUNTED_EVERY_S))
            self._askers()  # who waits still counts

    def settle(self, reserved: int, used: int) -> None:
        """Correct an `acquire` when the true number of tokens is known."""
        with self._lock:
            self._room[1] += reserved - used

    def hold(self, seconds: float) -> None:
        """Stop all requests for a time, because the provider is overloaded."""
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)
