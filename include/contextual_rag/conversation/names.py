"""The names of workers. A worker holds the lock of its name in the database; a name whose lock is free has no worker.

The kernel or the database server frees a lock when its process ends, and not while a process is slow or stopped.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import count
from typing import Final, Self

import sqlalchemy as sa

from contextual_rag.conversation.engine import is_sqlite, reaching
from contextual_rag.conversation.queue import APPLICATION
from contextual_rag.errors import SettingError

__all__ = ["Name", "own_name"]

# On PostgreSQL, workers without a name of their own are called by this and a number.
_DEFAULT: Final = "worker"
_POLL_S: Final = 0.1
_FREED_WITHIN_S: Final = 3.0
# The server asks a silent connection for a sign of life: the lock of a machine that lost its power or its network is
# free after about 20 s, not after the two hours of the kernel's default. A stopped process still has a kernel that
# replies.
_LOCK: Final = sa.text(
    "SELECT pg_try_advisory_lock(:number) FROM set_config('tcp_keepalives_idle', '10', false) a, "
    "set_config('tcp_keepalives_interval', '3', false) b, set_config('tcp_keepalives_count', '3', false) c"
)
_UNLOCK: Final = sa.text("SELECT pg_advisory_unlock_all()")


class Name:
    """A worker's name in a database, with its lock. Not for several threads."""

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self.name = name
        self._engine = engine
        self._number = int.from_bytes(sha256(f"{APPLICATION} worker {name}".encode()).digest()[:8], signed=True)
        self._connection: sa.Connection | None = None
        self._file: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
        if self._connection is not None:
            with suppress(sa.exc.SQLAlchemyError), self._connection as connection:
                connection.execute(_UNLOCK)

    def take(self) -> bool:
        """Take the lock, and return whether this process has it now. Safe to call again, also after a lost connection.

        Raises ServiceUnavailableError.
        """
        return self._take_file() if is_sqlite(self._engine) else self._take_number()

    def _take_file(self) -> bool:
        if self._file is None:
            file = os.open(f"{self._engine.url.database}.{self.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
            else:
                self._file = file
        return self._file is not None

    def _take_number(self) -> bool:
        with reaching():
            if self._connection is None:
                self._connection = self._engine.connect()
            # A connection that was lost connects again only after this.
            self._connection.rollback()
            taken = self._connection.execute(_LOCK, {"number": self._number}).scalar_one()
            self._connection.commit()
        return bool(taken)


@contextmanager
def own_name(engine: sa.Engine, chosen: str | None) -> Iterator[Name]:
    """Hold the chosen name; or, on PostgreSQL, the first free one of `worker-1`, `worker-2`, …

    Raises SettingError if another worker has the name.
    """
    if chosen or is_sqlite(engine):
        with Name(engine, chosen or _DEFAULT) as name:
            # The database server notices the end of a process a moment later than the kernel.
            gives_up_at = time.monotonic() + (0 if is_sqlite(engine) else _FREED_WITHIN_S)
            while not name.take():
                if time.monotonic() >= gives_up_at:
                    raise SettingError(
                        f"A worker named {name.name!r} is already running on this database. One is enough. To run a "
                        "second one, use PostgreSQL and leave RAG_WORKER_ID unset, or set it to another name."
                    )
                time.sleep(_POLL_S)
            yield name
        return
    for number in count(1):
        with Name(engine, f"{_DEFAULT}-{number}") as name:
            if name.take():
                yield name
                return
