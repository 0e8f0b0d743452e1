"""Index versions, and which of them answers.

A version is a prefix with a manifest; the manifest is written last, so that a version is whole or not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import Any

from contextual_rag import keys
from contextual_rag.errors import CorruptObjectError, UnknownVersionError
from contextual_rag.objects import load, require, save
from contextual_rag.ports import ObjectStore
from contextual_rag.recipe import Recipe
from contextual_rag.versions.drafts import Drafts
from contextual_rag.versions.lease import DEAD_AFTER_S, Lease, wait_until_free
from contextual_rag.versions.pointer import CurrentPointer
from contextual_rag.versions.records import Held, Manifest, Pointer, Tuning, Version, open_manifest

__all__ = ["Registry"]

_THREADS = 16


class Registry:
    """The versions in a bucket. Holds no state, so any number of processes may have one.

    A pruning process that has given no sign of life for `dead_after_s` is no longer waited for.
    """

    def __init__(self, store: ObjectStore, *, dead_after_s: float = DEAD_AFTER_S) -> None:
        self._store = store
        self._dead_after_s = dead_after_s
        self.pointer = CurrentPointer(store, dead_after_s=dead_after_s)
        self.drafts = Drafts(store, dead_after_s=dead_after_s)

    # What there is

    def names(self) -> list[str]:
        """Return the names of all versions, newest logical date first."""
        found = (keys.version_of(key) for key in self._store.list(keys.INDEXES))
        return sorted((name for name in found if name), reverse=True)

    def versions(self) -> list[Manifest]:
        """Return all versions as they are asked, newest first: by logical date, then by when they were made."""
        pointer = self.current()
        with ThreadPoolExecutor(_THREADS) as pool:
            # One that was pruned since it was listed is no fault.
            manifests = [_tuned(manifest, pointer) for manifest in pool.map(self._load, self.names()) if manifest]
        return sorted(manifests, key=lambda m: (m.logical_date, m.created_at), reverse=True)

    def manifest(self, version: str) -> Manifest:
        """Return a version as it was published. Raises UnknownVersionError, or CorruptObjectError that names it."""
        manifest = self._load(version)
        if manifest is None:
            raise UnknownVersionError(
                f"There is no index version {version!r}. Known versions: {self._some_names(5)}. Run `rag build` to "
                "make one."
            )
        return manifest

    def exists(self, version: str) -> bool:
        """Whether there is such a version."""
        return keys.is_version(version) and self._store.exists(keys.manifest(version))

    def verify(self, version: Version) -> None:
        """Read every file of a version in the bucket and compare it with the manifest.

        Raises CorruptObjectError that names each file that is missing or not what the manifest says.
        """

        def fault(name: str) -> str | None:
            key = keys.index_file(version.version, name)
            stored = self._store.get(key)
            if stored is None:
                return f"{key} is missing"
            same = hashlib.sha256(stored.body).hexdigest() == version.files[name].sha256
            return None if same else f"{key} is not what the manifest says (sha256 differs)"

        with ThreadPoolExecutor(_THREADS) as pool:
            faults = [found for found in pool.map(fault, version.files) if found]
        if faults:
            raise CorruptObjectError(
                f"Index version {version.version} is damaged: {'; '.join(faults)}. `rag build` stores it again if the "
                "documents are still what they were then."
            )

    def of_recipe(self, recipe: Recipe) -> list[Manifest]:
        """Return the versions that a recipe made, newest first."""
        return [manifest for manifest in self.versions() if manifest.recipe == recipe]

    def parent(self, version: str) -> Manifest:
        """Return the version before a version. Raises UnknownVersionError if it had none, or it was pruned."""
        parent = self.manifest(version).parent
        if parent is None:
            raise UnknownVersionError(
                f"{version} has no parent: it is the first version. Choose another one: `rag promote VERSION` "
                f"({self._some_names()})."
            )
        return self.manifest(parent)

    # What held when

    def hold(self, day: date, version: Version, *, by: str) -> None:
        """Record that a version is what its recipe gives on a day; a later build of that day may say otherwise."""
        held = Held(day=day, version=version.version, by=by)
        save(self._store, keys.held(day, version.recipe.fingerprint), held)

    def as_of(self, day: date) -> list[Held]:
        """Return what held on a day, or on the last day before it that was built: one entry for each recipe."""
        last: dict[str, str] = {}
        for key in self._store.list(keys.DAYS):
            held_on = keys.held_on(key)
            if held_on and held_on[0] <= day:
                last[held_on[1]] = key  # keys are listed by day
        held = [require(self._store, key, Held) for key in last.values()]
        return sorted(held, key=lambda entry: entry.day, reverse=True)

    # What answers

    def current(self) -> Pointer | None:
        """Return what CURRENT says, or None if nothing was published yet."""
        return self.pointer.read()

    def history(self) -> list[Pointer]:
        """Return what CURRENT said at each change, newest first."""
        return self.pointer.history()

    def resolve(self, version: str | None = None) -> Manifest:
        """Return the version of a name, or the current one, with the ranking by which it is asked now.

        Raises UnknownVersionError, or CorruptObjectError if CURRENT names a version that is not there.
        """
        if version is not None:
            with suppress(CorruptObjectError):  # a version that is named answers whatever CURRENT says
                return _tuned(self.manifest(version), self.current())
            return self.manifest(version)
        pointer = self.current()
        if pointer is None:
            raise UnknownVersionError("No index has been published yet. Run `rag build` or the DAG build_index.")
        if not self.exists(pointer.version):
            raise CorruptObjectError(
                f"{keys.CURRENT} names version {pointer.version!r}, but {keys.manifest(pointer.version)} is missing. "
                f"Run `rag build`, or ask another version with --version ({self._some_names()})."
            )
        return _tuned(self.manifest(pointer.version), pointer)

    def before(self, version: Version, pointer: Pointer | None) -> Manifest | None:
        """Return what answers, given what CURRENT says: the measure of what is to replace it."""
        # If CURRENT names a version that is not there, the last one of this recipe is the measure.
        named = (pointer.version, version.parent) if pointer else ()
        return next((self.resolve(name) for name in named if name and self.exists(name)), None)

    def answered(self, pointer: Pointer, since: date) -> Iterator[Manifest]:
        """Yield what answered, newest first, back to a day or to what a person chose.

        The last one is what answered on that day. Those that were pruned are left out.
        """
        change: Pointer | None = pointer
        while change:
            if manifest := self._load(change.version):
                yield manifest
            if change.action in {"promote", "rollback"} or date.fromisoformat(change.version[:10]) <= since:
                return
            change = load(self._store, keys.history(change.n - 1), Pointer)

    def stays(self, pointer: Pointer | None, version: str) -> str | None:
        """Return why no build moves CURRENT to a version, given what CURRENT says, or None if one may.

        It stays if it is pinned, and never moves back in logical date or to a version that a person moved away from,
        unless it names one that is not there.
        """
        return _stays(pointer, version) if pointer and self.exists(pointer.version) else None

    def advance(
        self,
        version: str,
        may_move: Callable[[Pointer | None], bool],
        *,
        by: str,
        why: str,
        tuned: Tuning | None = None,
    ) -> Pointer | None:
        """Move CURRENT to a version if it may, by what CURRENT says at that moment; return what it said before.

        If the version keeps the ranking that a person had tuned the one before to, `tuned` says so.
        """
        seen: Pointer | None = None

        def moved(pointer: Pointer | None) -> dict[str, Any] | None:
            nonlocal seen
            seen = pointer
            if not may_move(pointer):
                return None
            if not self.exists(version):
                raise UnknownVersionError(f"{version} was pruned before it could answer. Run the build again.")
            kept = {"tuned": {**pointer.tuned, version: tuned}} if pointer and tuned else {}
            return {"version": version, **kept}

        self.pointer.change_or_not("publish", moved, by=by, why=why)
        return seen

    def promote(self, version: str, *, by: str, why: str) -> Pointer:
        """Move CURRENT to a version, forward or back. Raises UnknownVersionError."""
        return self.pointer.change(
            "promote", lambda pointer: _moved(pointer, self.manifest(version).version), by=by, why=why
        )

    def rollback(self, version: str | None = None, *, by: str, why: str) -> Pointer:
        """Move CURRENT to the parent of the version it names; if `version` is given, only from that one.

        Raises UnknownVersionError if there is no parent, or CURRENT names another version by now.
        """

        def moved(pointer: Pointer) -> dict[str, Any]:
            if version not in (None, pointer.version):
                raise UnknownVersionError(
                    f"{pointer.changed_by} has already switched the current version from {version} to "
                    f"{pointer.version}. See `rag history`, and roll back again if you still want to."
                )
            return _moved(pointer, self.parent(pointer.version).version)

        return self.pointer.change("rollback", moved, by=by, why=why)

    def pin(self, version: str | None = None, *, by: str, why: str) -> Pointer:
        """Keep a version from being pruned and, while it answers, from being replaced by a build.

        By default the current one. Raises UnknownVersionError.
        """

        def pinned(pointer: Pointer) -> dict[str, Any]:
            name = self.manifest(version or pointer.version).version
            return {"pinned": tuple(sorted({*pointer.pinned, name}))}

        return self.pointer.change("pin", pinned, by=by, why=why)

    def unpin(self, version: str | None = None, *, by: str, why: str) -> Pointer:
        """Let a version be pruned and replaced again. Raises UnknownVersionError if it was not pinned."""

        def unpinned(pointer: Pointer) -> dict[str, Any]:
            name = version or pointer.version
            if name not in pointer.pinned:
                raise UnknownVersionError(f"{name} is not pinned. Pinned: {', '.join(pointer.pinned) or 'none'}.")
            return {"pinned": tuple(other for other in pointer.pinned if other != name)}

        return self.pointer.change("unpin", unpinned, by=by, why=why)

    def retune(self, version: str, tuning: Tuning, *, by: str, why: str) -> Pointer:
        """Have a version asked by another ranking from now on. Raises UnknownVersionError."""

        def tuned(pointer: Pointer) -> dict[str, Any]:
            return {"tuned": {**pointer.tuned, self.manifest(version).version: tuning}}

        return self.pointer.change("retune", tuned, by=by, why=why)

    # Pruning

    def lease(self, *, by: str) -> Lease:
        """Return the right to remove things, which is held while its block runs."""
        return Lease(self._store, by=by, dead_after_s=self._dead_after_s)

    def wait_for_pruning(self) -> None:
        """Return once no process is removing anything that it chose before."""
        wait_until_free(self._store, dead_after_s=self._dead_after_s)

    def _load(self, version: str) -> Manifest | None:
        key = keys.manifest(version)
        stored = self._store.get(key) if keys.is_version(version) else None
        if stored is None:
            return None
        manifest = open_manifest(key, stored.body)
        if manifest.version != version:
            raise CorruptObjectError(
                f"{key} describes another version, {manifest.version}. Restore it from a copy, or delete it and run "
                "`rag build`."
            )
        return manifest

    def _some_names(self, count: int = 3) -> str:
        return ", ".join(self.names()[:count]) or "none"


def _tuned(manifest: Manifest, pointer: Pointer | None) -> Manifest:
    tuning = pointer.tuned.get(manifest.version) if pointer else None
    if tuning is None:
        return manifest
    changed = {"ranking": tuning.ranking, "quality": tuning.quality, "yardstick": tuning.yardstick}
    return manifest.model_copy(update=changed)


def _stays(pointer: Pointer, version: str) -> str | None:
    """Return why no build moves CURRENT to a version, or None if one does."""
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
