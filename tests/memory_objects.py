"""Objects in this process's memory: a bucket for tests, and for an index that is made, measured and forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple

from contextual_rag.errors import ConflictError
from contextual_rag.ports import Check, Described, Stored

__all__ = ["MemoryObjects"]


class _Object(NamedTuple):
    body: bytes
    etag: str
    modified: datetime


class MemoryObjects:
    """An `ObjectStore`. Safe to share between threads.

    A tag is the digest of the body, as in S3: whoever stores the same bytes again does not change it.
    """

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._lock = Lock()

    def get(self, key: str) -> Stored | None:
        """Return the object, or None if there is none."""
        with self._lock:
            found = self._objects.get(key)
        return Stored(found.body, found.etag) if found else None

    def put(self, key: str, body: bytes) -> None:
        """Store the object, replacing what was there."""
        with self._lock:
            self._put(key, body)

    def put_new(self, key: str, body: bytes) -> bool:
        """Store the object unless one is there; return False if one was."""
        with self._lock:
            if key in self._objects:
                return False
            self._put(key, body)
        return True

    def swap(self, key: str, body: bytes, *, expected: str | None) -> str:
        """Replace the object whose tag is `expected`, or create it if None; else ConflictError. Return its tag."""
        with self._lock:
            found = self._objects.get(key)
            if (found.etag if found else None) != expected:
                raise ConflictError(f"Another writer was first: {key}.")
            return self._put(key, body)

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._lock:
            return key in self._objects

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, in lexicographic order."""
        for found in self.describe(prefix):
            yield found.key

    def describe(self, prefix: str) -> Iterator[Described]:
        """Yield what stands below a prefix, in lexicographic order of its keys."""
        with self._lock:
            below = sorted((key, found) for key, found in self._objects.items() if key.startswith(prefix))
        for key, found in below:
            yield Described(key, len(found.body), found.modified, found.etag)

    def delete(self, keys: Sequence[str], *, check: Check | None = None) -> None:
        """Delete the objects; one that is not there is no error. `check` is called right before."""
        if check:
            check()
        with self._lock:
            for key in keys:
                self._objects.pop(key, None)

    def _put(self, key: str, body: bytes) -> str:
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        self._objects[key] = _Object(bytes(body), etag, datetime.now(UTC))
        return etag
