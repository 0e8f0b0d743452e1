"""One API with a worker and a model server for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contextual_rag.embedded.services import Services
from contextual_rag.wiring import World
from tests.conftest import settings_of
from tests.conversing import Conversing, conversing

KEYS = ("the-key-that-anna-has", "the-key-that-boris-has")


@pytest.fixture(scope="session")
def running(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversing]:
    """The running system, with two API keys."""
    folder = tmp_path_factory.mktemp("api")
    world = World(settings_of(stores, folder / "build"))
    with conversing(stores, world, folder, RAG_API_KEYS=",".join(KEYS)) as running:
        yield running
