"""Removing what nothing refers to: old versions, then objects and vectors that no remaining version is made of.

It can be killed anywhere and run again, since it begins from what is there: manifests go first, then the files of
versions, then what they were made from, later stages before earlier ones. A build may run beside it: what the plan of
an order names that shows a sign of life stays (see `life.py`), however old it is, and so does all that is younger than
`grace`. A draft is given up before a file of it is removed (see `drafts.py`), and what the other drafts name stays.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple, TypeVar

from contextual_rag import keys
from contextual_rag.errors import ConflictError, CorruptObjectError, UnknownVersionError
from contextual_rag.model import Fetched, Page, Snapshot
from contextual_rag.objects import load, require
from contextual_rag.ports import Described, ObjectStore, ReadIds, VectorStore
from contextual_rag.recipe import Recipe
from contextual_rag.record import Record
from contextual_rag.versions.lease import Lease
from contextual_rag.versions.parts import row_ids
from contextual_rag.versions.records import Draft, EssayKeys, Manifest, Plan, Pointer, Version
from contextual_rag.versions.registry import Registry

__all__ = ["GRACE", "Pruned", "prune"]

# For how long an order that shows no sign of life any more keeps what it has made, to be taken up again.
GRACE = timedelta(hours=24)

_THREADS = 16
# A process that is stopped between its last look at the lease and its request removes so many rows at most.
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


class _Needed(NamedTuple):
    """What stays: the remaining versions, drafts that may become some, and what live orders work on."""

    versions: Sequence[Version]
    plans: Sequence[Plan]
    pages: Sequence[Page]

    def by_recipe(self) -> Iterator[tuple[Recipe, EssayKeys]]:
        for version in self.versions:
            yield from ((version.recipe, essay) for essay in version.essays)
        for plan in self.plans:
            yield from ((plan.recipe, essay) for essay in _named_by(plan))


def prune(  # noqa: PLR0913
    store: ObjectStore,
    vectors: VectorStore,
    registry: Registry,
    read_ids: ReadIds,
    *,
    keep: int,
    by: str,
    why: str,
    grace: timedelta = GRACE,
    remove: bool = True,
) -> Pruned:
    """Keep CURRENT, its parent, pinned versions, the newest `keep` and the young; remove all else that nothing needs.

    With `remove` False it only says what would go. Raises ConflictError if CURRENT changes meanwhile, and
    CorruptObjectError if a manifest, a plan or a snapshot cannot be read: what it refers to is not known then.
    """
    with registry.lease(by=by) as lease:
        pointer = registry.current()
        if pointer is None:
            raise UnknownVersionError(
                "No index has been published yet, so there is nothing to keep and nothing to prune."
            )
        for version in {found for key in store.list(keys.INDEXES) if (found := keys.index_of(key))}:
            registry.drafts.finish(version)  # so that it counts among the versions
        bucket = _Bucket(store, grace)
        manifests = registry.versions()
        kept = _kept(registry, pointer, manifests, bucket, keep)
        condemned = [manifest.version for manifest in manifests if manifest.version not in kept]
        remaining = [manifest for manifest in manifests if manifest.version in kept]
        # Before the plans are read: whatever a live order has upserted by now, its contexts are there to tell.
        rows = {collection: vectors.ids(collection) for collection in vectors.collections()}
        drafts, begun = _unpublished(registry, bucket, remaining, condemned)
        needed = _needed(store, bucket, [*remaining, *begun])
        objects = [*_files(bucket, remaining, condemned, drafts), *_unused(bucket, needed)]
        idle = _idle(store, rows, needed, read_ids)
        if remove:
            if condemned:
                registry.pointer.record_pruning(pointer, condemned, by=by, why=why)
            for version in drafts:
                lease.check()
                if not registry.drafts.give_up(version):
                    raise ConflictError(f"{version} was published while it was decided what to prune. Run it again.")
            _remove(store, vectors, lease, objects, idle, needed)
    return Pruned(
        versions=tuple(condemned),
        kept=tuple(manifest.version for manifest in remaining),
        objects=len(objects),
        bytes=sum(found.size for found in objects),
        rows=sum(map(len, idle.values())),
    )


def _remove(
    store: ObjectStore,
    vectors: VectorStore,
    lease: Lease,
    objects: Sequence[Described],
    idle: Mapping[str, Sequence[str]],
    needed: _Needed,
) -> None:
    for _, together in groupby(objects, _rank):
        store.delete([found.key for found in together], check=lease.check)
    collections = {one.collection for one in needed.versions} | {plan.recipe.collection for plan in needed.plans}
    for collection, ids in idle.items():
        if collection not in collections:
            vectors.drop(collection, check=lease.check)
            continue
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            vectors.delete(collection, ids[start : start + _ROWS_AT_ONCE], check=lease.check)
    lease.check()  # so that the last request is not taken for one in time if it was not


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

    @property
    def live(self) -> set[str]:
        """The orders that are worked on, or were until not long ago."""
        signs = filter(self.is_young, self.below(keys.BUILDING))
        return {sign.key.removeprefix(keys.BUILDING).removesuffix(".json") for sign in signs}


def _kept(registry: Registry, pointer: Pointer, manifests: Sequence[Manifest], bucket: _Bucket, keep: int) -> set[str]:
    """Return the versions that stay; those that answered until now, too, since readers follow CURRENT with a delay."""
    by_name = {manifest.version: manifest for manifest in manifests}
    if pointer.version not in by_name:
        raise CorruptObjectError(
            f"{keys.CURRENT} names version {pointer.version!r}, which is missing. Nothing was pruned. Run `rag build` "
            "or `rag promote` first."
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


def _named_by(plan: Plan) -> list[EssayKeys]:
    """Return the essays that a plan makes, and their editions in the version before."""
    return [named for essay in plan.essays for named in (essay.keys, essay.earlier) if named]


def _needed(store: ObjectStore, bucket: _Bucket, versions: Sequence[Version]) -> _Needed:
    """Return what stays. Snapshots are never removed, nor what they name: days are built again from them."""
    live = sorted(bucket.live)
    plans = _map(lambda order: load(store, keys.plan(order), Plan), live)
    batches = [found.key for order in live for found in bucket.below(keys.fetched(order))]
    days = [found.key for found in bucket.below(keys.SNAPSHOTS)]
    named: list[Fetched | Snapshot] = _map(lambda key: require(store, key, Fetched), batches)
    named += _map(lambda key: require(store, key, Snapshot), days)
    there = [plan for plan in plans if plan]
    pages = [page for one in named for page in one.pages]
    pages += [essay.page for plan in there for essay in plan.essays]
    return _Needed(versions, there, pages)


def _unpublished(
    registry: Registry, bucket: _Bucket, remaining: Sequence[Manifest], condemned: Sequence[str]
) -> tuple[list[str], list[Version]]:
    """Return the drafts, whole or half assembled, on which no order works, by name; and those that are left alone."""
    published = {manifest.version for manifest in remaining} | set(condemned)
    folders: dict[str, list[Described]] = defaultdict(list)
    for found in bucket.below(keys.INDEXES):
        if version := keys.index_of(found.key):
            folders[version].append(found)
    abandoned: list[str] = []
    begun: list[Version] = []
    for version in folders.keys() - published:
        draft = _draft(registry, version)
        order = draft.order if isinstance(draft, Draft) else None
        if not any(map(bucket.is_young, folders[version])) and order not in bucket.live:
            abandoned.append(version)
        elif draft:
            begun.append(draft)
    return sorted(abandoned), begun


def _draft(registry: Registry, version: str) -> Version | None:
    """Return a draft, or the version that it became meanwhile; None if there is none, or it cannot be read."""
    with suppress(CorruptObjectError):
        if draft := registry.drafts.load(version):
            return draft
        return registry.manifest(version) if registry.exists(version) else None
    return None


def _files(
    bucket: _Bucket, remaining: Sequence[Manifest], condemned: Sequence[str], abandoned: Sequence[str]
) -> list[Described]:
    """Return the objects of condemned versions, manifests first, then of those that were never published.

    Also what killed builds have left beside the files of a version that remains.
    """
    own = {keys.manifest(manifest.version) for manifest in remaining}
    own |= {keys.index_file(manifest.version, name) for manifest in remaining for name in manifest.files}
    gone = {*condemned, *abandoned, *(manifest.version for manifest in remaining)}
    found = [one for one in bucket.below(keys.INDEXES) if keys.index_of(one.key) in gone and one.key not in own]
    kept = {manifest.version for manifest in remaining}
    found = [one for one in found if keys.index_of(one.key) not in kept or not bucket.is_young(one)]
    return sorted(found, key=_rank)


def _rank(found: Described) -> tuple[bool, bool, str]:
    """Return what tells when an object is removed: manifests first, then files, what these were made from last.

    A draft goes after all files: while it is there, whoever publishes it is told that it was given up.
    """
    version = keys.index_of(found.key)
    if version is None:
        return True, True, found.key.partition("/")[0]
    return found.key != keys.manifest(version), found.key == keys.draft(version), ""


def _unused(bucket: _Bucket, needed: _Needed) -> list[Described]:
    """Return what was made at each stage and is needed no more, the last stage first."""
    used: set[str] = set()
    for page in needed.pages:
        used |= {keys.page(page.sha256), keys.document(page.document)}
    for recipe, essay in needed.by_recipe():
        model, prompt = recipe.context_model, recipe.context_prompt
        used |= {keys.kept_contexts(scope, model, prompt) for scope in (essay.url, essay.document)}
        used |= {
            keys.document(essay.document),
            keys.chunks(essay.chunks),
            keys.contexts(essay.contexts),
            keys.embeddings(essay.embeddings),
        }
    # What a live order has fetched is its own, and so are snapshots the days' that they are of.
    own = (keys.SNAPSHOTS, *map(keys.fetched, bucket.live))
    made = [found for stage in reversed(keys.STAGES) for found in bucket.below(stage)]
    return [
        found
        for found in [*bucket.below(keys.BUILDING), *made]
        if found.key not in used and not bucket.is_young(found) and not found.key.startswith(own)
    ]


def _idle(
    store: ObjectStore, rows: Mapping[str, Sequence[str]], needed: _Needed, read_ids: ReadIds
) -> dict[str, list[str]]:
    """Return the ids of each collection that no remaining version and no live order holds."""

    def of_version(version: Version) -> list[str]:
        # From its own table: the contexts may have been written anew since, and ids follow them.
        key = keys.index_file(version.version, keys.TABLE)
        stored = store.get(key)
        if stored is None and isinstance(version, Draft):
            return []  # `publish` refuses it
        if stored is None:
            raise CorruptObjectError(f"{key} is missing. Nothing was pruned. Run `rag build` or `rag doctor`.")
        return read_ids(stored.body)

    held: dict[str, set[str]] = defaultdict(set)
    for version, ids in zip(needed.versions, _map(of_version, needed.versions), strict=True):
        held[version.collection].update(ids)
    for plan in needed.plans:
        for ids in _map(lambda essay: row_ids(store, essay), _named_by(plan)):
            held[plan.recipe.collection].update(ids)
    # A row whose id is no name of ours is none of ours, and would go into an expression.
    ours = re.compile(keys.CHUNK_ID).fullmatch
    return {
        collection: [id_ for id_ in ids if id_ not in held[collection] and ours(id_)]
        for collection, ids in rows.items()
    }


def _map(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, items))
