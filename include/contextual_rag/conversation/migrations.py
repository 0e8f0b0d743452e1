"""The tables of conversations, as numbered migrations. New migrations are only appended.

The table `conversation_schema` records which were applied. Processes that start together apply each one once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

from contextual_rag.conversation.engine import is_sqlite
from contextual_rag.errors import SettingError

__all__ = ["MIGRATIONS", "migrate"]

# Each is a list of statements that both SQLite and PostgreSQL understand. Times are seconds since 1970.
MIGRATIONS: Final[Sequence[Sequence[str]]] = (
    # 1: threads and their turns
    (
        """CREATE TABLE thread (
            id TEXT PRIMARY KEY,
            owner TEXT,
            title TEXT NOT NULL,
            city TEXT,
            created_at DOUBLE PRECISION NOT NULL,
            asked_at DOUBLE PRECISION NOT NULL,
            turns INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX thread_by_owner ON thread (owner, asked_at)",
        """CREATE TABLE turn (
            id TEXT PRIMARY KEY,
            thread_id TEXT NOT NULL REFERENCES thread (id) ON DELETE CASCADE,
            n INTEGER NOT NULL,
            question TEXT NOT NULL,
            version TEXT,
            created_at DOUBLE PRECISION NOT NULL,
            stopping INTEGER NOT NULL DEFAULT 0,
            ended_at DOUBLE PRECISION,
            said TEXT,
            answer TEXT,
            feedback INTEGER,
            comment TEXT NOT NULL DEFAULT '',
            UNIQUE (thread_id, n)
        )""",
        "CREATE INDEX turn_pending ON turn (created_at) WHERE ended_at IS NULL",
    ),
    # 2: events, which show an answer while it is made; disposable after the turn, so nothing refers to them
    (
        """CREATE TABLE turn_event (
            turn_id TEXT NOT NULL,
            n INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (turn_id, n)
        )""",
        "CREATE INDEX turn_ended ON turn (ended_at)",
    ),
    # 3: heartbeats of workers
    (
        """CREATE TABLE worker (
            id TEXT PRIMARY KEY,
            started_at DOUBLE PRECISION NOT NULL,
            seen_at DOUBLE PRECISION NOT NULL
        )""",
    ),
    # 4: what clients had in the last minute: times as a JSON list, and when the last of them counts no more
    (
        """CREATE TABLE allowance (
            client TEXT PRIMARY KEY,
            times TEXT NOT NULL,
            ends_at DOUBLE PRECISION NOT NULL
        )""",
    ),
    # 5: the filter of a question, as JSON; none in the questions before
    ('ALTER TABLE turn ADD COLUMN "filter" TEXT',),
)
_APPLIED: Final = sa.text("INSERT INTO conversation_schema (version) VALUES (:version)")
# Any number that no other program uses as a lock in the same database.
_LOCK: Final = 0x7261675F636F6E76


def migrate(engine: sa.Engine, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring the tables up to date. Raises SettingError if a newer release has changed them."""
    with _exclusive(engine) as connection:
        run = connection.exec_driver_sql
        run("CREATE TABLE IF NOT EXISTS conversation_schema (version INTEGER NOT NULL)")
        applied = run("SELECT max(version) FROM conversation_schema").scalar() or 0
        if applied > len(migrations):
            raise SettingError(
                f"The conversations database belongs to a newer release: its tables have version {applied}, this "
                f"release knows {len(migrations)}. Update, or set RAG_CONVERSATIONS_URL to another database.",
                code="setting_release",
            )
        for version, statements in enumerate(migrations[applied:], applied + 1):
            for statement in statements:
                run(statement)
            connection.execute(_APPLIED, {"version": version})


@contextmanager
def _exclusive(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Hold an exclusive transaction; both databases roll back table changes with it."""
    with engine.begin() as connection:
        if is_sqlite(engine):
            # The driver starts a transaction before row changes, but not before table changes.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection
