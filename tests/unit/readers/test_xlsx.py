"""Excel files: each row with the names of its columns, and the place where it stands."""

from __future__ import annotations

from datetime import date, datetime, time
from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Entry
from contextual_rag.readers import xlsx
from contextual_rag.readers.registry import read_document
from tests.raising import raising
from tests.unit.readers import files

ENTRY = Entry(slug="pilots", url="file:pilots.xlsx", title="pilots")
PILOTS: list[list[Any]] = [
    ["port", "pilot", "since"],
    ["Ostrey", "Obadiah Pym", date(1902, 3, 1)],
    ["Leith", "Maud Lind", None],
]


def bomb() -> bytes:
    """A file whose list of parts says that one unpacks to 400 MB."""
    body = bytearray(files.zipped({"xl/workbook.xml": "<workbook/>"}))
    size = body.index(b"PK\x01\x02") + 24
    body[size : size + 4] = (400_000_000).to_bytes(4, "little")
    return bytes(body)


def book(**sheets: list[list[Any]]) -> Workbook:
    """A file of these sheets."""
    made = Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return made


def saved(made: Workbook) -> bytes:
    out = BytesIO()
    made.save(out)
    return out.getvalue()


def found(body: bytes) -> list[tuple[str, str, str | None]]:
    return [(block.kind, block.text, block.where) for block in xlsx.read(body).blocks]


def values(body: bytes) -> list[str]:
    return [text for _, text, _ in found(body)]


def test_a_row_says_its_columns_and_where_it_is() -> None:
    made = book(Pilots=PILOTS, Bells=[["bell", "founder"], ["North", "Hart"]])
    made.properties.creator = "Agnes Quill"
    made.properties.title = "The Register"
    read = xlsx.read(saved(made))
    assert (read.title, read.authors) == ("The Register", ("Agnes Quill",))
    assert found(saved(made)) == [
        ("table", "port: Ostrey\npilot: Obadiah Pym\nsince: 1902-03-01", "Pilots, row 2"),
        ("table", "port: Leith\npilot: Maud Lind", "Pilots, row 3"),
        ("table", "bell: North\nfounder: Hart", "Bells, row 2"),
    ]


def test_lines_above_the_columns_are_text_and_rows_keep_their_numbers() -> None:
    body = saved(book(A=[["Register of pilots"], [], *PILOTS[:2]]))
    assert [(kind, where) for kind, _, where in found(body)] == [("paragraph", "A, row 1"), ("table", "A, row 4")]


def test_a_sheet_without_names_of_columns_has_their_letters() -> None:
    assert values(saved(book(A=[["Ostrey", 4], ["Leith", 5]]))) == [
        "column A: Ostrey\ncolumn B: 4",
        "column A: Leith\ncolumn B: 5",
    ]


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (datetime.combine(date(2019, 3, 2), time()), None, "2019-03-02"),
        (datetime.combine(date(2019, 3, 2), time(10, 30)), None, "2019-03-02 10:30"),
        (0.1 + 0.2, None, "0.3"),
        (0.25, "0%", "25%"),
        (12.0, None, "12"),
        (True, None, "true"),
        ("two\nlines", None, "two lines"),
    ],
)
def test_a_value_is_what_a_person_reads(value: object, form: str | None, shown: str) -> None:
    made = book(A=[["port", "said"], ["Ostrey", value]])
    if form:
        made["A"]["B2"].number_format = form
    assert " ".join(values(saved(made))[0].split()) == f"port: Ostrey said: {shown}"


def test_an_error_is_no_value() -> None:
    assert values(saved(book(A=[["port", "said"], ["Ostrey", "#N/A"]]))) == ["port: Ostrey"]


def test_a_formula_is_the_value_that_was_calculated_and_one_without_is_named() -> None:
    body = saved(book(A=[["port", "dues"], ["Ostrey", "=1+2"]]))
    calculated = files.repacked(body, "xl/worksheets/sheet1.xml", b"<f>1+2</f><v></v>", b"<f>1+2</f><v>3</v>")
    calculated = files.repacked(calculated, "xl/worksheets/sheet1.xml", b"<f>1+2</f><v />", b"<f>1+2</f><v>3</v>")
    assert values(calculated) == ["port: Ostrey\ndues: 3"]
    with raising(EmptyDocumentError, "empty_document", "formulas"):
        xlsx.read(saved(book(A=[["=1+2"]])))


def test_a_merged_cell_stands_in_each_of_its_rows_and_in_no_other() -> None:
    made = book(A=[["shire", "port"], ["North", "Ostrey"], [None, "Leith"], [None, "Sula"]])
    made["A"].merge_cells("A2:A3")
    assert values(saved(made)) == ["shire: North\nport: Ostrey", "shire: North\nport: Leith", "port: Sula"]


def test_a_hidden_sheet_is_left_out_and_named() -> None:
    made = book(Pilots=PILOTS, Wages=[["pilot", "wage"], ["Pym", "nine pounds"]])
    made["Wages"].sheet_state = "veryHidden"
    assert found(saved(made))[-1] == ("note", "The hidden sheet “Wages” is left out.", None)
    assert "nine pounds" not in "".join(values(saved(made)))
    assert "hidden" not in "".join(values(saved(book(Pilots=PILOTS))))


def test_a_sheet_that_says_it_ends_early_is_read_to_its_end() -> None:
    body = saved(book(A=PILOTS))
    short = files.repacked(body, "xl/worksheets/sheet1.xml", b'<dimension ref="A1:C3"', b'<dimension ref="A1:A1"')
    assert short != body
    assert found(short) == found(body)


def test_it_is_known_by_its_bytes_whatever_it_is_called() -> None:
    document = read_document(saved(book(Pilots=PILOTS)), ENTRY.model_copy(update={"url": "file:a.docx"}), None)
    assert [one.where for one in document.paragraphs] == ["Pilots, row 2", "Pilots, row 3"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (bomb(), "empty_document_too_large"),
        (files.zipped({"xl/workbook.xml": "<workbook"}), "empty_document_broken"),
        (saved(book(A=PILOTS))[:-200], "empty_document_broken"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "empty_document_encrypted"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook".encode("utf-16-le"), "empty_document_format"),
        (saved(book(A=[])), "empty_document"),
    ],
    ids=["bomb", "broken", "cut off", "password", "old", "empty"],
)
def test_one_that_cannot_be_read_is_named(body: bytes, code: str) -> None:
    with raising(EmptyDocumentError, code):
        read_document(body, ENTRY, None)
