"""The life of index versions: chosen, rolled back, pinned, built of past days, pruned; nothing is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.days import FIRST, SOURCE, build_day, keep_day
from contextual_rag import keys
from contextual_rag.building.build import Built
from contextual_rag.embedded.services import Services
from contextual_rag.errors import ConflictError, CorruptObjectError, SettingError, UnknownVersionError
from contextual_rag.objects import require, save
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.versions import manage
from contextual_rag.versions.lease import Lease, is_held
from contextual_rag.versions.records import Plan
from contextual_rag.wiring import World
from tests.conftest import Rag, settings_of
from tests.kept import Kept, keep
from tests.raising import raising

WHO: dict[str, Any] = {"by": "tests", "why": "a test"}


def essays(**other: str) -> dict[str, str]:
    """What the small site holds, with some essays in other words."""
    texts = {
        "maps": "A map leaves out almost everything. What is left out is what the mapmaker knew.\n\nRivers move.",
        "salt": "Salt was money once. Armies marched for it.\n\nNow it is free on every table.",
        "tides": "The moon pulls the sea. Harbours keep its tables.",
        "bells": "Bells told the hour before clocks did. A village heard its own time.",
    }
    return texts | other


@pytest.fixture
def young(world: World) -> World:
    """A world in which nothing is too young to be pruned."""
    return World(world.settings.model_copy(update={"prune_grace_hours": 0.0}))


@pytest.fixture(scope="session")
def three_days(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Built], Kept]:
    """Three days, each with another text of one essay, each published when it was built."""
    world = World(settings_of(stores, tmp_path_factory.mktemp("three_days")))
    built = []
    for n in range(3):
        keep_day(world, FIRST + timedelta(days=n), essays(salt=f"Salt in edition {n}."))
        built.append(build_day(world, FIRST + timedelta(days=n), promote=True))
    return built, keep(world)


@pytest.fixture
def three(three_days: tuple[list[Built], Kept], young: World) -> list[Built]:
    """The same three days in this test's own bucket and collection."""
    built, kept = three_days
    kept.put(young)
    return built


def current(world: World) -> str:
    return world.registry.resolve().version


def found(world: World, version: str, words: str) -> set[str]:
    """The essays that a question finds in a version."""
    index = world.indexes.open(world.registry.manifest(version))
    hits = retrieve(index, world.vectors, world.embedding_model(index.recipe), words, k=20)
    return {hit.chunk.slug for hit in hits}


