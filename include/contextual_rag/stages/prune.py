"""Removing what nothing refers to: old versions, then objects and vectors that no remaining version is made of.

It can be killed anywhere and run again, since it begins from what is there: manifests go first, then the files of
versions, then what they were made from, later stages before earlier ones. A build may run beside it: what is younger
than `grace` stays, and so does what the plan of such a build names; a build that plans while something is being removed
waits (see `Registry.announce`) and then sees what is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from contextual_rag import keys
from contextual_rag.errors import CorruptObjectError, UnknownVersionError
from contextual_rag.model import EssayKeys, Manifest, Page, Plan, Pointer, Snapshot
from contextual_rag.ports import Described, ObjectStore, VectorStore
from contextual_rag.record import Record, require
from contextual_rag.registry import Registry
from contextual_rag.stages.essays import row_ids

__all__ = ["GRACE", "Pruned", "prune"]

# Longer than any build takes, its retries and a night's pause included.
GRACE = timedelta(hours=24)

_THREADS = 16
# A process that is stopped between its last look at the lease and its request removes so many at most.
_AT_ONCE = 100
_ROWS_AT_ONCE = 1000
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


class Pruned(Record):
    """What was removed, or would be: versions by name, objects and their bytes, rows of vectors."""

    versions: tuple[str, ...]
    kept: tuple[str, ...]
    objects: int
    bytes: int
    rows: int


def prune(
    store: ObjectStore,
    vectors: VectorStore,
    registry: Registry,
    *,
    keep: int,
    by: str,
    why: str,
    grace: timedelta = GRACE,
    remove: bool = True,
) -> Pruned:
    """Keep CURRENT, its parent, pinned versions, the newest `keep` and the young; remove all else that nothing needs.

    With `remove` False it only says what would go. Raises ConflictError where CURRENT changes meanwhile, and
    CorruptObjectError where a manifest, a plan or a snapshot cannot be read: what it refers to is not known then.
    """
    with registry.lease(by=by) as lease:
        pointer = registry.current()
        if pointer is None:
            raise UnknownVersionError(
                "No index has been published yet, so there is nothing to keep and nothing to prune."
            )
        bucket = _Bucket(store, grace)
        manifests = registry.versions()
        kept = _kept(registry, pointer, manifests, bucket, keep)
        condemned = [manifest.version for manifest in manifests if manifest.version not in kept]
        remaining = [manifest for manifest in manifests if manifest.version in kept]
        rows = {collection: vectors.ids(collection) for collection in vectors.collections()}
        plans = _map(lambda key: require(store, key, Plan), bucket.young(keys.PLANS))
        objects = [*_files(bucket, remaining, condemned), *_unused(store, bucket, remaining, plans)]
        idle = _idle(store, rows, remaining, plans)
        if remove and condemned:
            registry.record_pruning(pointer, by=by, why=f"{why} (removed {', '.join(condemned)})")
        if remove:
            for start in range(0, len(objects), _AT_ONCE):
                lease.check()
                store.delete([found.key for found in objects[start : start + _AT_ONCE]])
            needed = {one.recipe.collection for one in remaining} | {plan.recipe.collection for plan in plans}
            for collection, ids in idle.items():
                if collection not in needed:
                    lease.check()
                    vectors.drop(collection)
                    continue
                for start in range(0, len(ids), _ROWS_AT_ONCE):
                    lease.check()
                    vectors.delete(collection, ids[start : start + _ROWS_AT_ONCE])
    return Pruned(
        versions=tuple(condemned),
        kept=tuple(manifest.version for manifest in remaining),
        objects=len(objects),
        bytes=sum(found.size for found in objects),
        rows=sum(map(len, idle.values())),
    )


class _Bucket:
    """Everything that stood in the bucket at one moment; how old it is, by the store's own clock."""

    def __init__(self, store: ObjectStore, grace: timedelta) -> None:
        self._found = {found.key: found for found in store.describe("")}
        # The lease was taken just now.
        self._young_since = self._found[keys.PRUNING].modified - grace

    def is_young(self, found: Described) -> bool:
        return found.modified > self._young_since

    def below(self, prefix: str) -> list[Described]:
        return [found for key, found in self._found.items() if key.startswith(prefix)]

    def young(self, prefix: str) -> list[str]:
        return [found.key for found in self.below(prefix) if self.is_young(found)]

    def get(self, key: str) -> Described | None:
        return self._found.get(key)


