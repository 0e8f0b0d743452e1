"""What is removed while something else is at work, and answers of the store that are lost on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest

from bench.days import FIRST, build_day, edition, keep_day
from contextual_rag import build, keys, manage
from contextual_rag.build import Run
from contextual_rag.embedded.services import Services
from contextual_rag.errors import UnknownVersionError
from contextual_rag.lease import Lease, is_held
from contextual_rag.model import Measured, Page
from contextual_rag.ports import Stored
from contextual_rag.record import require
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.conftest import ServedSite, settings_of
from tests.faults.faulty_store import FaultyStore, Rule, faulty_store
from tests.kept import Kept, keep
from tests.raising import raising

WHO: dict[str, Any] = {"by": "tests", "why": "a test"}
LATER = FIRST + timedelta(days=1)


@pytest.fixture(scope="module")
def two_days(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Two days of other essays, each published when it was built."""
    world = World(settings_of(stores, tmp_path_factory.mktemp("two_days")))
    for day in (FIRST, LATER):
        keep_day(world, day, edition(day.isoformat()))
        build_day(world, day, promote=True)
    return keep(world)


@pytest.fixture
def young(two_days: Kept, world: World) -> World:
    """A world in which nothing is too young to be pruned, with two versions."""
    young = World(world.settings.model_copy(update={"prune_grace_hours": 0.0}))
    two_days.put(young)
    return young


