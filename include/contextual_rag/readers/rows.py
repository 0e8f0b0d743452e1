"""Tables and records as text: each row is a paragraph of the lines `column: value`."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import StringIO
from textwrap import shorten
from typing import Any, Final

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.readers.blocks import Block, has_word, names_columns
from contextual_rag.readers.characters import decode, tidy
from contextual_rag.readers.document import Read

__all__ = ["read_json", "read_json_lines", "read_table"]

_SEPARATOR: Final = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_DELIMITERS: Final = (",", ";", "\t", "|")
_LOOKED_AT = 20
_DEEPEST, _LONGEST_NAME = 20, 80
# The limit of the module csv is one for all; a file is never larger.
_LONGEST_FIELD: Final = 2**31 - 1


def read_table(body: bytes, charset: str | None = None) -> Read:
    """Return the rows of a CSV or TSV file, numbered as a spreadsheet does. Raises EmptyDocumentError."""
    text = decode(body, charset)
    csv.field_size_limit(_LONGEST_FIELD)
    # A line for Excel alone says what is between the cells.
    said = _SEPARATOR.match(text)
    try:
        delimiter = said[1] if said else _delimiter(text)
        lines = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        rows = [{i: cell for i, cell in enumerate(map(tidy, row), 1) if cell} for row in lines]
    except csv.Error as error:
        raise _broken(f"it is not a table ({error})") from error
    if said:
        rows[0] = {}
    head = _head(rows)
    names = rows[head - 1] if head else {}
    blocks = []
    for n, row in enumerate(rows, 1):
        pairs = [(names.get(i, f"column {i}") if n > head else "", cell) for i, cell in row.items()]
        if n != head and (block := _block(pairs, f"row {n}")):
            blocks.append(block if n > head else block._replace(kind="paragraph"))
    return _read(blocks, "no row with a value")


def _head(rows: Sequence[dict[int, str]]) -> int:
    """Return the number of the row that names the columns, 0 if none does: the first below lines about the table."""
    widths = Counter(map(len, filter(None, rows)))
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    for n, row in enumerate(rows[:_LOOKED_AT], 1):
        if row and len(row) * 2 > usual:
            return n if names_columns([*row.values()]) else 0
    return 0


def read_json(body: bytes, charset: str | None = None) -> Read:
    """Return the records of a JSON file: those of its list, or each field of its object. Raises EmptyDocumentError."""
    text = decode(body, charset)
    try:
        value = _parsed(text)
    except EmptyDocumentError as error:
        # One value a line is often called JSON too.
        if isinstance(error.__cause__, json.JSONDecodeError) and error.__cause__.msg == "Extra data":
            return read_json_lines(body, charset)
        raise
    lists = [one for one in value.values() if _is_records(one)] if isinstance(value, dict) else []
    if len(lists) == 1:
        others = {name: one for name, one in value.items() if one is not lists[0]}
        about = _block(_pairs(others), "beginning")
        return _read([*([about] if about else []), *_records(lists[0], "record")], "no record with a value")
    if isinstance(value, dict):
        found = (_block(_pairs({name: one}), shorten(tidy(name), _LONGEST_NAME)) for name, one in value.items())
        return _read([block for block in found if block], "no field with a value")
    return _read(list(_records(value if isinstance(value, list) else [value], "record")), "no record with a value")


def read_json_lines(body: bytes, charset: str | None = None) -> Read:
    """Return the records of a file with one JSON value a line. Raises EmptyDocumentError."""
    blocks = []
    for n, whole in enumerate(decode(body, charset).split("\n"), 1):
        # RFC 7464 begins each with a control character.
        if line := whole.strip(" \t\r\x1e"):
            blocks += [block for block in [_block(_pairs(_parsed(line, n)), f"line {n}")] if block]
    return _read(blocks, "no line with a value")


def _read(blocks: list[Block], lacking: str) -> Read:
    if not blocks:
        raise EmptyDocumentError(f"it has {lacking}")
    return Read("", None, blocks)


def _records(values: Sequence[Any], name: str) -> Iterator[Block]:
    for n, value in enumerate(values, 1):
        if block := _block(_pairs(value), f"{name} {n}"):
            yield block


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _parsed(text: str, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise _broken("its values are nested too deep") from error
    except ValueError as error:
        raise _broken(f"{f'line {line}' if line else 'it'} is not JSON ({error})") from error


def _pairs(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield names and values; the name of a value inside another is a path, such as author.name."""
    if isinstance(value, dict) and depth < _DEEPEST:
        for key, one in value.items():
            yield from _pairs(one, f"{name}.{key}" if name else key, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST and any(isinstance(one, dict | list) for one in value):
        for n, one in enumerate(value, 1):
            yield from _pairs(one, f"{name}.{n}" if name else str(n), depth + 1)
    elif isinstance(value, list):
        yield name, ", ".join(_scalar(one) for one in value)
    else:
        yield name, _scalar(value)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _block(pairs: Any, where: str) -> Block | None:
    lines = [f"{name}: {value}" if name else value for name, value in ((tidy(n), tidy(v)) for n, v in pairs) if value]
    text = "\n".join(lines)
    return Block(text, "table", text, where=where) if has_word(text) else None


def _delimiter(text: str) -> str:
    """Return the delimiter by which most of the first lines have the same number of cells, more than one."""
    sample = StringIO("".join(text.splitlines(keepends=True)[:_LOOKED_AT]), newline="")

    def worth(delimiter: str) -> tuple[float, int]:
        sample.seek(0)
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=delimiter, skipinitialspace=True) if row]
        except csv.Error:
            return 0.0, 0
        most = max(set(widths), key=widths.count, default=1)
        return (widths.count(most) / len(widths), most) if most > 1 else (0.0, 0)

    return max(_DELIMITERS, key=worth)


def _broken(why: str) -> EmptyDocumentError:
    return EmptyDocumentError(why, code="empty_document_broken")
