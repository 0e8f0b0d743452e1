"""Checks a bucket and its vectors independently of the code that prunes.

It lists the whole bucket and all ids, and compares them with manifests, snapshots and fetched records.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from contextual_rag import keys
from contextual_rag.errors import ConflictError, RagError
from contextual_rag.model import Snapshot
from contextual_rag.objects import require
from contextual_rag.versions import manage
from contextual_rag.versions.records import Manifest, Pointer
from contextual_rag.wiring import World

__all__ = ["Faults", "audit", "broken", "prune_at_last"]


class Faults(NamedTuple):
    """The faults, one line each: of versions and history, unreferenced objects, and missing objects."""

    broken: list[str]
    orphans: list[str]
    lost: list[str]


def prune_at_last(world: World, *, keep: int) -> None:
    """Prune; retry a refusal, because a busy machine may not renew the lease in time."""
    again = Retrying(retry=retry_if_exception_type(ConflictError), stop=stop_after_attempt(5), reraise=True)
    again(manage.prune, world, by="campaign", why="to see what is left", keep=keep)


def audit(world: World) -> Faults:
    """Check everything. Call it after a `prune` without grace, while nothing else runs."""
    manifests = [world.registry.manifest(name) for name in world.registry.names()]
    there = set(world.store.list(""))
    needed = _needed(world, manifests)
    allowed = needed | _kept_contexts(manifests) | {keys.CURRENT, keys.PRUNING}
    # What says what was done is never removed.
    records = (keys.HISTORY, keys.DAYS, keys.SNAPSHOTS, keys.ORDERS, keys.PLANS)
    orphans = [key for key in there - allowed if not key.startswith(records)]
    rows = _rows(world, manifests)
    held = {name: set(world.vectors.ids(name)) for name in world.vectors.collections()}
    for name in held.keys() | rows.keys():
        orphans += [f"row {id_} of {name}" for id_ in held.get(name, set()) - rows[name]]
    orphans += [f"collection {name}" for name in held.keys() - {m.collection for m in manifests}]
    lost = sorted(needed - there)
    lost += [f"row {id_} of {name}" for name, ids in rows.items() for id_ in ids - held.get(name, set())]
    return Faults(broken(world, world.registry.history()), sorted(orphans), lost)


def broken(world: World, history: list[Pointer]) -> list[str]:
    """Check that every version is complete, that CURRENT names one, and that the history has no gap."""
    names = world.registry.names()
    faults = [fault for name in names if (fault := _fault(world, name))]
    pointer = world.registry.current()
    if pointer and pointer.version not in names:
        faults.append(f"CURRENT names {pointer.version}, which is not there")
    return faults + _gaps(history)


def _fault(world: World, name: str) -> str | None:
    try:
        manifest = world.registry.manifest(name)
        world.registry.verify(manifest)
        index = world.indexes.open(manifest)
    except RagError as error:
        return f"{name}: {error}"
    if len(index.rows) != manifest.chunks:
        return f"{name} has {len(index.rows)} rows and should have {manifest.chunks}"
    if missing := world.vectors.missing(manifest.collection, list(index.rows)):
        return f"{name} lacks {len(missing)} of {len(index.rows)} vectors"
    return None


def _gaps(history: list[Pointer]) -> list[str]:
    """Return the faults of a history, newest first."""
    numbers = [change.n for change in history]
    faults = [] if numbers == list(range(len(history), 0, -1)) else [f"the history has gaps: {numbers}"]
    for later, earlier in pairwise(history):
        if later.action == "publish" and later.version[:10] < earlier.version[:10]:
            faults.append(f"a build moved CURRENT back, from {earlier.version} to {later.version}")
        if later.action in {"pin", "unpin", "prune"} and later.version != earlier.version:
            faults.append(f"change {later.n} ({later.action}) moved CURRENT to {later.version}")
    return faults


def _needed(world: World, manifests: list[Manifest]) -> set[str]:
    needed = set()
    for manifest in manifests:
        needed.add(keys.manifest(manifest.version))
        needed |= {keys.index_file(manifest.version, name) for name in manifest.files}
        for essay in manifest.essays:
            needed |= {
                keys.document(essay.document),
                keys.chunks(essay.chunks),
                keys.contexts(essay.contexts),
                keys.embeddings(essay.embeddings),
            }
    snapshots = [require(world.store, key, Snapshot) for key in world.store.list(keys.SNAPSHOTS)]
    pages = [page for snapshot in snapshots for page in snapshot.pages]
    for page in pages:
        needed.add(keys.page(page.sha256))
        if page.document:
            needed.add(keys.document(page.document))
    return needed


def _kept_contexts(manifests: list[Manifest]) -> set[str]:
    return {
        keys.kept_contexts(scope, manifest.recipe.context_model, manifest.recipe.context_prompt)
        for manifest in manifests
        for essay in manifest.essays
        for scope in (essay.url, essay.document)
    }


def _rows(world: World, manifests: list[Manifest]) -> dict[str, set[str]]:
    rows: dict[str, set[str]] = defaultdict(set)
    for manifest in manifests:
        rows[manifest.collection].update(world.indexes.open(manifest).rows)
    return rows
