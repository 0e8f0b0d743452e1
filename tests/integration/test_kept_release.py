"""Index versions that release 0.1.0 made: every later release asks, compares, chooses and prunes them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from contextual_rag import keys
from contextual_rag.building.build import build_all
from contextual_rag.building.order import Run
from contextual_rag.building.snapshots import latest
from contextual_rag.errors import CorruptObjectError
from contextual_rag.model import Source
from contextual_rag.ports import ObjectStore
from contextual_rag.qa.answer import answer
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.versions import manage
from contextual_rag.versions.diff import diff
from contextual_rag.versions.registry import Registry
from contextual_rag.versions.vectors import fill
from contextual_rag.wiring import World
from tests.conftest import Rag
from tests.memory_objects import MemoryObjects
from tests.raising import raising

KEPT = Path(__file__).parents[1] / "data" / "0.1.0"
EXPECTED: dict[str, Any] = json.loads((KEPT / "expected.json").read_text(encoding="utf-8"))
FIRST, SECOND, THIRD = EXPECTED["versions"]
WHO: dict[str, Any] = {"by": "tests", "why": "a test"}


def fill_bucket(store: ObjectStore) -> None:
    """Put into a bucket what release 0.1.0 left in one."""
    with ZipFile(KEPT / "bucket.zip") as bucket:
        for key in bucket.namelist():
            store.put(key, bucket.read(key))


@pytest.fixture
def objects() -> MemoryObjects:
    """The bucket as release 0.1.0 left it, for what reads its records alone."""
    objects = MemoryObjects()
    fill_bucket(objects)
    return objects


@pytest.fixture
def kept(world: World) -> World:
    """The same in a real bucket; Milvus is empty, and filled by what opens a version."""
    fill_bucket(world.store)
    for version in EXPECTED["versions"]:
        manifest = world.registry.manifest(version)
        assert fill(world.store, world.vectors, manifest, world.indexes.open(manifest)) == 0
    return world


def add_a_field(world: World) -> None:
    """Have every stored record hold a field that this release does not know, as a later one may write it."""
    for key in world.store.list(""):
        stored = world.store.get(key)
        if stored and stored.body.startswith(b"{") and key.endswith((".json", "CURRENT")) and "/bm25/" not in key:
            fields = json.loads(stored.body)
            if "seal" not in fields:  # a manifest is never written again
                world.store.put(key, json.dumps({**fields, "colour": "blue"}).encode())


class TestEveryVersion:
    # With a field more, a record is read or not: some questions of each version show which.
    @pytest.mark.parametrize(("later", "every"), [(False, 1), (True, 6)], ids=["as it is", "with a field more"])
    def test_finds_the_same_passages_in_the_same_order_and_answers_from_them(
        self, kept: World, later: bool, every: int
    ) -> None:
        if later:
            add_a_field(kept)
        asked = set()
        for version in EXPECTED["versions"]:
            index = kept.indexes.open(kept.registry.resolve(version))
            embedder = kept.embedding_model(index.recipe)
            for one in [one for one in EXPECTED["questions"] if one["version"] == version][::every]:
                hits = retrieve(index, kept.vectors, embedder, one["question"], k=10)
                assert [hit.chunk.chunk_id for hit in hits] == one["chunk_ids"]
                found = [[hit.chunk.slug, hit.chunk.start, hit.chunk.end, round(hit.score, 5)] for hit in hits]
                assert found == [[*place, pytest.approx(score, abs=2e-5)] for *place, score in one["passages"]]
                answered = answer(index, kept.vectors, embedder, one["question"], chat=None)
                assert all(citation.verified for citation in answered.citations)
                asked.add((version, one["question"]))
        assert {version for version, _ in asked} == set(EXPECTED["versions"])
        assert len(asked) > 60 / every

    def test_is_listed_with_its_figures_its_ranking_and_the_one_that_answers(self, kept: World, rag: Rag) -> None:
        listed = {one["version"]: one for one in rag.json("versions")}
        assert {name: one["quality"] for name, one in listed.items()} == EXPECTED["quality"]
        assert [name for name, one in listed.items() if one["current"]] == [SECOND]
        assert [name for name, one in listed.items() if one["pinned"]] == [FIRST]
        assert listed[THIRD]["recipe"].items() >= {"keyword_weight": 0.5, "per_essay": 3}.items()
        ranking = kept.registry.manifest(THIRD).ranking
        assert (ranking.keyword_weight, ranking.per_essay) == (0.5, 3)

    def test_is_compared_as_that_release_compared_it(self, objects: MemoryObjects) -> None:
        first, second = map(Registry(objects).manifest, (FIRST, SECOND))
        assert diff(first, second).model_dump(mode="json") == EXPECTED["diff"]

    def test_can_be_chosen(self, kept: World) -> None:
        for version in (FIRST, THIRD):
            manage.promote(kept, version, **WHO)
            assert kept.registry.resolve().version == version
        assert [change.version for change in kept.registry.history()][:3] == [THIRD, FIRST, SECOND]

    @pytest.mark.parametrize("field", ["chunks", "listed", "parent", "files"])
    def test_that_was_changed_is_recognised(self, objects: MemoryObjects, field: str) -> None:
        stored = objects.get(keys.manifest(FIRST))
        assert stored
        fields = json.loads(stored.body)
        fields[field] = {"parent": "another", "files": {}}.get(field, 1)
        objects.put(keys.manifest(FIRST), json.dumps(fields).encode())
        with raising(CorruptObjectError, "corrupt_object", keys.manifest(FIRST)):
            Registry(objects).manifest(FIRST)

    def test_that_is_old_is_pruned_and_the_others_go_on_answering(self, kept: World) -> None:
        world = World(kept.settings.model_copy(update={"prune_grace_hours": 0.0}))
        manage.promote(world, THIRD, **WHO)
        manage.unpin(world, FIRST, **WHO)
        pruned = manage.prune(world, keep=1, **WHO)
        assert set(pruned.versions) == {FIRST, SECOND} - {world.registry.manifest(THIRD).parent}
        index = world.indexes.open(world.registry.resolve())
        assert world.vectors.missing(index.collection, list(index.rows)) == []
        world.registry.verify(world.registry.resolve())


class TestADayOfThatRelease:
    def test_is_built_again_from_its_snapshot_without_a_model(self, kept: World) -> None:
        source = kept.registry.manifest(FIRST).source
        run = Run(day=date(2026, 11, 20), by="tests", past=True, source=source.url)
        built = build_all(kept.steps, run)
        assert (built.essays, built.failed, built.current) == (17, (), False)
        assert built.work.model_calls == 0, "the contexts of that release are found again"
        assert built.work.embedded == 0

    def test_belongs_to_its_source_alone(self, objects: MemoryObjects) -> None:
        source = Registry(objects).manifest(FIRST).source
        found = latest(objects, source, date(2026, 11, 30))
        assert found
        assert found.date == date(2026, 11, 22)
        assert latest(objects, Source.at("http://another.example/"), date(2026, 11, 30)) is None
        assert latest(objects, source, date(2026, 11, 19)) is None
