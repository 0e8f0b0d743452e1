"""Conversations with real answers: a small corpus, the model server, a worker in its own process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.chaos_chat.ground import ModelServer, Worker, prepared
from contextual_rag.conversation.client import Conversations
from contextual_rag.conversation.model import Answer, Event, Turn
from contextual_rag.embedded.services import Services
from contextual_rag.qa.filters import Filter
from contextual_rag.settings import Settings, read_settings
from contextual_rag.wiring import World
from tests.conftest import settings_of
from tests.conversing import PATIENCE_S
from tests.servers.open_meteo import OpenMeteoServer
from tests.servers.together import TogetherServer

__all__ = ["Office"]


@pytest.fixture(scope="session")
def model() -> Iterator[TogetherServer]:
    """The model server, for the whole session; each test starts without faults and at full speed."""
    with TogetherServer() as server:
        yield server


@pytest.fixture(scope="session")
def weather() -> Iterator[OpenMeteoServer]:
    """The weather service, for the whole session."""
    with OpenMeteoServer() as server:
        yield server


@pytest.fixture(autouse=True)
def faultless(model: TogetherServer, weather: OpenMeteoServer) -> None:
    """Remove planned faults after each test."""
    model.forget()
    weather.forget()
    model.tokens_per_second = None


@pytest.fixture(scope="session")
def corpus(stores: Services, model: TogetherServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Twelve small essays, indexed once with the server's models."""
    return prepared(settings_of(stores, tmp_path_factory.mktemp("corpus")), ModelServer(model.url))


class Office:
    """A conversations database of its own; a worker answers its questions while one runs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.world = World(settings)
        self.conversations = self.world.conversations

    def thread(self, **how: str) -> str:
        """Start a conversation; return its id."""
        return self.conversations.start_thread(None, **how).id

    def post(self, question: str, thread: str = "", *, version: str | None = None, where: Filter | None = None) -> Turn:
        """Ask without waiting."""
        return self.conversations.ask(
            thread or self.thread(), None, question, turn_id=uuid.uuid4().hex, version=version, where=where
        )

    def events(self, turn: Turn) -> Iterator[Event]:
        """Follow a turn; fail if it takes too long."""
        gives_up_at = time.monotonic() + PATIENCE_S
        for event in self.conversations.follow(turn.id, None, wait_s=0.5):
            assert time.monotonic() < gives_up_at, f"no end of {turn.question!r}"
            if event is not None:
                yield event

    def answer(self, turn: Turn) -> Answer:
        """Wait for the answer."""
        list(self.events(turn))
        answer = self.conversations.turn(turn.id, None).answer
        assert answer is not None
        return answer

    def ask(
        self, question: str, thread: str = "", *, version: str | None = None, where: Filter | None = None
    ) -> Answer:
        """Ask, and wait for the answer."""
        return self.answer(self.post(question, thread, version=version, where=where))


class Hurried(NamedTuple):
    """The limits of a turn in the tests."""

    turn_timeout_s: float = 5.0
    model_timeout_s: float = 1.0
    model_attempts: int = 2
    object_store_attempts: int = 2


@pytest.fixture(scope="module")
def office(corpus: Settings, weather: OpenMeteoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A database with a worker with short time limits, for all tests of a file."""
    own = {"data_dir": tmp_path_factory.mktemp("office"), "weather_url": weather.url, "geocoding_url": weather.url}
    hurried = corpus.model_copy(update=own | Hurried()._asdict())
    office = Office(hurried)
    with Worker(hurried):
        yield office
    office.conversations.close()


@pytest.fixture
def closed_office(corpus: Settings, tmp_path: Path) -> Iterator[Office]:
    """A database for this test, without a worker until the test starts one."""
    office = Office(corpus.model_copy(update={"data_dir": tmp_path, **Hurried()._asdict()}))
    yield office
    office.conversations.close()


@pytest.fixture
def conversations(tmp_path: Path) -> Iterator[Conversations]:
    """Conversations without a worker."""
    made = Conversations(read_settings(data_dir=tmp_path))
    yield made
    made.close()
