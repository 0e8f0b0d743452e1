"""Files of the kinds that other readers got wrong."""

from __future__ import annotations

import pytest

from contextual_rag.model import Entry
from contextual_rag.pipeline.plain import heading
from contextual_rag.readers import docx, epub, pdf, pptx, xlsx
from contextual_rag.readers.document import document_of
from contextual_rag.readers.registry import TYPE_OF_SUFFIX, read_document
from tests.unit.readers.file_reports import FILE_REPORTS, FileReport

# Here without a process of their own, which other tests have.
_ALONE = {"docx": docx.read, "epub": epub.read, "pdf": pdf.read, "pptx": pptx.read, "xlsx": xlsx.read}


@pytest.mark.parametrize("report", FILE_REPORTS, ids=lambda report: report.source)
def test_a_file_that_other_readers_got_wrong_is_read_right(report: FileReport) -> None:
    entry = Entry(slug="a", url=f"file:{report.name}", title="a")
    ending = report.name.rpartition(".")[2]
    if ending in _ALONE:
        document = document_of(_ALONE[ending](report.body), entry)
    else:
        document = read_document(report.body, entry, TYPE_OF_SUFFIX[f".{ending}"])
    assert [words for words in report.found.split("|") if words not in document.text] == []
    assert [words for words in report.lost.split("|") if words and words in document.text] == []
    assert report.title in (None, document.title)
    assert document.authors == report.authors
    if report.headings is not None:
        lines = [document.text[one.start : one.end] for one in document.paragraphs if one.kind == "heading"]
        texts = [found.text if (found := heading(line)) else line for line in lines]
        assert "|".join(texts) == report.headings


@pytest.mark.parametrize("rule", ["---", "+++"])
def test_a_text_between_two_rules_is_never_taken_for_front_matter(rule: str) -> None:
    entry = Entry(slug="a", url="file:a.md", title="a")
    body = f"{rule}\nThe lamp of Ostrey burns, and nobody minds it.\n{rule}\n\nSo it is.\n".encode()
    assert "The lamp of Ostrey" in read_document(body, entry, "text/markdown").text
    empty = f"{rule}\n{rule}\n\nSo it is.\n".encode()
    assert read_document(empty, entry, "text/markdown").text == "So it is.\n"


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
)


@pytest.mark.parametrize(
    "front",
    [
        f"{BOMB}date: *k\nauthors: *k\ntitle: Lamps",
        f"x: {'[' * 2_000}\ntitle: Lamps",
        "? [a]\n: b\ntitle: Lamps",
        "!!python/object/apply:os.abort []\ntitle: Lamps",
    ],
    ids=["aliases", "depth", "a list as a name", "an object"],
)
def test_front_matter_that_means_harm_is_no_more_than_text(front: str) -> None:
    entry = Entry(slug="a", url="file:a.md", title="a")
    document = read_document(f"---\n{front}\n---\nIt burns.\n".encode(), entry, "text/markdown")
    assert (document.date, document.authors) == (None, ())
    assert "It burns." in document.text
