"""A build by a recipe that has words searched in Milvus: another version, beside which earlier ones go on answering."""

from __future__ import annotations

from pathlib import Path

from contextual_rag.qa.retrieve import retrieve
from contextual_rag.versions.vectors import fill
from tests.memory_world import MemoryWorld, names
from tests.small_world import WordCounts

QUESTION = "lantern of essay2"


def first(world: MemoryWorld, version: str) -> list[str]:
    """What a version finds first."""
    index = world.indexes.open(world.registry.manifest(version))
    return [hit.chunk.chunk_id for hit in retrieve(index, world.vectors, WordCounts(), QUESTION, k=2)]


def test_makes_another_version_and_the_earlier_one_goes_on_answering(tmp_path: Path) -> None:
    world = MemoryWorld(tmp_path)
    world.pages.show(names(4))
    world.build()
    arrays = str(world.current)
    before = first(world, arrays)
    later = MemoryWorld(tmp_path, world.store, keyword_search="milvus")
    later.pages.show(names(4))
    later.vectors = world.vectors
    later.indexes = type(world.indexes)(world.store, tmp_path / "new", max_bytes=10**9, vectors=lambda: world.vectors)
    later.build(days=1)
    in_milvus = str(later.current)
    manifests = [later.registry.manifest(version) for version in (arrays, in_milvus)]
    assert [one.recipe.keyword_search for one in manifests] == ["bm25s", "milvus"]
    assert manifests[0].collection != manifests[1].collection
    assert manifests[0].chunks == manifests[1].chunks
    assert "words.arrow" in manifests[1].files
    assert first(later, arrays) == before
    assert first(later, in_milvus) == before


def test_gets_words_back_that_milvus_has_lost(tmp_path: Path) -> None:
    world = MemoryWorld(tmp_path, keyword_search="milvus")
    world.indexes = type(world.indexes)(world.store, tmp_path / "new", max_bytes=10**9, vectors=lambda: world.vectors)
    world.pages.show(names(4))
    world.build()
    version = str(world.current)
    before, manifest = first(world, version), world.registry.manifest(version)
    world.vectors.drop(manifest.collection)
    assert fill(world.store, world.vectors, manifest, world.indexes.open(manifest)) == 0
    assert first(world, version) == before
