"""Index versions and the pointer to the one that answers.

A version is a prefix with a manifest; the manifest is written last, so that a version is whole or not there. CURRENT
changes only by compare-and-set, so that of two publishers one wins and the other looks again. What CURRENT said is
archived before it is replaced: CURRENT is the newest entry of its own history, and no change can go unrecorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contextual_rag import keys
from contextual_rag.errors import ConflictError, CorruptObjectError, UnknownVersionError
from contextual_rag.lease import DEAD_AFTER_S, Lease, is_held, wait_until_free
from contextual_rag.model import Draft, Held, Manifest, Pointer
from contextual_rag.ports import ObjectStore
from contextual_rag.recipe import Recipe
from contextual_rag.record import Record, encode, load, require, save

__all__ = ["Registry"]

_THREADS = 16

# Of many writers at once, each but one looks again; all of them together take as many rounds as there are writers.
_until_first = retry(
    retry=retry_if_exception_type(ConflictError),
    stop=stop_after_attempt(30),
    wait=wait_random_exponential(0.05, 2),
    reraise=True,
)


class _Current(NamedTuple):
    pointer: Pointer
    etag: str


class Registry:
    """The versions in a bucket. Holds no state, so any number of processes may have one.

    Where a pruning process has shown no sign of life for `dead_after_s`, it is no longer waited for.
    """

    def __init__(self, store: ObjectStore, *, dead_after_s: float = DEAD_AFTER_S) -> None:
        self._store = store
        self._dead_after_s = dead_after_s

    def names(self) -> list[str]:
        """Return the names of all versions, newest logical date first."""
        found = (keys.version_of(key) for key in self._store.list(keys.INDEXES))
        return sorted((name for name in found if name), reverse=True)

    def versions(self) -> list[Manifest]:
        """Return all versions, newest first: by logical date, then by when they were made."""
        with ThreadPoolExecutor(_THREADS) as pool:
            # One that was pruned since it was listed is no fault.
            manifests = [manifest for manifest in pool.map(self._load, self.names()) if manifest]
        return sorted(manifests, key=lambda m: (m.logical_date, m.created_at), reverse=True)

    def manifest(self, version: str) -> Manifest:
        """Return a version. Raises UnknownVersionError, or CorruptObjectError that names the manifest."""
        manifest = self._load(version)
        if manifest is None:
            known = ", ".join(self.names()[:5]) or "none yet; run `rag build`"
            raise UnknownVersionError(f"There is no index version {version!r}. Known: {known}.")
        return manifest

    def verify(self, version: str) -> None:
        """Read every file of a version in the bucket and compare it with the manifest.

        Raises CorruptObjectError that names each file which is missing or not what the manifest says, and as
        `manifest` does.
        """
        manifest = self.manifest(version)

        def fault(name: str) -> str | None:
            key = keys.index_file(version, name)
            stored = self._store.get(key)
            if stored is None:
                return f"{key} is missing"
            same = hashlib.sha256(stored.body).hexdigest() == manifest.files[name].sha256
            return None if same else f"{key} is not what the manifest says (sha256 differs)"

        with ThreadPoolExecutor(_THREADS) as pool:
            faults = [said for said in pool.map(fault, manifest.files) if said]
        if faults:
            raise CorruptObjectError(
                f"Index version {version} is damaged: {'; '.join(faults)}. `rag build` stores it again where the "
                "essays still are what they were then."
            )

    def exists(self, version: str) -> bool:
        """Whether there is such a version."""
        return self._store.exists(keys.manifest(version))

    def current(self) -> Pointer | None:
        """Return what CURRENT says, or None where nothing was published yet."""
        current = self._current()
        return current.pointer if current else None

    def history(self) -> list[Pointer]:
        """Return what CURRENT said at each change, newest first."""
        current = self.current()  # first: what replaces it meanwhile is archived by then, and leaves no gap
        with ThreadPoolExecutor(_THREADS) as pool:
            past = list(pool.map(lambda key: require(self._store, key, Pointer), self._store.list(keys.HISTORY)))
        # Archived, and then not replaced: the writer was killed or came second.
        past = [pointer for pointer in past if current is None or pointer.n != current.n]
        return sorted([*past, *([current] if current else [])], key=lambda pointer: pointer.n, reverse=True)

    def resolve(self, version: str | None = None) -> Manifest:
        """Return the version of a name, or the current one. Raises UnknownVersionError."""
        if version is None:
            version = self._answering().pointer.version
            if not self.exists(version):
                raise CorruptObjectError(
                    f"{keys.CURRENT} names version {version!r}, and {keys.manifest(version)} is not there. Run "
                    f"`rag build`, or ask another one by --version ({self._some_names()})."
                )
        return self.manifest(version)

    def before(self, draft: Draft) -> Manifest | None:
        """Return what answers now: the measure of what is to replace it."""
        pointer = self.current()
        # Where CURRENT names a version that is not there, the last one of this recipe is the measure.
        named = (pointer.version, draft.parent) if pointer else ()
        return next((self.manifest(name) for name in named if name and self.exists(name)), None)

    def of_recipe(self, recipe: Recipe) -> list[Manifest]:
        """Return the versions that a recipe made, newest first."""
        return [manifest for manifest in self.versions() if manifest.recipe == recipe]

    def hold(self, day: date, manifest: Manifest, *, by: str) -> None:
        """Record that a version is what its recipe gives on a day; a later build of that day may say otherwise."""
        held = Held(day=day, version=manifest.version, by=by)
        save(self._store, keys.held(day, manifest.recipe.fingerprint), held)

    def as_of(self, day: date) -> list[Held]:
        """Return what held on a day, or on the last day before it that was built: one entry for each recipe."""
        last: dict[str, str] = {}
        for key in self._store.list(keys.DAYS):
            found, fingerprint = keys.held_on(key)
            if found <= day:
                last[fingerprint] = key  # keys are listed by day
        held = [require(self._store, key, Held) for key in last.values()]
        return sorted(held, key=lambda entry: entry.day, reverse=True)

    def publish(self, manifest: Manifest, *, promote: bool, by: str) -> str | None:
        """Make a version of what was assembled, then move CURRENT to it; return why it stays, where it does.

        Publishing the same version again changes nothing but finishes what a killed run left undone.
        """
        self._store.put_new(keys.manifest(manifest.version), encode(manifest.sealed()))
        self._store.delete([keys.draft(manifest.version)])
        return self.advance(manifest, promote=promote, by=by)

    @_until_first
    def advance(self, manifest: Manifest, *, promote: bool, by: str) -> str | None:
        """Move CURRENT forward to a version; return None where CURRENT names it then, else why it does not.

        It stays where it is pinned, and never moves back in logical date or to a version that a person moved away from,
        unless it names one that is not there.
        """
        current = self._current()
        if current and current.pointer.version == manifest.version:
            return None
        if not promote:
            return "it was built without promoting it"
        if current and (why := _stays(current.pointer, manifest)) and self.exists(current.pointer.version):
            return why
        if not self.exists(manifest.version):
            raise UnknownVersionError(f"{manifest.version} was pruned before it could answer; run the build again.")
        self._change(current, "publish", by=by, why="published", version=manifest.version)
        return None

    def promote(self, version: str, *, by: str, why: str) -> Pointer:
        """Move CURRENT to a version, forward or back. Raises UnknownVersionError."""

        def moved(pointer: Pointer) -> dict[str, Any]:
            return _moved(pointer, self.manifest(version).version)

        return self._explicit("promote", moved, by=by, why=why)

    def rollback(self, version: str | None = None, *, by: str, why: str) -> Pointer:
        """Move CURRENT to the parent of the version it names; of `version` alone, where one is given.

        Raises UnknownVersionError where there is no parent, or CURRENT names another version by now.
        """

        def moved(pointer: Pointer) -> dict[str, Any]:
            if version not in (None, pointer.version):
                raise UnknownVersionError(
                    f"{version} answers no more, {pointer.version} does: {pointer.changed_by} was first. Look at "
                    "`rag history`, and roll back again where that is what you want."
                )
            return _moved(pointer, self.parent(pointer.version).version)

        return self._explicit("rollback", moved, by=by, why=why)

    def parent(self, version: str) -> Manifest:
        """Return the version before a version. Raises UnknownVersionError where it had none, or it was pruned."""
        parent = self.manifest(version).parent
        if parent is None:
            raise UnknownVersionError(
                f"{version} has no parent: it is the first one. Name the version that is to answer: "
                f"`rag promote VERSION` ({self._some_names()})."
            )
        return self.manifest(parent)

    def pin(self, version: str | None = None, *, by: str, why: str) -> Pointer:
        """Keep a version from being pruned and, while it answers, from being replaced by a build.

        By default the current one. Raises UnknownVersionError.
        """

        def pinned(pointer: Pointer) -> dict[str, Any]:
            name = self.manifest(version or pointer.version).version
            return {"pinned": tuple(sorted({*pointer.pinned, name}))}

        return self._explicit("pin", pinned, by=by, why=why)

    def unpin(self, version: str | None = None, *, by: str, why: str) -> Pointer:
        """Let a version be pruned and replaced again. Raises UnknownVersionError where it was not pinned."""

        def unpinned(pointer: Pointer) -> dict[str, Any]:
            name = version or pointer.version
            if name not in pointer.pinned:
                raise UnknownVersionError(f"{name} is not pinned. Pinned: {', '.join(pointer.pinned) or 'none'}.")
            return {"pinned": tuple(other for other in pointer.pinned if other != name)}

        return self._explicit("unpin", unpinned, by=by, why=why)

    def lease(self, *, by: str) -> Lease:
        """Return the right to remove things, which is held while its block runs."""
        return Lease(self._store, by=by, dead_after_s=self._dead_after_s)

    def wait_for_pruning(self) -> None:
        """Return once nothing is being removed: what is found to be there then may be relied on, if a plan names it."""
        wait_until_free(self._store, dead_after_s=self._dead_after_s)

    def announce(self, key: str, record: Record) -> None:
        """Store a record that keeps things from being pruned; from then on, whoever prunes knows of it.

        Whoever pruned before is waited for, and may have removed an old record of that key: it is stored again.
        """
        save(self._store, key, record)
        self.wait_for_pruning()
        save(self._store, key, record)

    def record_pruning(self, seen: Pointer, *, by: str, why: str) -> Pointer:
        """Record that versions are about to be removed, which were chosen while CURRENT said what was `seen`.

        Raises ConflictError where it changed since then: what was to be removed may be what answers now.
        """
        current = self._current()
        if current is None or current.pointer != seen:
            raise ConflictError(f"{keys.CURRENT} changed while it was decided what to prune; run it again.")
        return self._change(current, "prune", by=by, why=why)

    @_until_first
    def _explicit(
        self,
        action: Literal["promote", "rollback", "pin", "unpin"],
        fields: Callable[[Pointer], dict[str, Any]],
        *,
        by: str,
        why: str,
    ) -> Pointer:
        current = self._answering()
        return self._change(current, action, by=by, why=why, **fields(current.pointer))

    def _change(
        self,
        current: _Current | None,
        action: Literal["publish", "promote", "rollback", "pin", "unpin", "prune"],
        *,
        by: str,
        why: str,
        **fields: Any,
    ) -> Pointer:
        """Archive what CURRENT says and replace it. Raises ConflictError where another writer was first."""
        # Who prunes chose by what CURRENT said, and has said so there: either this is seen, or CURRENT changed since.
        if action != "prune" and is_held(self._store):
            self.wait_for_pruning()
            raise ConflictError(f"{keys.CURRENT} could not be changed while versions were being pruned; run it again.")
        if current:
            last, kept = current.pointer.n, {name: getattr(current.pointer, name) for name in _KEPT}
            # Also where a writer that was killed had archived it before: by its age, pruning knows since when another
            # version answers.
            self._store.put(keys.history(last), encode(current.pointer))
        else:
            # Where CURRENT was deleted because it was damaged, the count goes on.
            last, kept = len(list(self._store.list(keys.HISTORY))), {}
        changed = Pointer(
            **(kept | fields), n=last + 1, action=action, changed_at=datetime.now(UTC), changed_by=by, why=why
        )
        try:
            self._store.swap(keys.CURRENT, encode(changed), expected=current.etag if current else None)
        except ConflictError:
            # Where the first answer was lost, asking again was refused because of what we had written ourselves.
            if changed not in (self.current(), load(self._store, keys.history(changed.n), Pointer)):
                raise
        return changed

    def _load(self, version: str) -> Manifest | None:
        manifest = load(self._store, keys.manifest(version), Manifest)
        if manifest and (manifest.version != version or not manifest.is_intact):
            what = "was changed since it was written" if manifest.version == version else "describes another version"
            raise CorruptObjectError(
                f"{keys.manifest(version)} {what}. Restore it from a copy, or delete it and run `rag build`."
            )
        return manifest

    def _answering(self) -> _Current:
        current = self._current()
        if current is None:
            raise UnknownVersionError("No index has been published yet. Run `rag build` or the DAG build_index.")
        return current

    def _current(self) -> _Current | None:
        stored = self._store.get(keys.CURRENT)
        if stored is None:
            return None
        try:
            return _Current(Pointer.model_validate_json(stored.body), stored.etag)
        except ValidationError:
            raise CorruptObjectError(
                f"{keys.CURRENT} is not readable. Every version is still there ({self._some_names()}): ask one by "
                "--version, and delete the object to have `rag build` write it again."
            ) from None

    def _some_names(self) -> str:
        return ", ".join(self.names()[:3]) or "none"


# What a change leaves as it is unless it says otherwise.
_KEPT = ("version", "pinned", "left")


def _stays(pointer: Pointer, manifest: Manifest) -> str | None:
    """Return why no build moves CURRENT to a version, or None where it does."""
    version = manifest.version
    if pointer.version in pointer.pinned:
        return f"{pointer.version} is pinned (`rag unpin`, or `rag promote {version}`)"
    if version in pointer.left:
        return f"a person moved from {version} to another version (`rag promote {version}` returns to it)"
    if pointer.version[:10] > version[:10]:
        return f"{pointer.version} has a later logical date (`rag promote {version}` goes back)"
    return None


def _moved(pointer: Pointer, version: str) -> dict[str, Any]:
    left = {*pointer.left, pointer.version} - {version}
    return {"version": version, "left": tuple(sorted(left))}
