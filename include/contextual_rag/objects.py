"""Records in the object store: put there, and read back."""

from __future__ import annotations

from typing import TypeVar

from contextual_rag.errors import CorruptObjectError
from contextual_rag.ports import ObjectStore
from contextual_rag.record import Record, decode, encode

__all__ = ["load", "require", "save"]

R = TypeVar("R", bound=Record)


def save(store: ObjectStore, key: str, record: Record) -> None:
    """Store a record, replacing what was there."""
    store.put(key, encode(record))


def load(store: ObjectStore, key: str, kind: type[R]) -> R | None:
    """Return the record of a key, or None if there is none. Raises CorruptObjectError that names the key."""
    stored = store.get(key)
    return decode(key, stored.body, kind) if stored else None


def require(store: ObjectStore, key: str, kind: type[R]) -> R:
    """Return the record of a key. Raises CorruptObjectError also if there is none."""
    record = load(store, key, kind)
    if record is None:
        raise CorruptObjectError(f"{key} is missing, though another object refers to it. Run `rag build`.")
    return record
