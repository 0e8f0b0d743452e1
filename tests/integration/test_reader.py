"""A process that goes on answering while CURRENT moves: no question fails, no answer mixes versions."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier, Event

import pytest

from contextual_rag import keys
from contextual_rag.embedded.services import Services
from contextual_rag.errors import CorruptObjectError, ServiceUnavailableError, UnknownVersionError
from contextual_rag.qa.answer import Answer, answer
from contextual_rag.settings import Settings
from contextual_rag.versions.reader import Reader
from contextual_rag.wiring import World
from tests.faults.faulty_store import FaultyStore, Rule, faulty_store
from tests.raising import raising
from tests.small_versions import NAMES, chunks_of, flip, index_gets, point, put_version
from tests.small_world import SmallVectors, WordCounts

A, B, C = "2026-01-01-0000000a", "2026-01-02-0000000b", "2026-01-03-0000000c"


@pytest.fixture
def proxy(stores: Services) -> Iterator[FaultyStore]:
    """A proxy in front of the object store, which counts what is asked of it, or refuses."""
    with faulty_store(stores.environment["AWS_ENDPOINT_URL"]) as store:
        yield store


@pytest.fixture
def through(proxy: FaultyStore, settings: Settings, world: World) -> World:
    """The world seen through the proxy; versions A, B and C are there, and CURRENT is A."""
    for version in (A, B, C):
        put_version(world.store, version)
    point(world.store, A)
    return World(settings.model_copy(update={"aws_endpoint_url": proxy.url, "object_store_attempts": 1}))


class Clock:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(through: World, clock: Clock) -> Iterator[Reader]:
    """A reader that looks every ten seconds, by that clock."""
    with closing(Reader(through.registry, through.indexes, every_s=10, clock=clock)) as reader:
        yield reader


@pytest.fixture
def restless(through: World) -> Iterator[Reader]:
    """A reader that looks with every question."""
    with closing(Reader(through.registry, through.indexes, every_s=0)) as reader:
        yield reader


VECTORS = SmallVectors([chunk for version in (A, B, C) for chunk in chunks_of(version)])


def ask(reader: Reader) -> Answer:
    """Ask; whatever the answer says is of one version."""
    answered = answer(reader.index(), VECTORS, WordCounts(), "How long burns the lamp number 7?", chat=None)
    assert answered.hits
    assert not answered.abstained
    assert {hit.chunk.chunk_id.split("/")[0] for hit in answered.hits} == {answered.version}
    cited = [citation.chunk for citation in answered.citations if citation.chunk]
    assert {chunk.chunk_id.split("/")[0] for chunk in cited} == {answered.version}
    return answered


def damage(world: World, version: str) -> Callable[[], None]:
    """Flip a bit of a version in the bucket; what is returned mends it."""
    key = keys.index_file(version, NAMES[0])
    stored = world.store.get(key)
    assert stored
    world.store.put(key, flip(stored.body))
    return lambda: world.store.put(key, stored.body)


def test_questions_go_on_while_current_moves(restless: Reader, world: World) -> None:
    damage(world, B)
    assert ask(restless).version == A
    ended = Event()

    def ask_on() -> set[str]:
        seen = set()
        while not ended.is_set():
            seen.add(ask(restless).version)
        return seen

    with ThreadPoolExecutor(3) as pool:
        askers = [pool.submit(ask_on) for _ in range(3)]
        try:
            for version in (C, A) * 4:
                point(world.store, B)  # which cannot be loaded
                while restless.problem is None:
                    ask(restless)
                point(world.store, version)
                while ask(restless).version != version:
                    pass
        finally:
            ended.set()
        assert [asker.result() for asker in askers] == [{A, C}] * 3


class TestCurrent:
    def test_is_looked_at_no_more_often_than_asked_for(
        self, reader: Reader, clock: Clock, world: World, proxy: FaultyStore
    ) -> None:
        assert reader.index().version == A
        point(world.store, C)
        proxy.passed.clear()
        clock.now += 9
        assert [reader.index().version for _ in range(50)] == [A] * 50
        assert proxy.passed == []
        clock.now += 1
        while reader.index().version != C:
            pass
        assert index_gets(proxy.passed, C) == NAMES
        assert reader.problem is None

    def test_is_looked_at_at_once_where_that_is_asked_for(self, reader: Reader, world: World) -> None:
        assert reader.index().version == A
        point(world.store, C)
        assert reader.refresh().version == C
        point(world.store, A)
        assert reader.refresh().version == A
        assert reader.index().version == A

    def test_is_loaded_once_though_many_ask_first(self, reader: Reader, proxy: FaultyStore) -> None:
        together = Barrier(8)

        def first() -> object:
            together.wait()
            return reader.index()

        with ThreadPoolExecutor(8) as pool:
            indexes = {id(future.result()) for future in [pool.submit(first) for _ in range(8)]}
        assert len(indexes) == 1
        assert index_gets(proxy.passed, A) == NAMES

    def test_that_was_moved_away_from_is_not_kept_in_memory(self, reader: Reader, world: World) -> None:
        old = weakref.ref(reader.index())
        point(world.store, C)
        assert reader.refresh().version == C
        gc.collect()
        assert old() is None
        assert f"/{A}/" not in Path("/proc/self/maps").read_text()


class TestProblem:
    def test_of_a_damaged_version_is_said_while_the_old_one_answers_until_it_is_mended(
        self, reader: Reader, clock: Clock, world: World, proxy: FaultyStore
    ) -> None:
        assert ask(reader).version == A
        mend = damage(world, B)
        point(world.store, B)
        proxy.passed.clear()

        def tries_after(seconds: float) -> int:
            clock.now += seconds
            assert reader.refresh().version == A
            assert ask(reader).version == A
            assert reader.problem
            assert keys.index_file(B, NAMES[0]) in reader.problem
            assert A in reader.problem
            return index_gets(proxy.passed, B).count(NAMES[0])

        # Tried after 10 seconds, 20 more, 40 more.
        assert [tries_after(seconds) for seconds in (0, 5, 5, 10, 10, 20, 20)] == [1, 1, 2, 2, 3, 3, 4]
        # What was good of it has been fetched once.
        assert len(index_gets(proxy.passed, B)) == len(NAMES) - 1 + 4
        mend()
        clock.now += 80
        assert reader.refresh().version == B
        assert reader.problem is None

    def test_is_over_where_current_moves_on(self, reader: Reader, world: World) -> None:
        assert reader.index().version == A
        damage(world, B)
        for good in (C, A):
            point(world.store, B)
            assert reader.refresh().version != B
            assert reader.problem
            point(world.store, good)
            assert reader.refresh().version == good
            assert reader.problem is None

    def test_of_a_version_that_is_not_there_or_a_current_that_says_nothing(self, reader: Reader, world: World) -> None:
        assert reader.index().version == A
        point(world.store, "2999-01-01-00000000")
        assert reader.refresh().version == A
        assert reader.problem
        assert "2999-01-01-00000000" in reader.problem
        world.store.put(keys.CURRENT, b"\x00")
        assert reader.refresh().version == A
        assert keys.CURRENT in reader.problem
        world.store.delete([keys.CURRENT])
        assert reader.refresh().version == A
        assert "`rag build`" in reader.problem
        point(world.store, C)
        assert reader.refresh().version == C
        assert reader.problem is None

    def test_of_a_store_that_is_down_fails_no_question(self, reader: Reader, proxy: FaultyStore, world: World) -> None:
        assert ask(reader).version == A
        point(world.store, C)
        proxy.rules = [Rule("GET", "/6_indexes/", status=503, code="SlowDown")]
        assert reader.refresh().version == A
        assert ask(reader).version == A
        assert reader.problem
        assert "SlowDown" in reader.problem
        proxy.rules = []
        assert reader.refresh().version == C
        assert reader.problem is None

    def test_of_the_first_version_is_raised_until_there_is_one(
        self, reader: Reader, proxy: FaultyStore, world: World
    ) -> None:
        world.store.delete([keys.CURRENT])
        with raising(UnknownVersionError, "unknown_version"):
            reader.index()
        point(world.store, A)
        proxy.rules = [Rule("GET", f"/{A}/chunks", status=503, code="SlowDown")]
        with raising(ServiceUnavailableError, "service_unavailable"):
            reader.index()
        proxy.rules = []
        mend = damage(world, A)
        elsewhere = World(world.settings.model_copy(update={"data_dir": world.settings.data_dir / "elsewhere"}))
        with closing(elsewhere.reader), raising(CorruptObjectError, "corrupt_object", NAMES[0]):
            elsewhere.reader.index()
        mend()
        proxy.passed.clear()
        assert reader.index().version == A
        # The rest was fetched before the store failed.
        assert index_gets(proxy.passed, A) == ["chunks.arrow"]
        assert reader.problem is None
