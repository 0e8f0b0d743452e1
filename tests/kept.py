"""What builds left behind, to be had again in another bucket without any model being asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from contextual_rag.ports import Matrix
from contextual_rag.versions.parts import read_embeddings, row_ids
from contextual_rag.wiring import World

__all__ = ["Kept", "keep"]

_THREADS = 16


class Kept(NamedTuple):
    """Every object of a bucket, and the rows of its versions by their collections."""

    objects: dict[str, bytes]
    rows: dict[str, dict[str, Matrix]]

    def put(self, world: World) -> None:
        """Have all of it in another bucket and its collections."""
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda item: world.store.put(*item), self.objects.items()))
        for collection, rows in self.rows.items():
            world.vectors.upsert(collection, list(rows), np.stack(list(rows.values())))


def keep(world: World) -> Kept:
    """Read all that builds left in a bucket, and the vectors of what they published."""
    with ThreadPoolExecutor(_THREADS) as pool:
        stored = list(pool.map(lambda key: (key, world.store.get(key)), world.store.list("")))
    rows: dict[str, dict[str, Matrix]] = {}
    for version in world.registry.names():
        manifest = world.registry.manifest(version)
        for essay in manifest.essays:
            ids = row_ids(world.store, essay)
            found = zip(ids, read_embeddings(world.store, essay, len(ids)), strict=True)
            rows.setdefault(manifest.collection, {}).update(found)
    return Kept({key: found.body for key, found in stored if found}, rows)
