"""The database of conversations: SQLite beside the other data, or PostgreSQL by URL; DBOS's tables are in it too.

One transaction can so hold a question and the work that it means. Every process that writes uses an engine made here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from contextual_rag.errors import ServiceUnavailableError, SettingError
from contextual_rag.settings import Settings

__all__ = ["create_engine", "database_url", "is_sqlite", "reaching"]

_CONNECTIONS: Final = 32
# The first SQLite whose unixepoch() knows 'subsec', which DBOS asks for.
_SUBSECONDS: Final = (3, 42, 0)


def database_url(settings: Settings) -> sa.URL:
    """Return where the database is: at RAG_CONVERSATIONS_URL, or in a file of the data folder. Raises SettingError."""
    if settings.conversations_url is None:
        return sa.URL.create("sqlite", database=str(settings.data_dir.absolute() / "conversations.db"))
    try:
        made = sa.make_url(settings.conversations_url.get_secret_value())
    except sa.exc.ArgumentError:
        made = None
    kind = made.get_backend_name() if made else ""
    if made and kind == "postgresql":
        return made.set(drivername="postgresql+psycopg")
    if made and kind == "sqlite" and made.database:
        return made
    raise SettingError("RAG_CONVERSATIONS_URL must be like postgresql://user:password@host/database or sqlite:///file.")


def is_sqlite(engine: sa.Engine) -> bool:
    """Whether the database is a file of ours."""
    return engine.dialect.name == "sqlite"


def create_engine(url: sa.URL) -> sa.Engine:
    """Return an engine; it connects at its first use. The folder of an SQLite file is made."""
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_size=_CONNECTIONS, max_overflow=0, pool_pre_ping=True)
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, pool_size=_CONNECTIONS, max_overflow=0)
    sa.event.listen(engine, "connect", _prepare)
    return engine


@contextmanager
def reaching() -> Iterator[None]:
    """Raise ServiceUnavailableError where the database cannot be reached, or is locked for too long."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise ServiceUnavailableError(
            f"The database of conversations cannot be used now ({type(error).__name__}): see that it runs and that "
            "RAG_CONVERSATIONS_URL leads to it. Nothing that was stored is lost."
        ) from None


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    # A transaction that reads before it writes would otherwise fail where another wrote in between.
    connection.isolation_level = "IMMEDIATE"
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # SQLite's own knows the letters of ASCII alone.
    connection.create_function("lower", 1, _lower, deterministic=True)
    if sqlite3.sqlite_version_info < _SUBSECONDS:
        connection.create_function("unixepoch", -1, _unixepoch)


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _unixepoch(*modifiers: str) -> float | None:
    """The time as newer versions of SQLite say it; of other times than now nobody asks."""
    if set(modifiers) - {"now", "subsec", "subsecond"}:
        return None
    return time.time() if set(modifiers) & {"subsec", "subsecond"} else int(time.time())
