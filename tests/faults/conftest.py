"""A small site, published once for all of these tests, and `rag` with secrets in its environment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Run
from contextual_rag.embedded.services import Services
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.faults.commands import Commands, assert_no_secret_is_stored
from tests.faults.small_site import index_url, show
from tests.kept import Kept, keep
from tests.servers.faulty_site import FaultySite


@pytest.fixture(scope="session")
def session_small_site() -> Iterator[FaultySite]:
    """One site for all of these tests: essays are known by their URLs, port included."""
    with FaultySite() as site:
        yield site


@pytest.fixture
def small_site(session_small_site: FaultySite) -> FaultySite:
    """The small site without any fault."""
    show(session_small_site)
    return session_small_site


@pytest.fixture(scope="session")
def small_first_day(
    stores: Services, session_small_site: FaultySite, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Built, Kept]:
    """The small site, built once, and all that this left."""
    show(session_small_site)
    update = {"bucket": f"test-{uuid.uuid4().hex[:12]}", "data_dir": tmp_path_factory.mktemp("small")}
    world = World(stores.settings().model_copy(update={**update, "request_interval_s": 0.0}))
    return in_process(world, session_small_site), keep(world)


@pytest.fixture
def published(small_first_day: tuple[Built, Kept], world: World, small_site: FaultySite) -> Built:
    """The small site in this test's own bucket and collection, without any model having been asked again."""
    built, kept = small_first_day
    kept.put(world)
    return built


@pytest.fixture
def commands(environment: dict[str, str], settings: Settings) -> Iterator[Commands]:
    """`rag` on this test's bucket. Whatever the test did, no secret is stored in the end."""
    yield Commands(environment)
    assert_no_secret_is_stored(World(settings))


def in_process(world: World, site: FaultySite) -> Built:
    """Build what the site says, in this process."""
    return build_all(world.steps, Run(day=datetime.now(UTC).date(), by="tests", source=index_url(site)))
