"""Index versions and the pointer to the one that answers.

A version is a prefix with a manifest; the manifest is written last, so that a version is whole or not there.
CURRENT changes only by compare-and-set, so that of two publishers one wins and the other looks again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple

from pydantic import ValidationError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contextual_rag import keys
from contextual_rag.errors import ConflictError, CorruptObjectError, UnknownVersionError
from contextual_rag.model import Manifest, Pointer
from contextual_rag.ports import ObjectStore
from contextual_rag.recipe import Recipe
from contextual_rag.record import encode, load

__all__ = ["Registry"]


class _Current(NamedTuple):
    pointer: Pointer
    etag: str


class Registry:
    """The versions in a bucket. Holds no state, so any number of processes may have one."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def names(self) -> list[str]:
        """Return the names of all versions, newest logical date first."""
        found = (keys.version_of(key) for key in self._store.list(keys.INDEXES))
        return sorted((name for name in found if name), reverse=True)

    def versions(self) -> list[Manifest]:
        """Return all versions, newest first: by logical date, then by when they were made."""
        manifests = [self.manifest(name) for name in self.names()]
        return sorted(manifests, key=lambda m: (m.logical_date, m.created_at), reverse=True)

    def manifest(self, version: str) -> Manifest:
        """Return a version. Raises UnknownVersionError, or CorruptObjectError that names the manifest."""
        manifest = load(self._store, keys.manifest(version), Manifest)
        if manifest is None:
            known = ", ".join(self.names()[:5]) or "none yet; run `rag build`"
            raise UnknownVersionError(f"There is no index version {version!r}. Known: {known}.")
        if manifest.version != version:
            raise CorruptObjectError(
                f"{keys.manifest(version)} describes version {manifest.version!r}. Restore it from a copy, or delete "
                "it and run `rag build`."
            )
        return manifest

    def exists(self, version: str) -> bool:
        """Whether there is such a version."""
        return self._store.exists(keys.manifest(version))

    def current(self) -> Pointer | None:
        """Return what CURRENT says, or None where nothing was published yet."""
        current = self._current()
        return current.pointer if current else None

    def resolve(self, version: str | None = None) -> Manifest:
        """Return the version of a name, or the current one. Raises UnknownVersionError."""
        if version is None:
            pointer = self.current()
            if pointer is None:
                raise UnknownVersionError("No index has been published yet. Run `rag build` or the DAG build_index.")
            version = pointer.version
            if not self.exists(version):
                raise CorruptObjectError(
                    f"{keys.CURRENT} names version {version!r}, and {keys.manifest(version)} is not there. Run "
                    f"`rag build`, or ask another one by --version ({self._some_names()})."
                )
        return self.manifest(version)

    def parent(self, recipe: Recipe, day: date) -> Manifest | None:
        """Return the newest version of a recipe up to a day: what a build of that day is compared with."""
        versions = (m for m in self.versions() if m.logical_date <= day)
        return next((m for m in versions if m.recipe == recipe), None)

    def publish(self, manifest: Manifest, *, promote: bool, by: str) -> bool:
        """Make a version of what was assembled, then move CURRENT to it; return whether CURRENT names it.

        Publishing the same version again changes nothing but finishes what a killed run left undone.
        """
        key = keys.manifest(manifest.version)
        self._store.put_new(key, encode(manifest))
        self._store.delete([keys.draft(manifest.version)])
        return self.advance(manifest, by=by, why="published") if promote else False

    @retry(
        retry=retry_if_exception_type(ConflictError),
        stop=stop_after_attempt(10),
        wait=wait_random_exponential(0.05, 2),
        reraise=True,
    )
    def advance(self, manifest: Manifest, *, by: str, why: str) -> bool:
        """Move CURRENT forward to a version; return whether CURRENT names it then.

        It stays where it is pinned, and never moves back in logical date, unless it names a version that is not there.
        """
        current = self._current()
        if current and current.pointer.version == manifest.version:
            return True
        stays = current and (current.pointer.pinned or current.pointer.version[:10] > manifest.version[:10])
        if current and stays and self.exists(current.pointer.version):
            return False
        pointer = Pointer(version=manifest.version, changed_at=datetime.now(UTC), changed_by=by, why=why)
        self._store.swap(keys.CURRENT, encode(pointer), expected=current.etag if current else None)
        return True

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
