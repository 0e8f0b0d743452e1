"""Records in the object store: put there, and read back."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from contextual_rag.errors import CorruptObjectError
from contextual_rag.ports import ObjectStore
from contextual_rag.record import Record, decode, encode

__all__ = ["load", "present", "require", "save"]

R = TypeVar("R", bound=Record)
# So few keys are asked for one by one; of more, a listing answers for a thousand in the time of about twenty.
_FEW = 16
_LISTED_PER_KEY = 50


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


def present(store: ObjectStore, wanted: Iterable[str]) -> set[str]:
    """Return those of some keys that are there. In a bucket that holds far more, no folder is listed to its end."""
    asked = set(wanted)
    if len(asked) <= _FEW:
        return {key for key in asked if store.exists(key)}
    folders = {key.partition("/")[0] for key in asked}
    return {key for folder in folders for key in _listed(store, f"{folder}/", asked)}


def _listed(store: ObjectStore, folder: str, asked: set[str]) -> set[str]:
    mine = {key for key in asked if key.startswith(folder)}
    most = _LISTED_PER_KEY * len(mine)
    listed = list(islice(store.list(folder), most))
    beyond = {key for key in mine if key > listed[-1] and store.exists(key)} if len(listed) == most else set()
    return mine.intersection(listed) | beyond
