"""Tables are brought up to date from any version, once, even by processes that start together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.migrations import MIGRATIONS, migrate
from contextual_rag.conversation.store import Store
from contextual_rag.errors import SettingError
from contextual_rag.settings import read_settings
from tests.raising import raising


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = create_engine(database_url(read_settings(data_dir=tmp_path)))
    yield made
    made.dispose()


def versions(engine: sa.Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text("SELECT version FROM conversation_schema ORDER BY version")).scalars())


def test_an_empty_database_gets_them_all(engine: sa.Engine) -> None:
    migrate(engine)
    assert versions(engine) == list(range(1, len(MIGRATIONS) + 1))
    assert {"thread", "turn", "turn_event", "worker"} <= set(sa.inspect(engine).get_table_names())


def test_one_of_the_first_release_keeps_what_is_in_it(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE conversation_schema (version INTEGER NOT NULL)")
        connection.exec_driver_sql("INSERT INTO conversation_schema VALUES (1)")
        for statement in MIGRATIONS[0]:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("INSERT INTO thread VALUES ('t', NULL, 'Kept', NULL, 1, 1, 1)")
        turn = "INSERT INTO turn (id, thread_id, n, question, created_at) VALUES ('q', 't', 1, '?', 1)"
        connection.exec_driver_sql(turn)
    migrate(engine)
    migrate(engine)
    assert Store(engine).turn("q", None).where is None
    assert versions(engine) == list(range(1, len(MIGRATIONS) + 1))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT title FROM thread")).scalars().all() == ["Kept"]


def test_many_at_once_apply_each_once(tmp_path: Path) -> None:
    engines = [create_engine(database_url(read_settings(data_dir=tmp_path))) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(migrate, engines))
    assert versions(engines[0]) == list(range(1, len(MIGRATIONS) + 1))
    for engine in engines:
        engine.dispose()


def test_one_that_fails_half_way_leaves_nothing(engine: sa.Engine) -> None:
    broken = ("CREATE TABLE half (id TEXT)", "CREATE TABLE thread (id TEXT)")
    with pytest.raises(sa.exc.OperationalError):
        migrate(engine, (*MIGRATIONS, broken))
    assert sa.inspect(engine).get_table_names() == []


def test_a_database_of_a_newer_release_is_left_alone(engine: sa.Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO conversation_schema VALUES (99)")
    with raising(SettingError, "setting_release", "RAG_CONVERSATIONS_URL"):
        migrate(engine)
