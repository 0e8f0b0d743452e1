"""What is removed while something else is at work, and answers of the store that are lost on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Timer
from typing import Any

import pytest

from bench.days import FIRST, SOURCE, build_day, edition, keep_day
from contextual_rag import keys
from contextual_rag.building.order import Run
from contextual_rag.embedded.services import Services
from contextual_rag.errors import ConflictError, CorruptObjectError, UnknownVersionError
from contextual_rag.ports import Described, Stored
from contextual_rag.settings import Settings
from contextual_rag.versions import lease, manage
from contextual_rag.versions.lease import Lease, is_held
from contextual_rag.versions.life import alive
from contextual_rag.versions.records import Measured
from contextual_rag.wiring import World
from tests.conftest import settings_of
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


def assembled(world: World, run: Run) -> tuple[str, str]:
    """Do all of a build but its last steps; return the order and the version."""
    order = world.steps.discover(run).order
    slugs = [slug for slug, _ in world.steps.changes(order)]
    outcomes = [
        world.steps.chunk(order, slugs),
        world.steps.contextualize(order, slugs),
        world.steps.embed(order, slugs),
    ]
    return order, world.steps.assemble(order, outcomes).version


def another_edition(world: World, **asked: Any) -> tuple[str, str]:
    """Assemble a version that nothing else refers to."""
    keep_day(world, LATER, edition("another edition"))
    return assembled(world, Run(day=LATER, by="tests", past=True, source=SOURCE, promote=True, **asked))


def ids_of(world: World, version: str) -> list[str]:
    draft = world.registry.drafts.load(version)
    assert draft
    return list(world.indexes.open(draft).rows)


class TestABuildThatIsAlive:
    def test_keeps_all_that_it_made_however_old_that_is(self, young: World) -> None:
        keep_day(young, LATER, edition("another edition"))
        run = Run(day=LATER, by="tests", past=True, source=SOURCE, promote=True)
        order, version = assembled(young, run)
        # An hour of grace passed since all of it was made; only the sign of life is new.
        with alive(young.store, order):
            manage.prune(grown_old(young, keys.building(order)), keep=2, **WHO)
        draft = young.registry.drafts.load(version)
        assert draft
        made = {keys.index_file(version, name) for name in draft.files} | {keys.plan(order), keys.order(order)}
        for essay in draft.essays:
            made |= {keys.document(essay.document), keys.chunks(essay.chunks), keys.contexts(essay.contexts)}
            made |= {keys.embeddings(essay.embeddings)}
        assert made - set(young.store.list("")) == set()
        assert young.vectors.missing(young.steps.order(order).recipe.collection, ids_of(young, version)) == []
        assert young.steps.publish(order, version, Measured(quality={})).current

    def test_gives_the_sign_again_and_again(self, world: World) -> None:
        with alive(world.store, "order", every_s=0.01):
            (first,) = world.store.describe(keys.building("order"))
            while next(iter(world.store.describe(keys.building("order")))).modified == first.modified:
                pass  # ends with the next sign

    def test_is_known_by_the_order_and_by_no_other(self, young: World) -> None:
        order, version = another_edition(young)
        young.store.delete([keys.building(order)])
        with alive(young.store, "another order"):
            manage.prune(grown_old(young, keys.building("another order")), keep=2, **WHO)
        assert list(young.store.list(keys.index_file(version, ""))) == []


class TestABuildThatWasStopped:
    """Its process was stopped for longer than grace and lease, while another one pruned."""

    def test_between_its_steps_is_not_published_and_says_so(self, young: World) -> None:
        order, version = another_edition(young)
        before = young.registry.current()
        manage.prune(young, keep=2, **WHO)
        with raising(UnknownVersionError, "unknown_version", version):
            young.steps.publish(order, version, Measured(quality={}))
        assert not young.registry.exists(version)
        after = young.registry.current()
        assert before
        assert after
        assert after.version == before.version

    def test_after_it_had_checked_all_is_not_published_either(self, young: World) -> None:
        order, version = another_edition(young)
        stopped = World(young.settings)
        # The last look before publishing is at the vectors; what happens after it is decided by the draft alone.
        vars(stopped)["vectors"] = StoppedAfter(young, "missing", lambda: manage.prune(young, keep=2, **WHO))
        with pytest.raises((UnknownVersionError, ConflictError)):
            stopped.steps.publish(order, version, Measured(quality={}))
        assert not young.registry.exists(version)
        assert list(young.store.list(keys.index_file(version, ""))) == []

    def test_after_it_had_checked_all_keeps_its_files_if_it_went_on_while_a_prune_decided(self, young: World) -> None:
        """The prune began after the build had looked, and saw its draft, which then became a version."""
        order, version = another_edition(young)
        looked, goes_on, published = Event(), Event(), Event()

        def stand_still() -> None:
            looked.set()
            assert goes_on.wait(60)

        def remove_draft() -> None:
            young.store.delete([keys.draft(version)])
            published.set()

        def let_it_go_on() -> None:
            goes_on.set()
            assert published.wait(60)

        stopped, pruner = World(young.settings), World(young.settings)
        vars(stopped)["vectors"] = StoppedAfter(young, "missing", stand_still)
        vars(stopped)["store"] = StoppedBefore(young.store, "delete", [keys.draft(version)], 1, remove_draft)
        # What is a version is read by now, and what is to go is not yet.
        vars(pruner)["vectors"] = StoppedAfter(young, "collections", let_it_go_on, nth=1)
        with ThreadPoolExecutor(1) as thread:
            publishing = thread.submit(stopped.steps.publish, order, version, Measured(quality={}))
            assert looked.wait(60)
            with raising(ConflictError, "conflict", version):
                manage.prune(pruner, keep=2, **WHO)
            assert publishing.result().current
        young.registry.verify(young.registry.manifest(version))

    def test_after_it_had_checked_all_keeps_what_its_young_draft_names(self, young: World) -> None:
        order, version = another_edition(young)
        stopped = World(young.settings)
        later = grown_old(young, keys.draft(version))
        vars(stopped)["vectors"] = StoppedAfter(young, "missing", lambda: manage.prune(later, keep=2, **WHO))
        assert stopped.steps.publish(order, version, Measured(quality={})).current
        manifest = young.registry.manifest(version)
        young.registry.verify(manifest)
        assert young.vectors.missing(manifest.collection, list(young.indexes.open(manifest).rows)) == []
        assert all(young.store.exists(keys.embeddings(essay.embeddings)) for essay in manifest.essays)

    def test_is_built_again_by_the_same_order(self, young: World) -> None:
        order, version = another_edition(young)
        manage.prune(young, keep=2, **WHO)
        slugs = [slug for slug, _ in young.steps.changes(order)]
        outcomes = [young.steps.chunk(order, slugs), young.steps.contextualize(order, slugs)]
        outcomes.append(young.steps.embed(order, slugs))
        assert young.steps.assemble(order, outcomes).version == version
        assert young.steps.publish(order, version, Measured(quality={})).current

    def test_and_lost_an_essay_says_so_instead_of_leaving_it_out(self, young: World) -> None:
        keep_day(young, LATER, edition("another edition"))
        order = young.steps.discover(Run(day=LATER, by="tests", past=True, source=SOURCE, promote=True)).order
        slugs = [slug for slug, _ in young.steps.changes(order)]
        outcomes = [young.steps.chunk(order, slugs), young.steps.contextualize(order, slugs)]
        outcomes.append(young.steps.embed(order, slugs))
        manage.prune(young, keep=2, **WHO)
        with raising(UnknownVersionError, "unknown_version", *slugs):
            young.steps.assemble(order, outcomes)

    def test_leaves_alone_what_another_build_made_meanwhile(self, young: World) -> None:
        keep_day(young, LATER, edition("another edition"))
        order = young.steps.discover(Run(day=LATER, by="tests", past=True, source=SOURCE, promote=True)).order
        slugs = [slug for slug, _ in young.steps.changes(order)]
        young.steps.chunk(order, slugs)
        (*_, last) = young.steps.plan(order).essays

        def make() -> None:
            young.steps.contextualize(order, slugs)
            young.steps.embed(order, slugs)

        stopped = World(young.settings)
        vars(stopped)["store"] = OvertakenAt(young, keys.contexts(last.keys.contexts), make)
        stopped.steps.contextualize(order, slugs)
        assert young.store.exists(keys.embeddings(last.keys.embeddings))


class TestAPrunerThatWasStopped:
    def test_after_it_had_looked_at_its_lease_removes_nothing_any_more(
        self, young: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, version = another_edition(young)
        stopped = World(young.settings)

        def stop() -> None:
            now = time.monotonic()
            monkeypatch.setattr(lease, "time", Later(now + 3600))

        vars(stopped)["store"] = StoppedBeforeDeleting(young, stop)
        before = set(young.store.list(keys.index_file(version, "")))
        with raising(ConflictError, "conflict"):
            manage.prune(stopped, keep=2, **WHO)
        assert set(young.store.list(keys.index_file(version, ""))) == before

    def test_while_its_request_was_on_the_way_removes_nothing_of_what_others_made_meanwhile(
        self, stores: Services, young: World
    ) -> None:
        run = Run(day=LATER, by="tests", past=True, source=SOURCE, promote=True)
        _, version = another_edition(young)
        # Half of it is enough to come from taking the lease to the first request, beside other work too.
        soon = young.settings.model_copy(update={"prune_dead_after_s": 8.0})

        def build_again() -> None:
            other = World(soon)
            order, same = assembled(other, run)
            assert same == version
            assert other.steps.publish(order, version, Measured(quality={})).current

        with faulty_store(stores.environment["AWS_ENDPOINT_URL"]) as proxy:
            stopped = World(soon.model_copy(update={"aws_endpoint_url": proxy.url}))
            renewals = Rule("PUT", keys.PRUNING, nth=2, status=503, code="SlowDown")
            removal = Rule("DELETE", keys.index_file(version, ""), then=build_again)
            proxy.rules = [renewals, removal]
            with raising(ConflictError, "conflict"):
                manage.prune(stopped, keep=2, **WHO)
            assert removal.nth < 1  # it was on its way
        manifest = young.registry.manifest(version)
        assert all(young.store.exists(keys.index_file(version, name)) for name in manifest.files)
        assert young.vectors.missing(manifest.collection, list(young.indexes.open(manifest).rows)) == []

    @pytest.mark.parametrize("planned", [False, True], ids=["before the plan", "after the plan"])
    def test_is_waited_for_by_whoever_plans(self, young: World, *, planned: bool) -> None:
        impatient = World(young.settings.model_copy(update={"prune_dead_after_s": 0.2}))
        order = impatient.steps.discover(Run(day=LATER, by="tests", past=True, source=SOURCE)).order
        if planned:
            impatient.steps.changes(order)
        Lease(young.store, by="a process that died", dead_after_s=3600).__enter__()
        impatient.steps.changes(order)
        assert not is_held(young.store)


class Later:
    """The time, at another moment."""

    def __init__(self, now: float) -> None:
        self._now = now

    def monotonic(self) -> float:
        return self._now


class StoppedBeforeDeleting:
    """The object store; the process is stopped after it has decided to delete, and before it sends anything."""

    def __init__(self, world: World, stop: Callable[[], object]) -> None:
        self._store, self._stop = world.store, stop

    def delete(self, keys_: Sequence[str], **how: Any) -> None:
        self._stop()
        self._store.delete(keys_, **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class TestPublishing:
    @pytest.mark.parametrize("name", ["chunks.arrow", "bm25/vocab.index.json"])
    def test_refuses_a_version_that_lacks_a_file(self, young: World, name: str) -> None:
        order, version = another_edition(young)
        before = young.registry.current()
        young.store.delete([keys.index_file(version, name)])
        with raising(UnknownVersionError, "unknown_version", version, name):
            young.steps.publish(order, version, Measured(quality={}))
        assert not young.registry.exists(version)
        assert young.registry.current() == before

    def test_puts_vectors_back_that_milvus_lost(self, young: World) -> None:
        order, version = another_edition(young)
        collection, ids = young.steps.order(order).recipe.collection, ids_of(young, version)
        young.vectors.delete(collection, ids[:1])
        assert young.steps.publish(order, version, Measured(quality={})).current
        assert young.vectors.missing(collection, ids) == []

    def test_refuses_a_version_that_lacks_a_vector_for_good(self, young: World) -> None:
        order, version = another_edition(young)
        draft = young.registry.drafts.load(version)
        assert draft
        young.vectors.delete(draft.collection, ids_of(young, version)[:1])
        young.store.delete([keys.embeddings(essay.embeddings) for essay in draft.essays])
        with raising(CorruptObjectError, "corrupt_object", version):
            young.steps.publish(order, version, Measured(quality={}))
        assert not young.registry.exists(version)

    def test_refuses_to_let_a_known_version_answer_that_lacks_a_file(self, young: World) -> None:
        known = young.registry.resolve()
        order = young.steps.discover(Run(day=LATER, by="tests", past=True, source=SOURCE, promote=True)).order
        young.steps.changes(order)
        version = young.steps.assemble(order, []).version
        assert version == known.version
        young.store.delete([keys.index_file(version, "chunks.arrow")])
        with raising(UnknownVersionError, "unknown_version", "chunks.arrow"):
            young.steps.publish(order, version, Measured(quality={}))

    def test_that_was_killed_after_it_was_decided_is_finished_by_whoever_comes_next(self, young: World) -> None:
        order, version = another_edition(young)
        killed = World(young.settings)
        vars(killed)["store"] = KilledAt(young, keys.manifest(version))
        with pytest.raises(KilledError):
            killed.steps.publish(order, version, Measured(quality={}))
        assert not young.registry.exists(version)
        manage.prune(young, keep=3, **WHO)
        assert young.registry.exists(version)
        young.registry.verify(young.registry.manifest(version))

    @pytest.mark.parametrize("again", [False, True], ids=["pruned", "pruned and built again"])
    @pytest.mark.parametrize(("method", "nth"), [("get", 3), ("put_new", 1)], ids=["before it looked", "after it"])
    def test_that_stood_still_after_it_was_decided_brings_nothing_back(
        self, young: World, method: str, nth: int, *, again: bool
    ) -> None:
        """Meanwhile others publish the version, prune it, and perhaps build it again."""
        order, version = another_edition(young)

        def others() -> None:
            manage.prune(young, keep=3, **WHO)
            assert young.registry.exists(version)
            manage.prune(young, keep=0, **WHO)
            assert not young.registry.exists(version)
            if again:
                run = Run(day=LATER, by="tests", past=True, source=SOURCE, promote=True)
                assert young.steps.publish(*assembled(young, run), Measured(quality={})).version == version

        key = keys.draft(version) if method == "get" else keys.manifest(version)
        stopped = World(young.settings)
        # Who takes the manifest back may have to wait for a prune, and another may come first.
        contended = StoppedBefore(young.store, "swap", keys.PRUNING, 1, lambda: take_for_a_moment(young))
        vars(stopped)["store"] = StoppedBefore(contended, method, key, nth, others)
        if again:
            stopped.steps.publish(order, version, Measured(quality={}))
        else:
            with raising(UnknownVersionError, "unknown_version"):
                stopped.steps.publish(order, version, Measured(quality={}))
        assert young.registry.exists(version) is again
        for name in young.registry.names():
            young.registry.verify(young.registry.manifest(name))


def take_for_a_moment(world: World) -> None:
    other = world.registry.lease(by="another process")
    other.__enter__()
    Timer(0.2, other.__exit__, (None, None, None)).start()


class StoppedBefore:
    """The object store; somebody else acts right before the nth time that a method is called for a key."""

    def __init__(self, store: Any, method: str, key: object, nth: int, other: Callable[[], object]) -> None:
        self._store, self._method, self._key, self._nth, self._other = store, method, key, nth, other

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        def stopped(*args: Any, **more: Any) -> Any:
            if (name, args[0]) == (self._method, self._key):
                self._nth -= 1
                if self._nth == 0:
                    self._other()
            return found(*args, **more)

        return stopped if callable(found) else found


class StoppedAfter:
    """The vectors; somebody else acts right after a method gave its nth answer, while this process stands still."""

    def __init__(self, world: World, method: str, other: Callable[[], object], nth: int = 2) -> None:
        self._vectors, self._method, self._other = world.vectors, method, other
        self._calls, self._nth = 0, nth

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._vectors, name)
        if name != self._method:
            return found

        def stopped(*args: Any) -> Any:
            answer = found(*args)
            self._calls += 1
            if self._calls == self._nth:
                self._other()
            return answer

        return stopped


class KilledError(BaseException):
    """The process was killed."""


class KilledAt:
    """The object store; the process is killed before it puts a key."""

    def __init__(self, world: World, key: str) -> None:
        self._store, self._key = world.store, key

    def put_new(self, key: str, body: bytes) -> bool:
        if key == self._key:
            raise KilledError
        return self._store.put_new(key, body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def grown_old(world: World, *new: str) -> World:
    """The same world, an hour of grace later; only these keys, and the lease, were put since."""
    old = World(world.settings.model_copy(update={"prune_grace_hours": 0.5}))
    vars(old)["store"] = AnHourAgo(world, (keys.PRUNING, *new))
    return old


class AnHourAgo:
    """The object store; all but some keys seem to have been put an hour earlier."""

    def __init__(self, world: World, new: tuple[str, ...]) -> None:
        self._store, self._new = world.store, new

    def describe(self, prefix: str) -> Iterator[Described]:
        for found in self._store.describe(prefix):
            aged = found if found.key in self._new else found._replace(modified=found.modified - timedelta(hours=1))
            yield aged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


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
        order, version = another_edition(young)
        overtaken = World(young.settings)
        vars(overtaken)["store"] = OvertakenAt(
            young, keys.manifest(version), lambda: young.steps.publish(order, version, Measured(quality={}))
        )
        if step == "evaluate":
            overtaken.steps.evaluate(order, version)
        published = overtaken.steps.publish(order, version, Measured(quality={}))
        assert (published.version, published.current) == (version, True)
        assert young.registry.resolve().version == version
        assert [change.version for change in young.registry.history()].count(version) == 1


class TestPruning:
    def test_removes_what_a_killed_build_left_beside_the_files_of_a_version(self, young: World) -> None:
        version = young.registry.resolve().version
        young.store.put(keys.draft(version), b"{}")
        manage.prune(young, keep=2, **WHO)
        assert not young.store.exists(keys.draft(version))
        young.registry.verify(young.registry.manifest(version))

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
