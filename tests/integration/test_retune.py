"""Another ranking of a version: the same files and vectors, other ranks, and the gate on quality before it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from contextual_rag import keys, search
from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Run
from contextual_rag.versions.reader import Reader
from contextual_rag.wiring import World
from tests.conftest import Rag, ServedSite
from tests.sample_questions import SEARCHED

QUESTION = "What does the author say about being uncertain?"
TUNED = ("--keyword-weight", "0.75", "--why", "words first")


@pytest.fixture
def measured(built: Built, rag: Rag, world: World) -> Built:
    """The first day, with some of the sample's questions kept in the bucket."""
    world.store.put(keys.QUESTIONS, "\n".join(SEARCHED[::4]).encode())
    return built


def everything(world: World) -> dict[str, Any]:
    """What stands in the bucket below the stages and the versions, and in Milvus."""
    listed = [*(key for stage in keys.STAGES for key in world.store.list(stage))]
    listed += [key for key in world.store.list(keys.INDEXES) if keys.index_of(key)]
    bodies = {key: found.body for key in listed if (found := world.store.get(key))}
    return {"objects": bodies, "rows": {name: world.vectors.count(name) for name in world.vectors.collections()}}


class TestRetune:
    def test_changes_the_ranks_and_nothing_that_is_stored(self, measured: Built, rag: Rag, world: World) -> None:
        before, ranks = everything(world), search(world, QUESTION, 20)
        done = rag.json("retune", *TUNED)
        assert (done["version"], done["ranking"]["keyword_weight"]) == (measured.version, 0.75)
        assert done["before"].keys() <= done["after"].keys()
        assert {"recall@5", "mrr@5", "known_item_recall@5"} <= done["after"].keys()
        assert everything(world) == before
        now = search(world, QUESTION, 20)
        assert now.version == ranks.version
        assert [hit.score for hit in now.hits] != [hit.score for hit in ranks.hits]

    def test_is_recorded_with_who_and_why_and_shown(self, measured: Built, rag: Rag) -> None:
        done = rag.json("retune", *TUNED)
        change = rag.json("history")[0]
        assert (change["action"], change["why"], change["version"]) == ("retune", "words first", measured.version)
        (listed,) = rag.json("versions")
        assert listed["recipe"]["keyword_weight"] == 0.75
        assert listed["quality"].items() >= done["after"].items()

    def test_that_makes_the_figures_worse_is_refused_and_changes_nothing(
        self, measured: Built, rag: Rag, world: World
    ) -> None:
        pointer = world.registry.current()
        refused = rag.run("retune", "--keyword-weight", "0", "--why", "vectors alone", "--max-quality-drop", "0")
        assert refused.returncode == 3
        assert refused.stderr.splitlines()[-1].startswith("Gate: ")
        assert all(name in refused.stderr for name in ("recall@5", measured.version, "RAG_MAX_QUALITY_DROP"))
        assert world.registry.current() == pointer
        allowed = rag.json("retune", "--keyword-weight", "0", "--why", "I insist", "--max-quality-drop", "1")
        assert allowed["ranking"]["keyword_weight"] == 0

    def test_reaches_a_reader_that_answers_already(self, measured: Built, rag: Rag, world: World) -> None:
        reader = Reader(world.registry, world.indexes, every_s=0.0)
        try:
            assert reader.index().ranking.keyword_weight == 0.7
            rag.json("retune", *TUNED)
            index = reader.refresh()
            assert (index.version, index.ranking.keyword_weight) == (measured.version, 0.75)
        finally:
            reader.close()

    @pytest.mark.parametrize("asked", [("--keyword-weight", "2"), ()])
    def test_with_a_wrong_parameter_or_none_says_which(self, measured: Built, rag: Rag, asked: tuple[str, ...]) -> None:
        refused = rag.run("retune", *asked, "--why", "a test")
        assert refused.returncode in {1, 2}
        assert "keyword_weight" in refused.stderr or "rag retune --help" in refused.stderr

    def test_of_an_unknown_version_is_refused(self, measured: Built, rag: Rag) -> None:
        refused = rag.run("retune", "2020-01-01-00000000", *TUNED)
        assert refused.returncode == 5
        assert refused.stderr.splitlines()[-1].startswith("UnknownVersion: ")


class TestTheVersionsAfterIt:
    def build(self, world: World, site: ServedSite, **asked: Any) -> Built:
        run = {"day": datetime.now(UTC).date(), "by": "tests", "source": site.url, "max_quality_drop": 1.0, **asked}
        return build_all(world.steps, Run.model_validate(run))

    def test_keep_what_a_person_tuned_unless_something_else_is_asked_for(
        self, measured: Built, rag: Rag, world: World, sample_site: ServedSite
    ) -> None:
        rag.json("retune", *TUNED)
        for edition in (2, 3):
            sample_site.show(edition)
            assert self.build(world, sample_site).published
            assert world.registry.resolve().ranking.keyword_weight == 0.75
        asked = self.build(world, sample_site, recipe={"keyword_weight": 0.6})
        assert (asked.published, asked.retuned) == (False, True)
        assert world.registry.resolve().ranking.keyword_weight == 0.6

    def test_of_another_version_are_as_they_were(self, measured: Built, rag: Rag, world: World) -> None:
        rag.json("retune", *TUNED)
        assert world.registry.manifest(measured.version).ranking.keyword_weight == 0.7, "the manifest is never changed"
        assert world.registry.resolve(measured.version).ranking.keyword_weight == 0.75
