"""How many processes ask a server of models at the moment, so that they divide what its account allows."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from typing import Final

from contextual_rag import keys
from contextual_rag.errors import RagError
from contextual_rag.ports import ObjectStore

__all__ = ["Askers"]

_ABANDONED: Final = timedelta(hours=1)


class Askers:
    """Counts the processes that ask one server, this one included; call it before a request.

    A process that asks says so in the bucket, with one small object that it renews after `every_s` at the earliest, and
    not while it asks nothing. Who has not done so for `gone_after_s`, by the store's clock, does not count. So for
    `every_s` after another began to ask, both together may exceed a limit that they divide.
    """

    def __init__(
        self, store: Callable[[], ObjectStore], server: str, *, every_s: float = 3.0, gone_after_s: float = 10.0
    ) -> None:
        self._store = store
        self._server = keys.digest(server)
        self._name = secrets.token_hex(8)
        self._every_s = every_s
        self._gone_after = timedelta(seconds=gone_after_s)
        self._count = 1
        self._next = 0.0
        self._lock = Lock()

    def __call__(self) -> int:
        """Return how many there are, at least 1; as many as before if the store does not answer."""
        if time.monotonic() >= self._next and self._lock.acquire(blocking=False):
            try:
                self._count = self._counted()
                self._next = time.monotonic() + self._every_s
            except RagError:
                self._next = time.monotonic() + 10 * self._every_s
            finally:
                self._lock.release()
        return self._count

    def _counted(self) -> int:
        # A forked process is another one.
        own = keys.asker(self._server, f"{self._name}-{os.getpid()}")
        store = self._store()
        store.put(own, b"")
        seen = {found.key: found.modified for found in store.describe(keys.asker(self._server))}
        now = seen[own]
        if abandoned := [key for key, at in seen.items() if now - at > _ABANDONED]:
            store.delete(abandoned)
        return sum(now - at <= self._gone_after for at in seen.values())
