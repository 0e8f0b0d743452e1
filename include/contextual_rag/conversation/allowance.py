"""The rate limit: what each client had in the last minute, counted for all pages together.

A client is stored as a digest, in a row that the worker deletes when nothing in it counts any more.
"""

from __future__ import annotations

import json
import math
import time
from hashlib import sha256
from typing import Final

import sqlalchemy as sa

from contextual_rag.conversation.store import Store

__all__ = ["Allowance"]

_WINDOW_S: Final = 60.0
# Writing first locks the row: whoever counts for the same client waits until this one has counted.
_LOCKED: Final = sa.text(
    "INSERT INTO allowance (client, times, ends_at) VALUES (:client, '[]', 0) "
    "ON CONFLICT (client) DO UPDATE SET client = excluded.client RETURNING times"
)
_COUNTED: Final = sa.text("UPDATE allowance SET times = :times, ends_at = :ends_at WHERE client = :client")
_FORGOTTEN: Final = sa.text("DELETE FROM allowance WHERE ends_at < :now")


class Allowance:
    """Counts in the conversations database. Safe to share between threads."""

    def __init__(self, store: Store, per_minute: int) -> None:
        self._store = store
        self._per_minute = per_minute

    def take(self, client: str, what: str) -> int:
        """Count one of `what` for a client; return 0, or the seconds to wait if the limit is reached."""
        row = {"client": sha256(f"{what} {client}".encode()).hexdigest()}
        with self._store.transaction() as c:
            stored = json.loads(c.execute(_LOCKED, row).scalar_one())
            now = time.time()
            times = [at for at in stored if at > now - _WINDOW_S]
            wait_s = 0
            if len(times) < self._per_minute:
                times.append(now)
            else:
                wait_s = max(1, math.ceil(times[-self._per_minute] + _WINDOW_S - now))
            c.execute(_COUNTED, row | {"times": json.dumps(times), "ends_at": times[-1] + _WINDOW_S})
        return wait_s

    def forget(self) -> None:
        """Delete the clients that had nothing in the last minute."""
        with self._store.transaction() as c:
            c.execute(_FORGOTTEN, {"now": time.time()})
