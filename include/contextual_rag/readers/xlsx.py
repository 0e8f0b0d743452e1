"""Excel files: the rows of each sheet as records, with the values that were last calculated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time
from io import BytesIO
from textwrap import shorten
from typing import Any, Final

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.extras import needs
from contextual_rag.readers.blocks import Block, has_word, names_columns, note
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.document import Read
from contextual_rag.readers.packed import Packed

__all__ = ["read"]

_BOOK: Final = "xl/workbook.xml"
_LONGEST_NAME, _LOOKED_AT, _MOST_FILLED = 80, 10, 100_000

_Row = dict[int, str]  # the texts of a row's cells that have one, by their columns


def read(body: bytes) -> Read:
    """Return the rows of all sheets but hidden ones, which are named. Raises EmptyDocumentError."""
    needs("documents")
    from openpyxl import load_workbook

    packed = Packed(body)
    title, day, authors = packed.about()
    merged = dict(_merged(packed))
    book = load_workbook(BytesIO(body), read_only=True, data_only=True, keep_links=False)
    blocks: list[Block] = []
    hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
    for sheet in book.worksheets:
        if sheet.sheet_state == "visible":
            # Some programs write that a sheet ends where it does not.
            sheet.reset_dimensions()
            blocks += _sheet(shorten(tidy(sheet.title), _LONGEST_NAME), sheet.iter_rows(), merged.get(sheet.title, ()))
    if not blocks:
        unseen = f" but for hidden sheets: {', '.join(hidden)}" if hidden else ""
        raise EmptyDocumentError(
            f"it has no row with a value{unseen}. If its cells are formulas, open it in a program and save it there"
        )
    blocks += [note(f"The hidden sheet “{name}” is left out.") for name in map(tidy, hidden)]
    return Read(title, day, blocks, authors=authors)


def _sheet(name: str, cells: Iterable[Sequence[Any]], merged: Iterable[tuple[int, int, int]]) -> Iterator[Block]:
    """Yield the rows of a sheet; those above the row that names the columns are lines of text."""
    rows: dict[int, _Row] = {}
    for n, row in enumerate(cells, 1):
        said = {i: text for i, cell in enumerate(row, 1) if (text := _text(cell))}
        if said:
            rows[n] = said
    for column, first, last in merged:
        if whole := rows.get(first, {}).get(column):
            for n in range(first + 1, last + 1):
                if n in rows:
                    rows[n].setdefault(column, whole)
    head = _head(rows)
    names = rows.get(head, {})
    for n, said in sorted(rows.items()):
        where = f"{name}, row {n}"
        if n < head:
            text = " ".join(said.values())
            yield from [Block(text, "paragraph", text, where=where)] if has_word(text) else []
        elif n > head:
            yield from _record(sorted(said.items()), names, where)


def _record(said: Iterable[tuple[int, str]], names: Mapping[int, str], where: str) -> Iterator[Block]:
    from openpyxl.utils import get_column_letter

    text = "\n".join(f"{names.get(i) or f'column {get_column_letter(i)}'}: {value}" for i, value in said)
    if has_word(text):
        yield Block(text, "table", text, where=where)


def _head(rows: Mapping[int, _Row]) -> int:
    """Return the number of the row that names the columns, 0 if none does: an early one as wide as most rows are."""
    usual = Counter(map(len, rows.values())).most_common(1)
    first = sorted(rows)[:_LOOKED_AT]
    found = (n for n in first if len(rows[n]) >= max(2, usual[0][0]) and names_columns([*rows[n].values()]))
    return next(found, 0)


def _text(cell: Any) -> str:
    """Return a cell's value as a person reads it; an error is none."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{100 * value:.10g}%" if str(cell.number_format).endswith("%") else f"{value:.15g}"
    # A day, a time and a length of time are written as they are counted.
    return tidy(str(value))


def _merged(packed: Packed) -> Iterator[tuple[str, list[tuple[int, int, int]]]]:
    """Yield for each sheet its cells that go down over several rows: column, first and last row."""
    from openpyxl.utils.cell import range_boundaries

    parts = packed.related(_BOOK)
    for sheet in packed.xml(_BOOK).iterfind("{*}sheets/{*}sheet"):
        name = next((value for key, value in sheet.items() if key.endswith("}id")), "")
        ranges = packed.xml(parts.get(name, ("", ""))[1]).iterfind("{*}mergeCells/{*}mergeCell")
        bounds = (range_boundaries(one.get("ref", "A1")) for one in ranges)
        yield (
            sheet.get("name", ""),
            [(left, top, min(last, top + _MOST_FILLED)) for left, top, _, last in bounds if last > top],
        )
