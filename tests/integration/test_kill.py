"""A build is killed again and again, with everything it started, and loses nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess

from contextual_rag import keys
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World
from tests.conftest import Rag, ServedSite

SEED = 20261120
KILLS = 6
# A build takes two or three seconds here; the kills fall on all of it, from the first import to the publishing.
LATEST_S = 3.0
SIZES = (500, 650, 800)


def digests(world: World, prefix: str) -> set[str]:
    return set(world.store.list(prefix))


def check_whole(world: World, manifest: Manifest) -> list[str]:
    """Every file is there with its digest, every chunk in Milvus; return the chunk ids."""
    index = world.indexes.open(manifest)
    assert len(index.rows) == manifest.chunks
    assert world.vectors.missing(manifest.collection, list(index.rows)) == []
    return list(index.rows)


class TestKilledBuilds:
    def test_leave_a_bucket_that_one_clean_build_completes(
        self, rag: Rag, world: World, sample_site: ServedSite
    ) -> None:
        chance = random.Random(SEED)
        finished = 0
        for round_ in range(KILLS):
            size = SIZES[round_ % len(SIZES)]
            process = rag.start(
                "build", "--source", sample_site.url, "--limit", "6", "--promote", "--chunk-size", str(size)
            )
            try:
                process.communicate(timeout=chance.uniform(0.2, LATEST_S))
                finished += 1
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            for name in world.registry.names():
                world.indexes.open(world.registry.manifest(name))  # no version without all its files
        assert finished < KILLS / 2, "most builds ended before they could be killed"

        ids: dict[str, set[str]] = {}
        for size in SIZES:
            before = digests(world, "5_embeddings/")
            clean = rag.json(
                "build", "--source", sample_site.url, "--limit", "6", "--promote", "--chunk-size", str(size)
            )
            manifest = world.registry.manifest(clean["version"])
            assert (clean["essays"], clean["failed"]) == (6, [])
            # Finished work was not done again: only essays whose embeddings were not there were embedded.
            made = digests(world, "5_embeddings/") - before
            essays = [essay for essay in manifest.essays if keys.embeddings(essay.embeddings) in made]
            rows = [world.indexes.open(manifest).chunk(id_).slug for id_ in check_whole(world, manifest)]
            assert clean["embedded"] == sum(slug in {essay.slug for essay in essays} for slug in rows)
            ids[manifest.collection] = set(check_whole(world, manifest))
        for collection, expected in ids.items():
            assert world.vectors.count(collection) == len(expected)
        assert world.registry.resolve().chunks