class TestChoosing:
    def test_a_rollback_returns_to_the_parent_and_the_next_one_further_back(
        self, young: World, three: list[Built]
    ) -> None:
        for expected in (three[1], three[0]):
            assert manage.rollback(young, **WHO).version == expected.version == current(young)
        with raising(UnknownVersionError, "unknown_version", three[0].version):
            manage.rollback(young, **WHO)
        assert current(young) == three[0].version

    def test_no_build_returns_to_a_version_that_a_person_left(self, young: World, three: list[Built]) -> None:
        manage.rollback(young, **WHO)
        again = build_day(young, FIRST + timedelta(days=2), promote=True)
        assert (again.version, again.current) == (three[2].version, False)
        assert f"rag promote {three[2].version}" in (again.stayed or "")
        assert manage.promote(young, three[2].version, **WHO).version == current(young) == three[2].version

    def test_what_is_new_replaces_a_version_rolled_back_to(self, young: World, three: list[Built]) -> None:
        manage.rollback(young, **WHO)
        keep_day(young, FIRST + timedelta(days=3), essays(salt="Salt in edition 3."))
        assert build_day(young, FIRST + timedelta(days=3), promote=True).version == current(young)

    def test_a_pinned_version_is_not_replaced_until_it_is_unpinned(self, young: World, three: list[Built]) -> None:
        manage.pin(young, **WHO)
        keep_day(young, FIRST + timedelta(days=3), essays(salt="Salt in edition 3."))
        built = build_day(young, FIRST + timedelta(days=3), promote=True)
        assert (built.published, built.current, current(young)) == (True, False, three[2].version)
        assert "is pinned" in (built.stayed or "")
        manage.unpin(young, **WHO)
        assert build_day(young, FIRST + timedelta(days=3), promote=True).current
        with raising(UnknownVersionError, "unknown_version", built.version):
            manage.unpin(young, **WHO)

    def test_an_essay_removed_from_the_site_is_found_in_the_old_version_alone(
        self, young: World, three: list[Built]
    ) -> None:
        left = essays()
        del left["bells"]
        keep_day(young, FIRST + timedelta(days=3), left)
        fourth = build_day(young, FIRST + timedelta(days=3), promote=True)
        for words in ("bells told the hour", "a village heard its own time", "bells"):
            assert "bells" not in found(young, fourth.version, words)
        manage.rollback(young, **WHO)
        assert "bells" in found(young, current(young), "bells told the hour")

    def test_every_change_is_recorded_with_who_and_why(self, young: World, three: list[Built]) -> None:
        manage.rollback(young, by="ada", why="the last one answers badly")
        manage.pin(young, by="ada", why="until it is mended")
        history = young.registry.history()
        assert [change.n for change in history] == [5, 4, 3, 2, 1]
        assert [change.action for change in history] == ["pin", "rollback", "publish", "publish", "publish"]
        assert (history[1].changed_by, history[1].why) == ("ada", "the last one answers badly")
        assert [change.version for change in reversed(history)][:3] == [built.version for built in three]

    def test_the_history_goes_on_where_current_was_lost(self, young: World, three: list[Built]) -> None:
        young.store.delete([keys.CURRENT])
        build_day(young, FIRST + timedelta(days=2), promote=True)
        assert [change.n for change in young.registry.history()] == [3, 2, 1]

    def test_changes_of_many_at_once_are_all_made_one_after_the_other(self, young: World, three: list[Built]) -> None:
        together = Barrier(4)

        def pins(version: str) -> None:
            together.wait()
            World(young.settings).registry.pin(version, **WHO)

        threads = [Thread(target=pins, args=(built.version,)) for built in [*three, three[0]]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pointer = young.registry.current()
        assert pointer
        assert set(pointer.pinned) == {built.version for built in three}
        assert [change.n for change in young.registry.history()] == list(range(pointer.n, 0, -1))


class TestRefusals:
    @pytest.mark.parametrize("action", [manage.promote, manage.pin])
    def test_of_an_unknown_version_name_some_that_are_known(
        self, young: World, three: list[Built], action: object
    ) -> None:
        assert callable(action)
        with raising(UnknownVersionError, "unknown_version", "2020-01-01-00000000", three[2].version):
            action(young, "2020-01-01-00000000", **WHO)
        assert current(young) == three[2].version

    @pytest.mark.parametrize("name", ["chunks.arrow", "bm25/data.csc.index.npy"])
    def test_of_a_version_whose_files_are_missing_name_the_file(
        self, young: World, three: list[Built], name: str
    ) -> None:
        young.store.delete([keys.index_file(three[0].version, name)])
        with raising(CorruptObjectError, "corrupt_object", name):
            manage.promote(young, three[0].version, **WHO)
        assert current(young) == three[2].version

    @given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_of_a_manifest_in_which_one_bit_is_another_name_it(
        self, young: World, three: list[Built], three_days: tuple[list[Built], Kept], place: float, bit: int
    ) -> None:
        _, kept = three_days
        key = keys.manifest(three[0].version)
        body = bytearray(kept.objects[key])
        body[int(place * len(body))] ^= 1 << bit
        young.store.put(key, bytes(body))
        with raising(CorruptObjectError, "corrupt_object", key):
            young.registry.manifest(three[0].version)

    def test_before_anything_is_published_say_so(self, young: World) -> None:
        for action in (manage.rollback, manage.pin, manage.unpin, manage.prune):
            with raising(UnknownVersionError, "unknown_version"):
                action(young, **WHO)

    def test_of_a_change_without_a_reason(self, young: World, three: list[Built]) -> None:
        with raising(SettingError, "setting", "reason"):
            manage.rollback(young, by="ada", why="  ")

    def test_vectors_that_milvus_lost_are_put_back_by_promoting(self, young: World, three: list[Built]) -> None:
        collection = young.registry.resolve().collection
        young.vectors.drop(collection)
        manage.promote(young, three[0].version, **WHO)
        assert "maps" in found(young, three[0].version, "what a map leaves out")

    def test_vectors_that_cannot_be_put_back_are_counted(self, young: World, three: list[Built]) -> None:
        manifest = young.registry.manifest(three[0].version)
        young.vectors.drop(manifest.collection)
        young.store.delete([keys.embeddings(essay.embeddings) for essay in manifest.essays if essay.slug == "bells"])
        with raising(CorruptObjectError, "corrupt_object", "Milvus", 1):
            manage.promote(young, three[0].version, **WHO)
        assert current(young) == three[2].version


# What the site held on seven days: 1 1 2 2 3 1 1.
DAYS = ("one", "one", "two", "two", "three", "one", "one")


@pytest.fixture(scope="module")
def kept_week(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[date], Kept]:
    """Those seven days, of which the last one is built."""
    world = World(settings_of(stores, tmp_path_factory.mktemp("week")))
    days = [FIRST + timedelta(days=n) for n in range(7)]
    for day, text in zip(days, DAYS, strict=True):
        keep_day(world, day, essays(salt=f"Salt in edition {text}."))
    build_day(world, days[-1], promote=True)
    return days, keep(world)


class TestPastDays:
    @pytest.fixture
    def week(self, kept_week: tuple[list[date], Kept], young: World) -> list[date]:
        days, kept = kept_week
        kept.put(young)
        return days

    @pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5, 6), (6, 4, 2, 0, 1, 3, 5), (5, 6, 0, 1, 3, 2, 4)])
    def test_another_recipe_makes_a_version_of_each_content_and_a_second_time_none(
        self, young: World, week: list[date], order: tuple[int, ...]
    ) -> None:
        answering = current(young)
        before = set(young.registry.names())
        first = {n: build_day(young, week[n], chunk_size=300) for n in order}
        made = set(young.registry.names()) - before
        assert len(made) == sum(built.published for built in first.values()) == len(set(DAYS))
        assert current(young) == answering
        again = [build_day(young, day, chunk_size=300) for day in week]
        assert [(built.published, built.work.model_calls, built.work.embedded) for built in again] == [
            (False, 0, 0)
        ] * 7
        assert set(young.registry.names()) - before == made
        assert current(young) == answering

    def test_a_day_equal_to_the_one_before_belongs_to_its_version(self, young: World, week: list[date]) -> None:
        built = [build_day(young, day) for day in week]
        assert built[1].version == built[0].version
        assert built[2].version == built[3].version
        for day, made in zip(week, built, strict=True):
            (held,) = young.registry.as_of(day)
            assert held.version == made.version
        (later,) = young.registry.as_of(week[-1] + timedelta(days=30))
        assert later.version == built[-1].version
        assert young.registry.as_of(week[0] - timedelta(days=1)) == []

    def test_each_recipe_has_its_own_version_of_a_day(self, young: World, week: list[date]) -> None:
        build_day(young, week[2])
        build_day(young, week[2], chunk_size=300)
        held = young.registry.as_of(week[2])
        assert {young.registry.manifest(entry.version).recipe.chunk_size for entry in held} == {1350, 300}

    def test_a_new_recipe_asks_the_models_only_for_what_it_changed(self, young: World, week: list[date]) -> None:
        built = [build_day(young, day) for day in week]
        assert sum(made.work.model_calls for made in built[1:2] + built[3:4] + built[6:]) == 0
        # Only the edited essay, which is one chunk, on the days when it was edited; day 6 is as day 1 was.
        assert [made.work.embedded for made in built] == [0, 0, 1, 0, 1, 0, 0]

    def test_the_clock_set_back_moves_nothing_back(self, young: World, three: list[Built]) -> None:
        keep_day(young, FIRST, essays(salt="Salt in another edition."))
        earlier = build_day(young, FIRST, promote=True)
        assert (earlier.published, earlier.current, current(young)) == (True, False, three[2].version)
        assert "has a later logical date" in (earlier.stayed or "")

    def test_two_runs_of_one_day_leave_the_later_one_and_lose_nothing(self, young: World, three: list[Built]) -> None:
        day = FIRST + timedelta(days=2)
        keep_day(young, day, essays(salt="Salt, the same day again."))
        later = build_day(young, day, promote=True)
        assert later.version == current(young) != three[2].version
        assert {built.version for built in three} < set(young.registry.names())
        (held,) = young.registry.as_of(day)
        assert held.version == later.version

    def test_by_the_command_line(self, rag: Rag, young: World, week: list[date]) -> None:
        listed = rag.json("build", "--day", str(week[2]), "--source", SOURCE, "--chunk-size", "300")
        assert (listed["published"], listed["current"], listed["failed"]) == (True, False, [])
        assert {entry["version"] for entry in rag.json("versions", "--as-of", str(week[3]))} == {listed["version"]}
        refused = rag.run("build", "--day", "2001-01-01", "--source", SOURCE)
        assert refused.returncode == 5
        assert refused.stderr.splitlines()[-1].startswith("UnknownSnapshot: ")
        assert "2001-01-01" in refused.stderr
        other = rag.run("build", "--day", str(week[2]), "--source", "http://another.example/")
        assert other.returncode == 5, "the snapshots are another source's"
        assert SOURCE in other.stderr


