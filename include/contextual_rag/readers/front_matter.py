"""What stands before a Markdown text and is about it: YAML between dashes, TOML between pluses, or a JSON object."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from contextual_rag.readers.authors import authors_in
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.dates import iso_day, line_date

__all__ = ["Front", "front_of"]

_LONGEST, _MOST_OPENED = 50_000, 500
_RULED: Final = re.compile(r"\A\s*(---|\+\+\+)[^\S\n]*\n(.*?\n)??(?:\1|(?<=\n)\.\.\.)[^\S\n]*(?:\n|\Z)", re.DOTALL)
_FIRST_FIELD: Final = re.compile(r"""\s*+(?:#.*+\s*+)*+(?:["']?\w[\w -]*+["']?\s*+[:=]|\[|\Z)""")
_FIELD: Final = re.compile(r"""^["']?(\w+)["']?\s*[:=]\s*(.+?)\s*$""", re.MULTILINE)
# As the common generators call it, the surest first.
_DATES: Final = ("date", "published", "pubdate", "publishdate", "datepublished", "created", "datecreated")
_KNOWN: Final = frozenset({"title", "layout", "author", "authors", *_DATES})


class Front(NamedTuple):
    """What a text says about itself before it begins, and where it begins."""

    title: str = ""
    date: str | None = None
    authors: tuple[str, ...] = ()
    end: int = 0


def front_of(text: str) -> Front:
    """Return what stands before a text and is about it. Never raises."""
    found = _fields(text[:_LONGEST])
    if found is None:
        return Front()
    fields, end = found
    said = {re.sub(r"[\W_]", "", str(name)).lower(): value for name, value in fields.items()}
    # A list of YAML may stand for very many values.
    dates = [tidy(str(said[name])) for name in _DATES if not isinstance(said.get(name), list | dict | None)]
    return Front(
        title=_title(said.get("title")),
        date=iso_day(dates) or next(filter(None, map(line_date, dates)), None),
        authors=authors_in(said.get("authors")) or authors_in(said.get("author")),
        end=end,
    )


def _fields(text: str) -> tuple[Mapping[str, Any], int] | None:
    """Return the fields before a text, and where they end; None if there are none."""
    if text.lstrip().startswith("{"):
        return _json(text)
    ruled = _RULED.match(text)
    inside = (ruled[2] or "") if ruled else ""
    # Between two rules may also stand a text.
    if ruled is None or not _FIRST_FIELD.match(inside):
        return None
    try:
        fields = tomllib.loads(inside) if ruled[1] == "+++" else _yaml(inside)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        # It was not written for strict programs.
        fields = {name: value.strip("\"'") for name, value in reversed(_FIELD.findall(inside))}
    return fields, ruled.end()


def _yaml(text: str) -> Any:
    """Return what YAML says, each value as it is written. Raises ValueError."""
    import yaml

    # In each other, they cost much, and nobody writes so many.
    if text.count("[") + text.count("{") > _MOST_OPENED:
        raise ValueError("too many lists")
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  it makes only texts
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _json(text: str) -> tuple[Mapping[str, Any], int] | None:
    try:
        fields, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return None
    return (fields, len(text) - len(text.lstrip()) + end) if _KNOWN.intersection(fields) else None


def _title(value: object) -> str:
    return tidy(str(value)) if isinstance(value, str | int | float) else ""