def _kept(registry: Registry, pointer: Pointer, manifests: Sequence[Manifest], bucket: _Bucket, keep: int) -> set[str]:
    """Return the versions that stay; those that answered until now, too, since readers follow CURRENT with a delay."""
    by_name = {manifest.version: manifest for manifest in manifests}
    if pointer.version not in by_name:
        raise CorruptObjectError(
            f"{keys.CURRENT} names version {pointer.version!r}, which is not there. Nothing was pruned; run "
            "`rag build` or `rag promote` first."
        )
    kept = {pointer.version, *pointer.pinned, *[manifest.version for manifest in manifests[:keep]]}
    if parent := by_name[pointer.version].parent:
        kept.add(parent)
    for manifest in manifests:
        found = bucket.get(keys.manifest(manifest.version))
        if found is None or bucket.is_young(found):
            kept.add(manifest.version)
    replaced = set(bucket.young(keys.HISTORY))
    kept |= {past.version for past in registry.history() if keys.history(past.n) in replaced}
    return kept & set(by_name)


def _files(bucket: _Bucket, remaining: Sequence[Manifest], condemned: Sequence[str]) -> list[Described]:
    """Return the objects of condemned versions, manifests first, then of those that were never published.

    Also what killed builds have left beside the files of a version that remains.
    """
    own = {keys.manifest(manifest.version) for manifest in remaining}
    own |= {keys.index_file(manifest.version, name) for manifest in remaining for name in manifest.files}
    folders: dict[str, list[Described]] = defaultdict(list)
    for found in bucket.below(keys.INDEXES):
        version = keys.index_of(found.key)
        if version and found.key not in own:
            folders[version].append(found)
    manifests = {keys.manifest(version) for version in condemned}
    first = [found for folder in folders.values() for found in folder if found.key in manifests]
    rest = [
        found
        for version, folder in folders.items()
        if version in condemned or not any(map(bucket.is_young, folder))
        for found in folder
        if found.key not in manifests
    ]
    return [*first, *rest]


def _unused(
    store: ObjectStore, bucket: _Bucket, remaining: Sequence[Manifest], plans: Sequence[Plan]
) -> list[Described]:
    """Return what was made at each stage and is needed no more, the last stage first.

    Snapshots are never removed, nor what they name: days are built again from them.
    """
    snapshots = _map(lambda found: require(store, found.key, Snapshot), bucket.below(keys.SNAPSHOTS))
    fetched = _map(lambda found: require(store, found.key, Page), bucket.below(keys.FETCHED))
    used = {keys.CURRENT, keys.PRUNING}
    for page in {page for snapshot in snapshots for page in snapshot.pages} | set(fetched):
        used |= {keys.page(page.sha256), keys.document(page.document)}
    sources: list[Manifest | Plan] = [*remaining, *plans]
    for essay in {essay for source in sources for essay in _essays(source)}:
        used |= {
            keys.document(essay.document),
            keys.chunks(essay.chunks),
            keys.contexts(essay.contexts),
            keys.embeddings(essay.embeddings),
        }
    made = [found for stage in reversed(keys.STAGES) for found in bucket.below(stage)]
    return [
        found
        for found in [*bucket.below(keys.PLANS), *bucket.below(keys.SPENDING), *made]
        if found.key not in used
        and not bucket.is_young(found)
        and not found.key.startswith((keys.SNAPSHOTS, keys.FETCHED))
    ]


def _essays(one: Manifest | Plan) -> Iterable[EssayKeys]:
    if isinstance(one, Manifest):
        return one.essays
    return [named for essay in one.essays for named in (essay.keys, essay.earlier) if named]


def _idle(
    store: ObjectStore, rows: Mapping[str, Sequence[str]], remaining: Sequence[Manifest], plans: Sequence[Plan]
) -> dict[str, list[str]]:
    """Return the ids of each collection that no remaining version and no build under way holds.

    `rows` were listed before the plans were read: whatever a build has upserted by then, its contexts were there.
    """
    from contextual_rag.adapters.index_files import TABLE, read_ids

    def of_version(manifest: Manifest) -> list[str]:
        # From its own table: the contexts may have been written anew since, and ids follow them.
        stored = store.get(keys.index_file(manifest.version, TABLE))
        if stored is None:
            raise CorruptObjectError(f"Index version {manifest.version} lacks its file {TABLE}; nothing was pruned.")
        return read_ids(stored.body)

    held: dict[str, set[str]] = defaultdict(set)
    for manifest, ids in zip(remaining, _map(of_version, remaining), strict=True):
        held[manifest.recipe.collection].update(ids)
    for plan in plans:
        for ids in _map(lambda essay: row_ids(store, essay), list(_essays(plan))):
            held[plan.recipe.collection].update(ids)
    return {collection: [id_ for id_ in ids if id_ not in held[collection]] for collection, ids in rows.items()}


def _map(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, items))