class TestPruning:
    def test_keeps_what_is_referred_to_and_removes_all_else(self, young: World, three: list[Built]) -> None:
        keep_day(young, FIRST + timedelta(days=3), essays(salt="Salt in edition 3."))
        last = build_day(young, FIRST + timedelta(days=3), promote=True)
        manage.pin(young, three[0].version, **WHO)
        pruned = manage.prune(young, keep=0, **WHO)
        assert pruned.versions == (three[1].version,)
        assert set(young.registry.names()) == {three[0].version, three[2].version, last.version}
        assert not list(young.store.list(keys.index_file(three[1].version, "")))
        for version in young.registry.names():
            manifest = young.registry.manifest(version)
            young.registry.verify(young.registry.manifest(version))
            assert "salt" in found(young, version, "salt")
            for essay in manifest.essays:
                assert young.store.exists(keys.embeddings(essay.embeddings))
        rows = {id_ for name in young.registry.names() for id_ in rows_of(young, name)}
        assert set(young.vectors.ids(young.registry.resolve().collection)) == rows

    def test_again_removes_nothing_and_only_looking_neither(self, young: World, three: list[Built]) -> None:
        before = set(young.store.list(""))
        looked = manage.prune(young, keep=0, remove_it=False, **WHO)
        assert set(young.store.list("")) - {keys.PRUNING} == before
        pruned = manage.prune(young, keep=0, **WHO)
        assert pruned.model_copy(update={"message": ""}) == looked.model_copy(update={"message": ""})
        again = manage.prune(young, keep=0, **WHO)
        assert (again.versions, again.objects, again.rows) == ((), 0, 0)

    def test_everything_leaves_what_answers_and_its_parent(self, young: World, three: list[Built]) -> None:
        manage.prune(young, keep=0, **WHO)
        assert young.registry.names() == [three[2].version, three[1].version]
        assert manage.rollback(young, **WHO).version == three[1].version

    def test_what_is_young_stays(self, world: World, three: list[Built]) -> None:
        assert manage.prune(world, keep=0, **WHO).versions == ()
        assert len(world.registry.names()) == 3

    def test_a_recipe_without_a_version_loses_its_collection(self, young: World, three: list[Built]) -> None:
        build_day(young, FIRST + timedelta(days=2), chunk_size=300)
        assert len(young.vectors.collections()) == 2
        manage.prune(young, keep=0, **WHO)
        assert young.vectors.collections() == [young.registry.resolve().collection]

    def test_snapshots_stay_so_that_a_pruned_day_can_be_built_again(self, young: World, three: list[Built]) -> None:
        manage.prune(young, keep=0, **WHO)
        again = build_day(young, FIRST)
        assert (again.version, again.published, again.failed) == (three[0].version, True, ())

    def test_an_essay_explained_in_other_words_since_then_keeps_the_vectors_of_both(
        self, young: World, three: list[Built]
    ) -> None:
        manifest = young.registry.resolve()
        essay = next(essay for essay in manifest.essays if essay.slug == "maps")
        young.store.delete([keys.contexts(essay.contexts), keys.embeddings(essay.embeddings)])
        rows = rows_of(young, manifest.version)
        manage.prune(young, keep=3, **WHO)
        assert young.vectors.missing(manifest.collection, rows) == []

    def test_the_plan_of_a_build_under_way_protects_what_it_names(self, world: World, three: list[Built]) -> None:
        essay = world.registry.manifest(three[0].version).essays[0]
        orphan = essay.model_copy(update={"chunks": "0" * 32, "contexts": "1" * 32, "embeddings": "2" * 32})
        (key, *_) = world.store.list(keys.PLANS)
        plan = require(world.store, key, Plan)
        planned = plan.essays[0].model_copy(update={"keys": orphan})
        save(world.store, keys.plan("f" * 32), plan.model_copy(update={"essays": (planned,)}))
        world.store.put(keys.embeddings(orphan.embeddings), b"")
        manage.prune(world, keep=0, **WHO)
        assert world.store.exists(keys.embeddings(orphan.embeddings))

    def test_a_manifest_that_cannot_be_read_stops_it_before_anything_is_removed(
        self, young: World, three: list[Built]
    ) -> None:
        young.store.put(keys.manifest(three[0].version), b"{}")
        before = set(young.store.list(""))
        with raising(CorruptObjectError, "corrupt_object", three[0].version):
            manage.prune(young, keep=0, **WHO)
        assert set(young.store.list("")) - {keys.PRUNING} == before

    def test_current_naming_a_version_that_is_not_there_stops_it(self, young: World, three: list[Built]) -> None:
        young.store.delete([keys.manifest(three[2].version)])
        with raising(CorruptObjectError, "corrupt_object"):
            manage.prune(young, keep=0, **WHO)
        assert len(young.registry.names()) == 2


