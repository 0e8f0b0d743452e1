"""PDF, Word, PowerPoint and EPUB files: what their readers find, and where."""

from __future__ import annotations

from io import BytesIO
from zipfile import ZipFile

import pytest

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.readers import docx, epub, pdf, pptx
from contextual_rag.readers.containers import contained
from contextual_rag.readers.document import Read
from tests.raising import raising
from tests.unit.readers import files

LONG = "The keeper of the lamp wrote down every ship that passed the point, and the hour of it,"


def found(read: Read) -> list[tuple[str, str, str | None]]:
    return [(block.kind, block.text, block.where) for block in read.blocks]


class TestAPdf:
    def test_is_read_page_by_page(self) -> None:
        read = pdf.read(files.pdf([["The lamp rang."], ["The bell burned."]], packed=False))
        assert found(read) == [("paragraph", "The lamp rang.", "page 1"), ("paragraph", "The bell burned.", "page 2")]

    @pytest.mark.parametrize(
        ("title", "meant"),
        [
            ("On Lamps", "On Lamps"),
            ("Microsoft Word - draft3.doc", ""),
            ("untitled", ""),
            ("lamps.indd", ""),
            ("7", ""),
        ],
    )
    def test_has_a_title_of_its_own_if_its_maker_gave_one(self, title: str, meant: str) -> None:
        made = files.pdf([["The lamp rang."]], about={"Title": title, "CreationDate": "D:20190302101500+01'00'"})
        assert (pdf.read(made).title, pdf.read(made).date) == (meant, "2019-03-02")

    def test_has_no_day_that_no_text_can_have(self) -> None:
        assert pdf.read(files.pdf([["The lamp rang."]], about={"CreationDate": "D:19700101000000Z"})).date is None

    def test_that_everybody_may_read_is_read(self) -> None:
        assert found(pdf.read(files.encrypted(files.pdf([["The lamp rang."]]), ""))) == [
            ("paragraph", "The lamp rang.", "page 1")
        ]

    def test_that_needs_a_password_is_named(self) -> None:
        with raising(EmptyDocumentError, "empty_document_encrypted"):
            pdf.read(files.encrypted(files.pdf([["The lamp rang."]]), "secret"))

    def test_of_pictures_alone_is_named(self) -> None:
        with raising(EmptyDocumentError, "empty_document_scanned"):
            pdf.read(files.pdf([[], []]))


class TestParagraphsOfPages:
    """From the lines of pages, as a PDF shows them."""

    @staticmethod
    def texts(*pages: str) -> list[tuple[str, str | None]]:
        return [(block.text, block.where) for block in pdf.blocks_of(pages)]

    def test_are_joined_from_full_lines_and_end_with_a_short_one(self) -> None:
        page = f"{LONG}\nand the wind.\n{LONG}\nand the tide.\n• One bell.\n• Two bells."
        assert [text for text, _ in self.texts(page)] == [
            f"{LONG} and the wind.", f"{LONG} and the tide.", "• One bell.", "• Two bells.",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("lines", "joined"),
        [
            ("the light-\nhouse burned", "the lighthouse burned"),
            ("the light\u00ad\nhouse burned", "the lighthouse burned"),
            ("a well-\nknown lamp", "a well-known lamp"),
            ("the sea-\nbell rang by the sea-bell", "the sea-bell rang by the sea-bell"),
            ("in 1902-\n1904 it rang", "in 1902- 1904 it rang"),
            ("the Jones-\nSmith lamp", "the Jones- Smith lamp"),
            ("the ﬁrst ﬂame of\nthe lamp", "the first flame of the lamp"),
            ("这座灯塔\n建于海边", "这座灯塔建于海边"),
        ],
    )
    def test_have_whole_words(self, lines: str, joined: str) -> None:
        assert [text for text, _ in self.texts(lines)] == [joined]

    def test_go_on_over_the_end_of_a_page_within_a_sentence_alone(self) -> None:
        assert self.texts(LONG, "and the wind. More.") == [(f"{LONG} and the wind. More.", "pages 1–2")]
        assert self.texts(f"{LONG} ever.", "and the wind.") == [
            (f"{LONG} ever.", "page 1"),
            ("and the wind.", "page 2"),
        ]

    def test_have_no_page_numbers_and_each_header_once(self) -> None:
        pages = [f"The Harbour Board\nOn lamp {word}.\n{n} of 4" for n, word in enumerate(("a", "b", "c", "d"), 1)]
        assert [text for text, _ in self.texts(*pages)] == [
            "The Harbour Board", "On lamp a.", "On lamp b.", "On lamp c.", "On lamp d.",
        ]  # fmt: skip

    def test_keep_numbers_that_do_not_repeat_and_lines_inside_pages(self) -> None:
        one = "1902\nThe lamp rang.\nSo be it.\nThe bell burned.\nThe end."
        two = "In that year the quay was built.\nOf stone.\nSo be it.\nOf oak.\nAnd of lime."
        whole = " ".join(text for text, _ in self.texts(one, two))
        assert "1902" in whole
        assert whole.count("So be it.") == 2

    def test_below_a_short_line_have_a_heading(self) -> None:
        kinds = [block.kind for block in pdf.blocks_of([f"2.1 The lamp\n{LONG}\nand the wind."])]
        assert kinds == ["heading", "paragraph"]


