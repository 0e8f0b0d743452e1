"""The conversations database: an SQLite file in the data folder, or PostgreSQL by URL. It also holds DBOS's tables.

So one transaction can store a question and enqueue its workflow. Every process that writes uses an engine from here.
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
# The first SQLite version whose unixepoch() supports 'subsec', which DBOS needs.
_SUBSECONDS: Final = (3, 42, 0)


def database_url(settings: Settings) -> sa.URL:
    """Return RAG_CONVERSATIONS_URL, or the URL of a file in the data folder. Raises SettingError."""
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
    raise SettingError("Invalid RAG_CONVERSATIONS_URL. Use postgresql://user:password@host/database or sqlite:///file.")


def is_sqlite(engine: sa.Engine) -> bool:
    """Whether the database is an SQLite file."""
    return engine.dialect.name == "sqlite"


def create_engine(url: sa.URL) -> sa.Engine:
    """Return an engine, which connects at first use. Creates the folder of an SQLite file."""
    # Errors that are logged would otherwise hold the parameters of a statement: questions and answers.
    options: dict[str, Any] = {"pool_size": _CONNECTIONS, "max_overflow": 0, "hide_parameters": True}
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, **options, pool_pre_ping=True)
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, **options)
    sa.event.listen(engine, "connect", _prepare)
    return engine


@contextmanager
def reaching() -> Iterator[None]:
    """Raise ServiceUnavailableError if the database cannot be reached, or is locked for too long."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise ServiceUnavailableError(
            f"The conversations database is unavailable ({type(error).__name__}). Check that it runs and that "
            "RAG_CONVERSATIONS_URL is correct. No stored data is lost."
        ) from None


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    # Otherwise a transaction that reads before it writes would fail if another one wrote in between.
    connection.isolation_level = "IMMEDIATE"
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # SQLite's own lower() only handles ASCII letters.
    connection.create_function("lower", 1, _lower, deterministic=True)
    if sqlite3.sqlite_version_info < _SUBSECONDS:
        connection.create_function("unixepoch", -1, _unixepoch)


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _unixepoch(*modifiers: str) -> float | None:
    """Return the current time like unixepoch() of newer SQLite versions; other times are not needed."""
    if set(modifiers) - {"now", "subsec", "subsecond"}:
        return None
    return time.time() if set(modifiers) & {"subsec", "subsecond"} else int(time.time())
