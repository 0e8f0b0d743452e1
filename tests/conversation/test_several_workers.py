"""Several workers on PostgreSQL: each gets a name, and what one leaves unfinished another ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from bench.chaos_chat.postgres import installed, postgres
from contextual_rag.conversation.client import Conversations
from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.model import TextEvent, Turn
from contextual_rag.conversation.names import own_name
from contextual_rag.conversation.progress import fold
from contextual_rag.errors import SettingError
from contextual_rag.settings import Settings, read_settings
from tests.conversation.conftest import Office
from tests.conversation.test_worker import environment
from tests.conversing import PATIENCE_S, until
from tests.forked import Forked
from tests.raising import raising
from tests.servers.together import TogetherServer

pytestmark = pytest.mark.skipif(not installed(), reason="PostgreSQL is not installed")

# More looks than it takes to declare a worker dead whose lock is free.
LOOKS = 4


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


class Team:
    """Workers without names of their own, on one PostgreSQL database."""

    def __init__(self, settings: Settings) -> None:
        self.office = Office(settings)
        self.engine = create_engine(database_url(settings))
        url = database_url(settings).render_as_string(hide_password=False)
        self._environment = environment(settings) | {"RAG_CONVERSATIONS_URL": url}
        self._workers: dict[str, Forked] = {}

    def rows(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        with self.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement), values)]

    def hire(self) -> str:
        """Start a worker; return its name."""
        before = set(self.rows("SELECT id, started_at FROM worker"))
        worker = Forked(["worker"], self._environment)
        new: list[tuple[object, ...]] = []

        def has_started() -> bool:
            assert worker.returncode is None, worker.communicate(PATIENCE_S)
            new[:] = set(self.rows("SELECT id, started_at FROM worker")) - before
            return bool(new)

        until(has_started, "a worker")
        name = str(new[0][0])
        self._workers[name] = worker
        return name

    def stop(self, name: str) -> None:
        """Stop a worker, which stays alive."""
        self._workers[name].send_signal(signal.SIGSTOP)

    def kill(self, name: str) -> None:
        worker = self._workers.pop(name)
        worker.send_signal(signal.SIGKILL)
        worker.communicate(PATIENCE_S)

    def cut_connections(self) -> None:
        """Close all connections of others at once, like a restart of the server."""
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def busy_with(self, turn: Turn) -> str:
        """The name of the worker that answers a turn."""
        ((name,),) = self.rows("SELECT executor_id FROM dbos.workflow_status WHERE workflow_uuid = :id", id=turn.id)
        return str(name)

    def see_heartbeats(self, name: str, number: int) -> None:
        """Wait until a worker gave this many signs of life."""
        seen: set[object] = set()

        def enough() -> bool:
            seen.update(self.rows("SELECT seen_at FROM worker WHERE id = :id", id=name))
            return len(seen) > number

        until(enough, f"{number} heartbeats of {name}")

    def close(self) -> None:
        for name in list(self._workers):
            self.kill(name)
        self.engine.dispose()
        self.office.conversations.close()


@pytest.fixture
def team(corpus: Settings, database: str, tmp_path: Path) -> Iterator[Team]:
    settings = corpus.model_copy(update={"data_dir": tmp_path, "conversations_url": SecretStr(database)})
    team = Team(settings)
    yield team
    team.close()


def test_the_turn_of_a_killed_worker_is_ended_by_another_and_that_of_a_slow_one_is_not(
    team: Team, model: TogetherServer
) -> None:
    assert {team.hire(), team.hire()} == {"worker-1", "worker-2"}
    model.tokens_per_second = 4
    turn = team.office.post("What was the lamp worth? search also for bridge family")
    next(event for event in team.office.events(turn) if isinstance(event, TextEvent) and event.round == 1)
    model.tokens_per_second = 0.5
    begun_by = team.busy_with(turn)
    (other,) = {"worker-1", "worker-2"} - {begun_by}

    # Without its lock for a moment, and then stopped with it, a worker is slow, not dead.
    team.cut_connections()
    team.see_heartbeats(begun_by, 2)
    team.stop(begun_by)
    team.see_heartbeats(other, LOOKS)
    assert team.busy_with(turn) == begun_by
    assert [call.round for call in model.calls("chat")] == [0, 1]

    team.kill(begun_by)
    model.tokens_per_second = None
    with closing(Conversations(team.office.settings)) as of_another_page:
        seen = fold(event for event in of_another_page.follow(turn.id, None) if event)
        answer = of_another_page.turn(turn.id, None).answer
    assert team.busy_with(turn) == other
    assert answer
    assert (answer.status, answer.said) == ("answered", model.calls("chat")[-1].said)
    assert [use.name for use in answer.tools] == ["search_essays"]
    assert (seen.text, seen.restarted) == (answer.said, 1)
    # Only the call that was under way is made again.
    assert [call.round for call in model.calls("chat")] == [0, 1, 1]


class TestNames:
    def test_are_free_when_their_worker_is_gone_and_not_before(self, database: str, tmp_path: Path) -> None:
        settings = read_settings(data_dir=tmp_path, conversations_url=database)
        engines = [create_engine(database_url(settings)) for _ in range(2)]
        with own_name(engines[0], None) as first:
            with own_name(engines[1], None) as second:
                assert (first.name, second.name) == ("worker-1", "worker-2")
            with raising(SettingError, "setting", "worker-1"), own_name(engines[1], "worker-1"):
                pytest.fail("two workers have one name")
        with own_name(engines[1], None) as next_one:
            assert next_one.name == "worker-1"
        for engine in engines:
            engine.dispose()
