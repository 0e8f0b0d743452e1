"""The rate limit, which all pages share."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from bench.chaos_chat.postgres import installed, postgres
from contextual_rag.conversation.allowance import Allowance
from contextual_rag.conversation.client import Conversations
from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.migrations import migrate
from contextual_rag.conversation.store import Store
from contextual_rag.settings import read_settings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine = create_engine(database_url(read_settings(data_dir=tmp_path)))
    migrate(engine)
    yield Store(engine)
    engine.dispose()


def rows(store: Store) -> list[tuple[str, str]]:
    with store.transaction() as connection:
        return [(row[0], row[1]) for row in connection.execute(sa.text("SELECT client, times FROM allowance"))]


def let_pass(store: Store, seconds: float) -> None:
    """Make all that was counted this much older."""
    for client, times in rows(store):
        older = json.dumps([at - seconds for at in json.loads(times)])
        change = sa.text("UPDATE allowance SET times = :times, ends_at = ends_at - :seconds WHERE client = :client")
        with store.transaction() as connection:
            connection.execute(change, {"client": client, "times": older, "seconds": seconds})


class TestAllowance:
    def test_beyond_the_limit_it_returns_the_time_to_wait(self, store: Store) -> None:
        allowance = Allowance(store, 3)
        assert [allowance.take("anna", "questions") for _ in range(3)] == [0, 0, 0]
        assert 0 < allowance.take("anna", "questions") <= 60

    def test_a_minute_after_a_question_another_may_follow_and_not_before(self, store: Store) -> None:
        allowance = Allowance(store, 2)
        assert allowance.take("anna", "questions") == 0
        let_pass(store, 40)
        assert allowance.take("anna", "questions") == 0
        assert 10 < allowance.take("anna", "questions") <= 20
        let_pass(store, 21)
        assert allowance.take("anna", "questions") == 0
        assert 30 < allowance.take("anna", "questions") <= 39

    def test_clients_and_things_are_counted_separately(self, store: Store) -> None:
        allowance = Allowance(store, 1)
        assert allowance.take("anna", "questions") == 0
        assert allowance.take("boris", "questions") == 0
        assert allowance.take("anna", "conversations") == 0
        assert allowance.take("anna", "questions") > 0

    def test_keeps_no_address_and_nothing_for_longer_than_it_counts(self, store: Store) -> None:
        allowance = Allowance(store, 1)
        allowance.take("192.0.2.77", "questions")
        let_pass(store, 61)
        allowance.take("198.51.100.7", "questions")
        assert not any("192.0.2.77" in text or "198.51.100.7" in text for row in rows(store) for text in row)
        allowance.forget()
        assert len(rows(store)) == 1
        assert allowance.take("198.51.100.7", "questions") > 0


def _take(client: str, url: str, times: int) -> list[int]:
    with closing(Conversations(read_settings(conversations_url=url, questions_per_minute=10))) as conversations:
        return [conversations.take(client) for _ in range(times)]


@pytest.mark.skipif(not installed(), reason="PostgreSQL is not installed")
def test_pages_on_one_postgresql_share_it_and_clients_do_not(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    with postgres() as url, ProcessPoolExecutor(2, mp_context=context) as pages:
        waits = [wait for page in pages.map(partial(_take, "anna", url), [15, 15]) for wait in page]
        assert waits.count(0) == 10
        assert all(0 < wait <= 60 for wait in waits if wait)
        (others,) = pages.map(partial(_take, "boris", url), [11])
    assert others[:10] == [0] * 10
    assert others[10] > 0