def p(text: str, style: str = "", more: str = "") -> str:
    """Return a paragraph of Word's."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r>{more}</w:p>"


ITEM = '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
NOTE = '<w:r><w:footnoteReference w:id="2"/></w:r>'


M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'


def r(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


POWER = f"<m:sSup><m:e>{r('c')}</m:e><m:sup>{r('2')}</m:sup></m:sSup>"
EQUATION = f"<m:oMath {M}><m:f><m:fPr/><m:num>{r('a+b')}</m:num><m:den>{POWER}</m:den></m:f></m:oMath>"
ROOT = f"<m:rad><m:deg/><m:e><m:d><m:e>{r('i')}</m:e></m:d></m:e></m:rad>"
SUM = (
    f'<m:oMath><m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{r("i=1")}</m:sub><m:sup>{r("n")}</m:sup>'
    f"<m:e>{ROOT}</m:e></m:nary></m:oMath>"
)


class TestAWordFile:
    def test_has_headings_lists_tables_and_notes(self) -> None:
        row = f"<w:tr><w:tc>{p('Year')}</w:tc><w:tc>{p('Oil')}</w:tc></w:tr>"
        table = f"<w:tbl>{row}{row.replace('Year', '1902').replace('Oil', '3 casks')}</w:tbl>"
        body = (
            p("At sea", "Heading1") + p("The lamp rang", more=NOTE) + ITEM.format("One.") + ITEM.format("Two.") + table
        )
        read = docx.read(files.docx(body, notes={2: "Says the log."}, created="2019-03-02T10:00:00Z"))
        assert found(read) == [
            ("heading", "At sea", None),
            ("paragraph", "The lamp rang [1]", None),
            ("paragraph", "1. One.", None),
            ("paragraph", "2. Two.", None),
            ("table", "Year | Oil\n1902 | 3 casks", None),
            ("paragraph", "[1] Says the log.", None),
        ]
        assert (read.title, read.date) == ("At sea", "2019-03-02")

    def test_has_what_was_inserted_and_not_what_was_deleted(self) -> None:
        deleted = "<w:del><w:r><w:delText>bell</w:delText></w:r></w:del>"
        inserted = "<w:ins><w:r><w:t xml:space='preserve'> lamp</w:t></w:r></w:ins>"
        assert [block.text for block in docx.read(files.docx(p("The", more=deleted + inserted))).blocks] == ["The lamp"]

    def test_has_equations_where_they_stand(self) -> None:
        body = (
            p("It weighs", more=f"{EQUATION}<w:r><w:t> pounds.</w:t></w:r>") + f"<m:oMathPara {M}>{SUM}</m:oMathPara>"
        )
        body = body.replace("<m:oMathPara", "<w:p><m:oMathPara").replace("</m:oMathPara>", "</m:oMathPara></w:p>")
        read = docx.read(files.docx(body, notes={2: "So says the log."}))
        assert [block.text for block in read.blocks] == ["It weighs(a+b)/(c^2) pounds.", "∑_(i=1)^n √(i)"]
        other = "<m:oMath xmlns:m='urn:other'><m:r><m:t>no equation</m:t></m:r></m:oMath>"
        assert [block.text for block in docx.read(files.docx(p("It rang", more=other))).blocks] == ["It rang"]

    def test_that_lacks_a_part_of_another_format_says_so_in_a_note_and_never_in_its_text(self) -> None:
        part = f'<w:altChunk xmlns:r="{files.OFFICE}" r:id="r9"/>'
        read = docx.read(files.docx(p("It burns.") + part, more={"r9": ("aFChunk", "page.rtf", "{\\rtf1 It is out.}")}))
        kinds = [(block.kind, block.text) for block in read.blocks]
        assert kinds == [("paragraph", "It burns."), ("note", "The part “page.rtf” of another format is left out.")]

    def test_has_the_title_of_its_properties_if_that_says_something(self) -> None:
        assert docx.read(files.docx(p("It rang."), title="On Lamps")).title == "On Lamps"
        assert docx.read(files.docx(p("It rang."), title="Document1")).title == ""

    def test_without_text_is_named(self) -> None:
        with raising(EmptyDocumentError, "empty_document"):
            docx.read(files.docx(p("")))


class TestASlideShow:
    def test_has_titles_texts_tables_and_notes_in_the_order_shown(self) -> None:
        cell = "<a:tc><p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></a:tc>".replace("p:txBody", "a:txBody")
        table = (
            f"<p:graphicFrame><a:tbl><a:tr>{cell.format('Year')}{cell.format('Oil')}</a:tr></a:tbl></p:graphicFrame>"
        )
        made = files.pptx(
            [("Lamps", ["It rang.", "It burned."], "Say this."), ("Bells", ["They swung."], "")], body=table
        )
        read = pptx.read(made)
        assert found(read) == [
            ("heading", "Lamps", "slide 1"),
            ("paragraph", "It rang.\nIt burned.", "slide 1"),
            ("table", "Year | Oil", "slide 1"),
            ("paragraph", "Say this.", "slide 1, notes"),
            ("heading", "Bells", "slide 2"),
            ("paragraph", "They swung.", "slide 2"),
        ]
        assert read.title == "Lamps"

    def test_has_what_is_there_in_two_forms_once(self) -> None:
        shape = "<p:sp><p:txBody><a:p><a:r><a:t>Once.</a:t></a:r></a:p></p:txBody></p:sp>"
        mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
        forms = f"<m:Choice>{shape}</m:Choice><m:Fallback>{shape}</m:Fallback>"
        both = f'<m:AlternateContent xmlns:m="{mc}">{forms}</m:AlternateContent>'
        assert [text for _, text, _ in found(pptx.read(files.pptx([("T", [], "")], body=both)))] == ["T", "Once."]

    def test_has_equations_once(self) -> None:
        shape = f"<p:sp><p:txBody><a:p><a:r><a:t>Take </a:t></a:r>{EQUATION}</a:p></p:txBody></p:sp>"
        assert found(pptx.read(files.pptx([("T", [], "")], body=shape)))[1][1] == "Take (a+b)/(c^2)"

    def test_without_text_is_named(self) -> None:
        with raising(EmptyDocumentError, "empty_document"):
            pptx.read(files.pptx([("", [], "")]))


@pytest.mark.parametrize(
    ("made", "old", "new"),
    [
        (files.docx(p("It rang.")), "word/document.xml", "word/document2.xml"),
        (files.pptx([("It rang.", [], "")]), "ppt/presentation.xml", "ppt/presentation2.xml"),
    ],
)
def test_a_file_whose_main_part_has_another_name_is_read(made: bytes, old: str, new: str) -> None:
    with ZipFile(BytesIO(made)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts = {name.replace(old.rpartition("/")[2], new.rpartition("/")[2]): body for name, body in parts.items()}
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    main = f'<Relationship Id="r1" Type="{kind}" Target="{new}"/>'
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts["_rels/.rels"] = f'<Relationships xmlns="{package}">{main}</Relationships>'.encode()
    if "[Content_Types].xml" in parts:
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(old.encode(), new.encode())
    body = files.zipped(parts)
    read = {"word": docx.read, "ppt": pptx.read}[new.partition("/")[0]](body)
    assert [text for _, text, _ in found(read)] == ["It rang."]
    assert contained(body) == contained(made)


class TestABook:
    def test_has_its_chapters_in_reading_order_without_its_contents(self) -> None:
        made = files.epub(
            ["<h1>The Lamp</h1><p>It rang.</p>", "<h1>The Bell</h1><p>It burned.</p>"],
            title="On Lamps",
            date="2019-03-02",
        )
        read = epub.read(made)
        assert found(read) == [
            ("heading", "The Lamp", None), ("paragraph", "It rang.", None),
            ("heading", "The Bell", None), ("paragraph", "It burned.", None),
        ]  # fmt: skip
        assert (read.title, read.date) == ("On Lamps", "2019-03-02")

    @pytest.mark.parametrize(("date", "meant"), [("1902", "1902"), ("", None), ("soon", None)])
    def test_has_the_year_that_it_says(self, date: str, meant: str | None) -> None:
        assert epub.read(files.epub(["<p>It rang.</p>"], date=date)).date == meant

    @pytest.mark.parametrize(
        ("way", "is_read"),
        [("http://www.idpf.org/2008/embedding", True), ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", False)],
    )
    def test_that_is_protected_is_named_but_one_with_hidden_fonts_is_read(self, way: str, is_read: bool) -> None:
        more = {"META-INF/encryption.xml": f'<e><x:EncryptionMethod xmlns:x="urn:x" Algorithm="{way}"/></e>'}
        made = files.epub(["<p>It rang.</p>"], more=more)
        if is_read:
            assert found(epub.read(made)) == [("paragraph", "It rang.", None)]
        else:
            with raising(EmptyDocumentError, "empty_document_encrypted"):
                epub.read(made)

    def test_without_text_is_named(self) -> None:
        with raising(EmptyDocumentError, "empty_document"):
            epub.read(files.epub(["<img src='cover.png'/>"]))
