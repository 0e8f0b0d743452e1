"""Tables, records, notebooks and source code: what their readers find, and where."""

from __future__ import annotations

import json

import pytest

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Entry
from contextual_rag.readers.code import read_code, read_notebook
from contextual_rag.readers.document import Read
from contextual_rag.readers.rows import read_json, read_json_lines, read_table
from tests.raising import raising
from tests.unit.readers import files


def found(read: Read) -> list[tuple[str, str | None]]:
    return [(block.text, block.where) for block in read.blocks]


class TestATable:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_is_read_row_by_row_as_a_spreadsheet_numbers_them(self, delimiter: str) -> None:
        rows = (
            ("lamp", "keeper"),
            ("Ostrey", "Pym, Obadiah" if delimiter != "," else "Pym"),
            ("", ""),
            ("Leith", "Hart"),
        )
        body = "\n".join(delimiter.join(row) for row in rows)
        name = rows[1][1]
        assert found(read_table(body.encode())) == [
            (f"lamp: Ostrey\nkeeper: {name}", "row 2"),
            ("lamp: Leith\nkeeper: Hart", "row 4"),
        ]

    def test_keeps_commas_and_lines_inside_quotation_marks(self) -> None:
        body = b'\xef\xbb\xbfname,said\n"Pym, O.","It rang,\nand ""burned""."\n'
        assert found(read_table(body)) == [('name: Pym, O.\nsaid: It rang, and "burned".', "row 2")]

    def test_without_a_head_has_numbered_columns(self) -> None:
        assert found(read_table(b"Ostrey,1902\nLeith,1903\n"))[0] == ("column 1: Ostrey\ncolumn 2: 1902", "row 1")

    def test_leaves_out_empty_cells_and_names_those_beyond_its_head(self) -> None:
        assert found(read_table(b"a,b\n,two,three\n")) == [("b: two\ncolumn 3: three", "row 2")]

    def test_of_a_field_longer_than_a_page_is_read(self) -> None:
        assert len(read_table(b"a,b\n1," + b"lamp " * 50_000).blocks[0].text) > 200_000

    def test_without_a_row_is_named(self) -> None:
        with raising(EmptyDocumentError, "empty_document"):
            read_table(b"lamp,keeper\n,\n")


class TestRecords:
    def test_of_a_list_are_numbered_and_values_inside_others_named_by_their_path(self) -> None:
        body = [{"lamp": "Ostrey", "keeper": {"name": "Pym", "years": [1902, 1903]}, "note": None}, {"lamp": "Leith"}]
        assert found(read_json(json.dumps(body).encode())) == [
            ("lamp: Ostrey\nkeeper.name: Pym\nkeeper.years: 1902, 1903", "record 1"),
            ("lamp: Leith", "record 2"),
        ]

    def test_of_the_one_list_of_an_object_are_those_of_the_file(self) -> None:
        body = {"made": "2019", "lamps": [{"lamp": "Ostrey"}, {"lamp": "Leith"}]}
        assert found(read_json(json.dumps(body).encode())) == [
            ("made: 2019", "beginning"), ("lamp: Ostrey", "record 1"), ("lamp: Leith", "record 2"),
        ]  # fmt: skip

    def test_of_an_object_are_its_fields(self) -> None:
        body = {"lamp": "Ostrey", "keeper": {"name": "Pym"}, "empty": {}}
        assert found(read_json(json.dumps(body).encode())) == [("lamp: Ostrey", "lamp"), ("keeper.name: Pym", "keeper")]

    def test_of_lines_are_numbered_as_the_lines_are(self) -> None:
        assert found(read_json_lines(b'{"lamp": "Ostrey"}\n\n{"lamp": "Leith\\u2028x"}\n')) == [
            ("lamp: Ostrey", "line 1"), ("lamp: Leith x", "line 3"),
        ]  # fmt: skip

    @pytest.mark.parametrize("body", [b'{"lamp": ', b"lamp", b"[" * 100_000, b'{"a":' * 50_000])
    def test_that_are_damaged_or_nested_too_deep_are_named(self, body: bytes) -> None:
        with raising(EmptyDocumentError, "empty_document_broken"):
            read_json(body)

    def test_of_which_one_line_is_damaged_name_it(self) -> None:
        with raising(EmptyDocumentError, "empty_document_broken", "line 2"):
            read_json_lines(b'{"lamp": "Ostrey"}\n{"lamp": \n')

    @pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'[{"a": ""}]'])
    def test_without_a_value_are_named(self, body: bytes) -> None:
        with raising(EmptyDocumentError, "empty_document"):
            read_json(body)


