"""A rate limit that all threads of a process share."""

from __future__ import annotations

import time
from threading import Lock

__all__ = ["Limiter"]


class Limiter:
    """Keeps requests and tokens of all threads below a rate per minute. None means no limit.

    Two token buckets: a tenth of a minute's allowance may go out at once, the rest evenly, so that no minute sees more
    than its limit. A caller takes its share first and then waits until the share is there, so nobody starves.
    """

    def __init__(self, requests_per_minute: int | None = None, tokens_per_minute: int | None = None) -> None:
        self._lock = Lock()
        self._limits = (requests_per_minute, tokens_per_minute)
        self._bursts = tuple(max(1.0, (limit or 0) / 10) for limit in self._limits)
        self._room = list(self._bursts)
        self._filled_at = time.monotonic()
        self._closed_until = 0.0

    def acquire(self, tokens: int) -> None:
        """Wait until one request of so many tokens may be sent."""
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
        """Put right an `acquire` whose number of tokens was a guess."""
        with self._lock:
            self._room[1] += reserved - used

    def hold(self, seconds: float) -> None:
        """Let nobody pass for so long: the provider said that it is overrun."""
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)
