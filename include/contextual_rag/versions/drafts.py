"""Drafts: versions that are assembled and not yet published, and the one decision whether they will be.

A process that publishes takes the draft, checks that all is there, and replaces the draft by the sealed manifest with
one compare-and-set. A process that prunes gives an abandoned draft up with one compare-and-set too, before it removes
any file. Only one of the two succeeds, however long either was stopped in between, so no version that was pruned is
published.
"""

from __future__ import annotations

from uuid import uuid4

from contextual_rag import keys
from contextual_rag.objects import save
from contextual_rag.ports import ObjectStore
from contextual_rag.record import decode, encode
from contextual_rag.versions.lease import DEAD_AFTER_S, Lease
from contextual_rag.versions.parts import lacking_files
from contextual_rag.versions.pointer import until_first
from contextual_rag.versions.records import Draft, Manifest, open_manifest, sealed

__all__ = ["Drafts"]


class Drafts:
    """The drafts in a bucket. Holds no state, so any number of processes may have one."""

    def __init__(self, store: ObjectStore, *, dead_after_s: float = DEAD_AFTER_S) -> None:
        self._store = store
        self._dead_after_s = dead_after_s

    def save(self, draft: Draft) -> None:
        """Store a draft, replacing the one that another run made of the same content."""
        save(self._store, keys.draft(draft.version), draft)

    def load(self, version: str) -> Draft | Manifest | None:
        """Return a draft, or None if there is none; the manifest that replaced it, if publishing was interrupted."""
        stored = self._store.get(keys.draft(version))
        return _read(keys.draft(version), stored.body) if stored else None

    def take(self, version: str) -> tuple[Draft | Manifest, str] | None:
        """Take a draft in order to publish it, and return it with its new tag; None if there is none.

        Whoever had taken it before cannot publish it any more. Raises ConflictError if another process was first.
        """
        key = keys.draft(version)
        stored = self._store.get(key)
        if stored is None:
            return None
        draft = _read(key, stored.body)
        if draft is None or isinstance(draft, Manifest):
            return (draft, stored.etag) if draft else None
        body = encode(draft.model_copy(update={"writer": uuid4().hex}))
        return draft, self._store.swap(key, body, expected=stored.etag)

    def publish(self, manifest: Manifest, taken: str) -> None:
        """Make a version of the draft with this tag. Raises ConflictError if it was given up, or taken by another.

        If this process is killed before the manifest stands in its place, whoever looks at the draft next finishes.
        """
        body = sealed(manifest)
        self._store.swap(keys.draft(manifest.version), body, expected=taken)
        self._finish(manifest.version, body)

    def finish(self, version: str) -> bool:
        """Finish the publishing of a version that was decided and then interrupted; False if it was not decided."""
        stored = self._store.get(keys.draft(version))
        if stored is None or not stored.body.startswith(_SEALED):
            return False
        self._finish(version, stored.body)
        return True

    def give_up(self, version: str) -> bool:
        """Make sure that a draft is never published, so that its files may be removed; False if it was published.

        Raises ConflictError if another process takes it at this moment.
        """
        key = keys.draft(version)
        stored = self._store.get(key)
        if stored is None:
            # A draft that became a version is removed when the manifest stands in its place.
            return not self._store.exists(keys.manifest(version))
        if stored.body.startswith(_SEALED):
            self._finish(version, stored.body)
            return False
        self._store.swap(key, _GIVEN_UP + uuid4().hex.encode(), expected=stored.etag)
        return True

    def remove(self, version: str) -> None:
        """Remove the draft of a version that was published without it."""
        self._store.delete([keys.draft(version)])

    def _finish(self, version: str, manifest: bytes) -> None:
        """Put the manifest in its place, unless another process did so before.

        If this process stood still meanwhile, the version may have been pruned since, files and all. Then it is gone.
        """
        if not self._is_decided(version, manifest):
            return
        if self._store.put_new(keys.manifest(version), manifest) and not self._is_decided(version, manifest):
            self._take_back(version, manifest)
        else:
            self.remove(version)

    @until_first
    def _take_back(self, version: str, manifest: bytes) -> None:
        with Lease(self._store, by="publish", dead_after_s=self._dead_after_s) as lease:
            # They are there if it was built again; whoever did so finds the manifest and is content with it.
            if lacking_files(self._store, open_manifest(keys.manifest(version), manifest)):
                self._store.delete([keys.manifest(version)], check=lease.check)

    def _is_decided(self, version: str, manifest: bytes) -> bool:
        stored = self._store.get(keys.draft(version))
        return stored is not None and stored.body == manifest


# How the bodies begin that are no draft any more.
_SEALED = b'{"seal"'
_GIVEN_UP = b"given up "


def _read(key: str, body: bytes) -> Draft | Manifest | None:
    if body.startswith(_GIVEN_UP):
        return None
    return open_manifest(key, body) if body.startswith(_SEALED) else decode(key, body, Draft)