class TestANotebook:
    def test_has_its_text_and_code_by_cell_and_not_what_they_put_out(self) -> None:
        read = read_notebook(
            files.notebook(("markdown", "# Lamps\n\nThey rang."), ("code", "x = 1\n\nprint(x)"), ("raw", "skip"))
        )
        assert found(read) == [("# Lamps", "cell 1"), ("They rang.", "cell 1"), ("x = 1\n\nprint(x)", "cell 2")]
        assert (read.title, [block.kind for block in read.blocks]) == ("Lamps", ["heading", "paragraph", "code"])

    def test_of_the_earlier_form_is_read(self) -> None:
        body = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1"]}]}]}
        assert found(read_notebook(json.dumps(body).encode())) == [("x = 1", "cell 1")]

    @pytest.mark.parametrize("body", [b"{}", b"[1]", b'{"cells": [3]}', b"lamp", b"[" * 100_000])
    def test_that_is_none_is_named(self, body: bytes) -> None:
        with raising(EmptyDocumentError, "empty_document_broken"):
            read_notebook(body)

    def test_without_text_is_named(self) -> None:
        with raising(EmptyDocumentError, "empty_document"):
            read_notebook(files.notebook(("raw", "x")))


CODE = '''"""Lamps."""

import sea


def ring(lamp):
    if lamp:

        return sea.bell
    return None


class Bell:
    tone = 3
'''


class TestSourceCode:
    @staticmethod
    def parts(text: str) -> list[tuple[str | None, str]]:
        document = read_code(text.encode(), Entry(slug="sea", url="file:code/sea.py", title="sea"))
        assert document.text == text
        return [(one.where, text[one.start : one.end]) for one in document.paragraphs]

    def test_is_a_paragraph_for_each_definition(self) -> None:
        assert [(where, text.partition("\n")[0]) for where, text in self.parts(CODE)] == [
            ("line 1", '"""Lamps."""'), ("line 3", "import sea"), ("lines 6–10", "def ring(lamp):"),
            ("lines 13–14", "class Bell:"),
        ]  # fmt: skip

    def test_is_not_divided_before_what_ends_a_block(self) -> None:
        assert [where for where, _ in self.parts("ring {\n\n  bell();\n\n}\n\nsea();\n")] == ["lines 1–5", "line 7"]

    def test_of_a_long_definition_is_divided_at_blank_lines_and_else_between_lines(self) -> None:
        body = "def ring():\n" + "\n\n".join("\n".join(f"    bell({n}, {i})" for i in range(30)) for n in range(4))
        parts = self.parts(body)
        assert all(len(text) <= 1200 for _, text in parts)
        assert [where for where, _ in parts] == ["lines 1–62", "lines 64–124"]
        unbroken = self.parts("def ring():\n" + "\n".join(f"    bell({n})" for n in range(300)))
        assert all(len(text) <= 1200 and not text.startswith("\n") for _, text in unbroken)
        assert unbroken[-1][0] is not None
        assert unbroken[-1][0].endswith("–301")

    def test_has_all_its_lines(self) -> None:
        text = "".join(text for _, text in self.parts(CODE))
        assert "".join(text.split()) == "".join(CODE.split())
