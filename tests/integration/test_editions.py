"""Three days of the sample site, built one after the other by the command line: only what changed costs anything."""

from __future__ import annotations

from pathlib import Path

from contextual_rag import keys
from contextual_rag.building.build import Built
from contextual_rag.objects import require, save
from contextual_rag.versions.parts import Chunks, Contexts
from contextual_rag.versions.records import EssayKeys
from contextual_rag.wiring import World
from tests.conftest import FirstDay, Rag, ServedSite

ESSAYS = 17


def texts(world: World, version: str) -> dict[str, list[str]]:
    """The chunks' texts of every essay of a version."""
    return {
        essay.slug: [chunk.text for chunk in require(world.store, keys.chunks(essay.chunks), Chunks).chunks]
        for essay in world.registry.manifest(version).essays
    }


def by_slug(world: World, version: str) -> dict[str, EssayKeys]:
    return {essay.slug: essay for essay in world.registry.manifest(version).essays}


class TestThreeDays:
    def test_a_first_build_makes_everything_and_publishes_it(self, first_day: FirstDay) -> None:
        first, world = first_day.said, first_day.world
        assert first["published"]
        assert first["essays"] == ESSAYS
        assert first["failed"] == []
        assert first["model_calls"] == first["embedded"] == first["chunks"] > 100
        assert [link["url"] for link in first["elsewhere"]] == ["http://www.example.org/chapter1.txt"]
        (listed,) = first_day.rag.json("versions")
        assert listed["version"] == first["version"]
        assert listed["current"]
        assert world.vectors.count(world.registry.resolve().collection) == first["chunks"]

    def test_the_same_pages_again_cost_nothing_and_make_no_version(
        self, built: Built, rag: Rag, sample_site: ServedSite
    ) -> None:
        again = rag.json("build", "--source", sample_site.url)
        assert (again["model_calls"], again["embedded"]) == (0, 0)
        assert not again["published"]
        assert again["version"] == built.version
        assert len(rag.json("versions")) == 1

    def test_the_second_day_costs_the_new_essay_and_the_edited_chunks(
        self, built: Built, rag: Rag, sample_site: ServedSite, world: World
    ) -> None:
        sample_site.show(2)
        second = rag.json("build", "--source", sample_site.url)
        assert second["published"]
        before, after = texts(world, built.version), texts(world, second["version"])
        edited = [text for text in after["thursday"] if text not in before["thursday"]]
        # The chunk that the edited paragraph stands in is new, and nothing else is.
        assert len(edited) == 1
        assert second["model_calls"] == second["embedded"] == len(after["errata"]) + len(edited)
        reused = by_slug(world, built.version)
        assert {slug for slug, essay in by_slug(world, second["version"]).items() if essay != reused.get(slug)} == {
            "errata",
            "thursday",
        }

    def test_the_third_day_loses_one_essay_and_keeps_the_broken_one(
        self, built: Built, rag: Rag, sample_site: ServedSite, world: World
    ) -> None:
        sample_site.show(2)
        second = rag.json("build", "--source", sample_site.url)
        sample_site.show(3)
        third = rag.json("build", "--source", sample_site.url)
        assert third["published"]
        assert [failure["slug"] for failure in third["failed"]] == ["library"]
        assert "500" in third["failed"][0]["reason"]
        assert (third["model_calls"], third["embedded"]) == (0, 0)
        before, after = by_slug(world, second["version"]), by_slug(world, third["version"])
        assert set(before) - set(after) == {"patience"}
        assert after["library"] == before["library"]
        assert [failure.slug for failure in world.registry.resolve().failed] == ["library"]
        hits = rag.json("search", "patience", "-k", "20")["hits"]
        assert hits
        assert all(hit["slug"] != "patience" for hit in hits)
        old = rag.json("search", "patience", "-k", "20", "--version", second["version"])["hits"]
        assert any(hit["slug"] == "patience" for hit in old)

    def test_a_milvus_that_lost_its_rows_is_filled_again_without_the_models(
        self, built: Built, rag: Rag, sample_site: ServedSite, world: World
    ) -> None:
        collection = world.registry.resolve().collection
        world.vectors.drop(collection)
        assert rag.run("ask", "Why won't people write?").returncode != 0
        again = rag.json("build", "--source", sample_site.url)
        assert (again["model_calls"], again["embedded"]) == (0, 0)
        assert world.vectors.count(collection) == built.chunks
        assert rag.json("ask", "Why won't people write?")["citations"]

    def test_force_makes_everything_again(self, built: Built, rag: Rag, sample_site: ServedSite) -> None:
        forced = rag.json("build", "--source", sample_site.url, "--limit", "3", "--force")
        assert forced["model_calls"] == forced["embedded"] == forced["chunks"] > 0
        assert rag.json("build", "--source", sample_site.url, "--limit", "3")["version"] == forced["version"]

    def test_an_essay_explained_in_other_words_makes_another_version_with_vectors_of_its_own(
        self, built: Built, rag: Rag, sample_site: ServedSite, world: World
    ) -> None:
        essay = by_slug(world, built.version)["maps"]
        chunks = texts(world, built.version)["maps"]
        save(world.store, keys.contexts(essay.contexts), Contexts(contexts=tuple("Other words." for _ in chunks)))
        world.store.delete([keys.embeddings(essay.embeddings)])
        again = rag.json("build", "--source", sample_site.url)
        assert again["published"]
        assert again["version"] != built.version
        assert (again["model_calls"], again["embedded"]) == (0, len(chunks))
        index = world.indexes.open(world.registry.manifest(again["version"]))
        assert world.vectors.missing(index.collection, list(index.rows)) == []

    def test_without_carrying_over_every_chunk_of_an_edited_essay_is_explained_again(
        self, built: Built, rag: Rag, sample_site: ServedSite, world: World
    ) -> None:
        sample_site.show(2)
        second = rag.json("build", "--source", sample_site.url, "--no-carry-over")
        after = texts(world, second["version"])
        assert second["model_calls"] == len(after["errata"]) + len(after["thursday"])

    def test_another_recipe_is_another_version_and_both_can_be_asked(
        self, built: Built, rag: Rag, world: World, sample_site: ServedSite, tmp_path: Path
    ) -> None:
        file = tmp_path / "mine.toml"
        file.write_text('chunker = "fixed"\nkeyword_weight = 0.5\n')
        fixed = rag.json(
            "build", "--source", sample_site.url, "--limit", "3", "--chunk-size", "250", "--recipe", str(file)
        )
        assert fixed["published"]
        assert fixed["essays"] == 3
        recipe = world.registry.manifest(fixed["version"]).recipe
        assert recipe == world.registry.manifest(built.version).recipe.model_copy(
            update={"chunker": "fixed", "chunk_size": 250, "chunk_overlap": 30, "keyword_weight": 0.5}
        )
        for version in (built.version, fixed["version"]):
            found = rag.json("search", "why people do not write", "--version", version)
            assert found["version"] == version
            assert found["hits"]

    def test_another_ranking_makes_no_version_and_asks_no_model(
        self, built: Built, rag: Rag, world: World, sample_site: ServedSite, tmp_path: Path
    ) -> None:
        file = tmp_path / "words.json"
        file.write_text('{"keyword_weight": 0.7, "per_essay": 6}')
        before = set(world.store.list(keys.STAGES[4])), world.vectors.collections()
        words = rag.json("build", "--source", sample_site.url, RAG_RECIPE=str(file))
        assert (words["version"], words["published"], words["retuned"]) == (built.version, False, True)
        assert (words["model_calls"], words["embedded"]) == (0, 0)
        assert (set(world.store.list(keys.STAGES[4])), world.vectors.collections()) == before
        assert world.registry.resolve().ranking.per_essay == 6
        again = rag.json("build", "--source", sample_site.url, RAG_RECIPE=str(file))
        assert not again["retuned"]
        assert world.registry.history()[0].action == "retune"
