"""The base of everything that is stored, and the numbered upgrades that let a record outlive a release.

A stored record says in `schema` which release's form it has; one without that number has the form of release 0.1.0,
number 1. A class whose form changed has a function in `upgrades` for each earlier number, which turns the fields of
that form into those of the next. A field that is only added needs neither, if it has a default that means what was so
before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from contextual_rag.errors import CorruptObjectError

__all__ = ["Fields", "Record", "StrictRecord", "decode", "encode", "from_stored"]

Fields = dict[str, Any]
# Half a character, which Python reads from JSON but can neither store nor print.
_SURROGATE = re.compile(rb"\\ud[89a-f]|\xed[\xa0-\xbf]", re.IGNORECASE)


class Record(BaseModel):
    """An immutable value that survives JSON. Fields that it does not know, as a later release may add, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_number: ClassVar[int] = 1
    upgrades: ClassVar[Mapping[int, Callable[[Fields], Fields]]] = {}


class StrictRecord(Record):
    """A record that people or models write: a field that it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


R = TypeVar("R", bound=Record)


def encode(record: Record) -> bytes:
    """Return a record as it is stored."""
    return json.dumps(
        {"schema": record.schema_number, **record.model_dump(mode="json")}, ensure_ascii=False, separators=(",", ":")
    ).encode()


def decode(key: str, body: bytes, kind: type[R]) -> R:
    """Return the record that was stored under a key, upgraded. Raises CorruptObjectError that names the key."""
    try:
        fields = json.loads(body)
        if _SURROGATE.search(body):
            json.dumps(fields, ensure_ascii=False).encode()
        return from_stored(key, fields, kind)
    except (ValueError, RecursionError) as error:
        where = _explained(error) if isinstance(error, ValidationError) else str(error)
        raise CorruptObjectError(
            f"{key} is not a valid {kind.__name__.lower()} ({where}). Restore it from a copy, or delete it and run "
            "`rag build`."
        ) from None


def _explained(error: ValidationError) -> str:
    fault = error.errors()[0]
    # All patterns in records are those of names.
    wrong = fault["type"] == "string_pattern_mismatch"
    said = f"{str(fault['input'])[:80]!r} is not a name that is allowed here" if wrong else fault["msg"]
    return f"{'.'.join(str(part)[:80] for part in fault['loc'])}: {said}"


def from_stored(key: str, fields: Any, kind: type[R]) -> R:
    """Return the record of fields as they were stored, upgraded.

    Raises ValueError if they are not such a record, CorruptObjectError if a later release wrote them.
    """
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")
    found = fields.get("schema", 1)
    if not isinstance(found, int) or not found >= 1:
        raise ValueError(f"its schema number is {found!r}")
    if found > kind.schema_number:
        raise CorruptObjectError(
            f"{key} was written by a later release (schema {found}; this release reads up to {kind.schema_number}). "
            "Install that release."
        )
    try:
        for number in range(found, kind.schema_number):
            fields = kind.upgrades[number](fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it cannot be upgraded from schema {found} ({type(error).__name__}: {error})") from None
    return kind.model_validate(fields)