class PrunedAt:
    """The object store; somebody prunes while the first object whose key matches is being put.

    Who prunes has listed what was there before, which is removed after it: below `prefix`, as if it were all old.
    """

    def __init__(self, world: World, pattern: str, prefix: str) -> None:
        self._store = world.store
        self._pattern, self._prefix = pattern, prefix
        self._listed, self._put = Event(), Event()
        self.pruning = Thread(target=self._prune)

    def put(self, key: str, body: bytes) -> None:
        if not re.search(self._pattern, key) or self._listed.is_set():
            self._store.put(key, body)
            return
        self.pruning.start()
        self._listed.wait()
        self._store.put(key, body)
        self._put.set()

    def _prune(self) -> None:
        with Lease(self._store, by="another process"):
            listed = list(self._store.list(self._prefix))
            self._listed.set()
            self._put.wait()
            self._store.delete(listed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def assembled(world: World, run: Run) -> str:
    """Do all of a build but its last steps; return the version."""
    listed, _ = build.discover(world, run)
    planned, changed = build.changes(world, run, listed or "", [])
    slugs = [slug for slug, _ in changed]
    outcomes = [
        build.chunk(world, planned, slugs),
        build.contextualize(world, run, planned, slugs),
        build.embed(world, run, planned, slugs),
    ]
    return build.assemble(world, planned, outcomes)


class TestABuildBesideAPrune:
    @pytest.mark.parametrize("prefix", ["1_pages/listings/", keys.PLANS])
    def test_keeps_what_it_stores_again_under_the_key_of_an_earlier_build(self, young: World, prefix: str) -> None:
        known = build_day(young, LATER)  # a second time, so that the third plans the same
        pruned = PrunedAt(young, prefix, prefix)
        builder = World(young.settings)
        vars(builder)["store"] = pruned
        assert build_day(builder, LATER).version == known.version
        pruned.pruning.join()

    def test_stores_again_the_files_that_were_taken_for_those_of_an_earlier_attempt(self, young: World) -> None:
        keep_day(young, LATER, edition("another edition"))
        pruned = PrunedAt(young, r"draft\.json", f"{keys.INDEXES}{LATER}-")
        others = {version: young.registry.manifest(version) for version in young.registry.names()}
        builder = World(young.settings)
        vars(builder)["store"] = pruned
        built = build_day(builder, LATER, promote=True)
        pruned.pruning.join()
        assert built.version not in others
        young.registry.verify(built.version)
        assert young.registry.resolve().version == built.version

    def test_parses_again_the_documents_that_were_removed(self, young: World) -> None:
        manifest = young.registry.resolve()
        for essay in manifest.essays:
            young.store.delete([keys.chunks(essay.chunks), keys.contexts(essay.contexts)])
        pruned = PrunedAt(young, keys.PLANS, "2_documents/")
        builder = World(young.settings)
        vars(builder)["store"] = pruned
        assert build_day(builder, LATER).failed == ()
        pruned.pruning.join()
        assert all(young.store.exists(keys.document(essay.document)) for essay in manifest.essays)

    def test_stores_again_a_page_that_nothing_referred_to_since_an_earlier_day(
        self, world: World, sample_site: ServedSite
    ) -> None:
        run = Run(day=LATER, by="tests", source=sample_site.url)
        listed, titles = build.discover(world, run)
        assert listed
        slug = titles[0][0]
        build.fetch(world, run, listed, [slug])
        page = require(world.store, keys.fetched(slug), Page)
        world.store.delete([keys.fetched(slug)])
        pruned = PrunedAt(world, keys.fetched(slug), keys.page(page.sha256))
        builder = World(world.settings)
        vars(builder)["store"] = pruned
        build.fetch(builder, run, listed, [slug])
        pruned.pruning.join()
        assert world.store.exists(keys.page(page.sha256))

    def test_publishes_nothing_whose_files_were_removed_since_it_was_assembled(self, young: World) -> None:
        keep_day(young, LATER, edition("another edition"))
        run = Run(day=LATER, by="tests", past=True, promote=True)
        version = assembled(young, run)
        before = young.registry.current()
        young.store.delete([keys.index_file(version, "chunks.arrow")])
        with raising(UnknownVersionError, "unknown_version", version, "chunks.arrow"):
            build.publish(young, run, version, Measured(quality={}))
        assert not young.registry.exists(version)
        assert young.registry.current() == before


class OvertakenAt:
    """The object store; somebody else acts right after a key was looked at for the first time."""

    def __init__(self, world: World, key: str, other: Callable[[], object]) -> None:
        self._store, self._key, self._other = world.store, key, other
        self._begun = False

    def exists(self, key: str) -> bool:
        found = self._store.exists(key)
        self._overtake(key)
        return found

    def get(self, key: str) -> Stored | None:
        stored = self._store.get(key)
        self._overtake(key)
        return stored

    def list(self, prefix: str) -> Iterator[str]:
        found = list(self._store.list(prefix))
        self._overtake(prefix)
        return iter(found)

    def _overtake(self, key: str) -> None:
        if key == self._key and not self._begun:
            self._begun = True
            self._other()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class TestTwoBuildsOfTheSameContent:
    @pytest.mark.parametrize("step", ["evaluate", "publish"])
    def test_come_to_the_same_version_whoever_is_first(self, young: World, step: str) -> None:
        keep_day(young, LATER, edition("another edition"))
        run = Run(day=LATER, by="the first", past=True, promote=True)
        version = assembled(young, run)
        overtaken = World(young.settings)
        vars(overtaken)["store"] = OvertakenAt(
            young, keys.manifest(version), lambda: build.publish(young, run, version, Measured(quality={}))
        )
        other = run.model_copy(update={"by": "the second"})
        if step == "evaluate":
            build.evaluate(overtaken, other, version)
        published = build.publish(overtaken, other, version, Measured(quality={}))
        assert (published.version, published.current) == (version, True)
        assert young.registry.resolve().version == version
        assert [change.version for change in young.registry.history()].count(version) == 1


class TestPruning:
    def test_removes_what_a_killed_build_left_beside_the_files_of_a_version(self, young: World) -> None:
        version = young.registry.resolve().version
        young.store.put(keys.draft(version), b"{}")
        manage.prune(young, keep=2, **WHO)
        assert not young.store.exists(keys.draft(version))
        young.registry.verify(version)

    def test_knows_since_when_another_version_answers_though_a_writer_was_killed_before(self, young: World) -> None:
        pointer = young.registry.current()
        assert pointer
        # Archived, and then killed.
        young.store.put(keys.history(pointer.n), pointer.model_dump_json().encode())
        (before,) = young.store.describe(keys.history(pointer.n))
        manage.rollback(young, **WHO)
        (after,) = young.store.describe(keys.history(pointer.n))
        assert after.modified > before.modified

    def test_that_was_killed_is_waited_for_as_long_as_the_setting_says(self, young: World) -> None:
        dead = Lease(young.store, by="a process that died", dead_after_s=3600)
        dead.__enter__()
        impatient = World(young.settings.model_copy(update={"prune_dead_after_s": 0.2}))
        keep_day(impatient, LATER, edition("another edition"))
        assert build_day(impatient, LATER, promote=True).current
        assert not is_held(young.store)


def test_a_rollback_moves_from_the_version_that_was_looked_at_and_from_no_other(young: World) -> None:
    seen = young.registry.resolve().version
    keep_day(young, LATER + timedelta(days=1), edition("another edition"))
    newer = build_day(young, LATER + timedelta(days=1), promote=True)
    with raising(UnknownVersionError, "unknown_version", seen, newer.version, "tests"):
        young.registry.rollback(seen, **WHO)
    assert young.registry.resolve().version == newer.version


def test_a_history_that_grows_while_it_is_read_has_no_gap(young: World) -> None:
    reading = World(young.settings)
    vars(reading)["store"] = OvertakenAt(young, keys.HISTORY, lambda: manage.rollback(young, **WHO))
    numbers = [change.n for change in reading.registry.history()]
    assert numbers == list(range(len(numbers), 0, -1))
    assert young.registry.history()[0].action == "rollback"


class TestAnAnswerThatIsLost:
    """The store did what was asked, its answer did not come, and asking again was refused."""

    @pytest.fixture
    def proxy(self, stores: Services) -> Iterator[FaultyStore]:
        with faulty_store(stores.environment["AWS_ENDPOINT_URL"]) as store:
            yield store

    @pytest.fixture
    def through(self, proxy: FaultyStore, young: World) -> World:
        settings: Settings = young.settings.model_copy(update={"aws_endpoint_url": proxy.url})
        return World(settings)

    @pytest.mark.parametrize(
        "change",
        [
            lambda world: manage.rollback(world, **WHO),
            lambda world: manage.pin(world, **WHO),
            lambda world: manage.promote(world, world.registry.names()[1], **WHO),
        ],
        ids=["rollback", "pin", "promote"],
    )
    def test_leaves_one_change_and_not_two(
        self, through: World, proxy: FaultyStore, young: World, change: Callable[[World], object]
    ) -> None:
        before = young.registry.current()
        assert before
        proxy.rules = [Rule("PUT", keys.CURRENT, status=503, code="SlowDown", done=True, once=True)]
        change(through)
        after = young.registry.current()
        assert after
        assert after.n == before.n + 1

    def test_leaves_the_lease_with_its_holder(self, through: World, proxy: FaultyStore, young: World) -> None:
        proxy.rules = [Rule("PUT", keys.PRUNING, status=503, code="SlowDown", done=True, once=True)]
        with through.registry.lease(by="tests") as lease:
            lease.check()
            assert is_held(young.store)
        assert not is_held(young.store)
