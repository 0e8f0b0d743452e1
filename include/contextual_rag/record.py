"""The base of everything that is stored, and its way into the store and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from contextual_rag.errors import CorruptObjectError

if TYPE_CHECKING:
    from contextual_rag.ports import ObjectStore

__all__ = ["Record", "decode", "encode", "load", "require", "save"]


class Record(BaseModel):
    """An immutable value that survives JSON and refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


R = TypeVar("R", bound=Record)


def encode(record: Record) -> bytes:
    """Return a record as it is stored."""
    return record.model_dump_json().encode()


def save(store: ObjectStore, key: str, record: Record) -> None:
    """Store a record, replacing what was there."""
    store.put(key, encode(record))


def load(store: ObjectStore, key: str, kind: type[R]) -> R | None:
    """Return the record of a key, or None where there is none. Raises CorruptObjectError that names the key."""
    stored = store.get(key)
    return decode(key, stored.body, kind) if stored else None


def decode(key: str, body: bytes, kind: type[R]) -> R:
    """Return the record that was stored under a key. Raises CorruptObjectError that names the key."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise CorruptObjectError(
            f"{key} is not a {kind.__name__.lower()} ({error.error_count()} faults, the first: "
            f"{error.errors()[0]['msg']}). Restore it from a copy, or delete it and run `rag build`."
        ) from None


def require(store: ObjectStore, key: str, kind: type[R]) -> R:
    """Return the record of a key. Raises CorruptObjectError where it is not there either."""
    record = load(store, key, kind)
    if record is None:
        raise CorruptObjectError(f"{key} is missing, though another object refers to it; run `rag build`.")
    return record