def rows_of(world: World, version: str) -> list[str]:
    return list(world.indexes.open(world.registry.manifest(version)).rows)


class TestLease:
    @pytest.fixture
    def held(self, world: World) -> Iterator[Lease]:
        with Lease(world.store, by="another process", dead_after_s=60) as lease:
            yield lease

    def test_is_held_by_one_at_a_time_and_given_back(self, world: World) -> None:
        order = []

        def prunes(name: str) -> None:
            try:
                with Lease(world.store, by=name):
                    order.append(("in", name))
                    order.append(("out", name))
            except ConflictError:  # the other one was first, at the very same moment
                order.extend([("in", name), ("out", name)])

        threads = [Thread(target=prunes, args=(f"process {n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not is_held(world.store)
        assert len(order) == 8

    def test_of_a_process_that_died_is_taken_from_it(self, world: World) -> None:
        dead = Lease(world.store, by="a process that died", dead_after_s=3600)
        dead.__enter__()
        assert is_held(world.store)
        with Lease(world.store, by="the next one", dead_after_s=0.3) as lease:
            lease.check()
        assert not is_held(world.store)
        # It was only suspended after all: it stops before it removes anything more, and takes nothing from others.
        dead._renewed_at = -3600.0
        with raising(ConflictError, "conflict"):
            dead.check()

    def test_keeps_current_where_it_is_while_it_is_held(self, young: World, three: list[Built]) -> None:
        moved: list[str] = []
        with Lease(young.store, by="another process"):
            thread = Thread(target=lambda: moved.append(World(young.settings).registry.rollback(**WHO).version))
            thread.start()
            thread.join(0.5)
            assert moved == []
            assert current(young) == three[2].version
        thread.join()
        assert moved == [three[1].version] == [current(young)]

    def test_that_is_damaged_is_named(self, world: World) -> None:
        world.store.put(keys.PRUNING, b"?")
        with raising(CorruptObjectError, "corrupt_object", keys.PRUNING):
            is_held(world.store)


class TestCommands:
    def test_do_what_they_say_and_print_what_they_did(self, rag: Rag, young: World, three: list[Built]) -> None:
        rolled = rag.json("rollback", "--why", "the last one answers badly")
        assert rolled["version"] == three[1].version
        assert rag.json("pin", three[0].version, "--why", "a milestone")["pinned"] == [three[0].version]
        listed = {entry["version"]: (entry["current"], entry["pinned"]) for entry in rag.json("versions")}
        assert listed == {
            three[2].version: (False, False),
            three[1].version: (True, False),
            three[0].version: (False, True),
        }
        assert rag.json("unpin", three[0].version, "--why", "no more")["pinned"] == []
        assert rag.json("promote", three[2].version, "--why", "mended")["version"] == three[2].version
        assert [entry["action"] for entry in rag.json("history")][:4] == ["promote", "unpin", "pin", "rollback"]
        pruned = rag.json("prune", "--keep", "1", RAG_PRUNE_GRACE_HOURS="0")
        assert pruned["versions"] == [three[0].version]

    def test_diff_names_what_differs(self, rag: Rag, young: World, three: list[Built]) -> None:
        found = rag.json("diff")
        assert (found["old"], found["new"]) == (three[1].version, three[2].version)
        assert (found["added"], found["removed"], found["changed"]) == ([], [], ["salt"])
        assert rag.json("diff", three[0].version, three[2].version)["old"] == three[0].version
        shown = rag.run("diff", three[2].version)
        assert "changed  1: salt" in shown.stdout
        refused = rag.run("diff", three[0].version)
        assert refused.stderr.startswith("UnknownVersion: ")
        assert three[0].version in refused.stderr

    def test_ask_for_the_reason(self, rag: Rag, three: list[Built]) -> None:
        refused = rag.run("rollback")
        assert refused.returncode == 2
        assert "--why" in refused.stderr


def test_today_is_the_last_day_that_can_be_built(rag: Rag) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    refused = rag.run("build", "--day", str(tomorrow), "--json")
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "usage"
    assert str(tomorrow) in error["message"]
