"""A file is read in a process of its own: whatever it does there, it is named and the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.extras import EXTRAS
from contextual_rag.model import Entry
from contextual_rag.readers.alone import Limits, read_alone
from contextual_rag.readers.packed import Packed
from contextual_rag.readers.registry import TYPE_OF_SUFFIX, read_document
from tests.raising import raising
from tests.unit.readers import files

PAGES = files.pdf([["The lamp rang."]])


class TestAFile:
    def test_is_read_as_in_this_process(self) -> None:
        read = read_alone("pdf", files.pdf([["The lamp rang."]], about={"Title": "Lämpchen"}), Limits())
        assert [(block.kind, block.text, block.where) for block in read.blocks] == [
            ("paragraph", "The lamp rang.", "page 1")
        ]
        assert read.title == "Lämpchen"

    def test_that_takes_too_long_is_stopped(self) -> None:
        with raising(EmptyDocumentError, "empty_document_too_slow", "1 s", "RAG_READER_TIMEOUT_S"):
            read_alone("pptx", files.bomb(40), Limits(seconds=1))

    def test_that_takes_too_much_memory_is_stopped(self) -> None:
        with raising(EmptyDocumentError, "empty_document_too_large", "300 MB", "RAG_READER_MEMORY_MB"):
            read_alone("pptx", files.bomb(100), Limits(megabytes=300))

    def test_that_unpacks_to_more_than_any_file_is_not_unpacked(self) -> None:
        with raising(EmptyDocumentError, "empty_document_too_large", "unpacks"):
            read_alone("epub", files.zipped({"large": bytes(301_000_000)}), Limits(seconds=5, megabytes=300))

    @pytest.mark.parametrize("reader", ["docx", "pptx", "epub"])
    def test_that_is_cut_is_named(self, reader: str) -> None:
        whole = {
            "docx": files.docx("<w:p><w:r><w:t>It rang.</w:t></w:r></w:p>"),
            "pptx": files.pptx([("Lamps", ["It rang."], "")]),
            "epub": files.epub(["<p>It rang.</p>"]),
        }[reader]
        with raising(EmptyDocumentError, "empty_document_broken"):
            Packed(whole[: len(whole) // 3])

    def test_of_a_few_bytes_that_stand_for_gigabytes_is_named(self) -> None:
        names = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
        paragraph = "<w:p><w:r><w:t>&l11;</w:t></w:r></w:p>"
        laughs = f'<!DOCTYPE d [<!ENTITY l0 "lamp">{names}]>'
        with raising(EmptyDocumentError, "empty_document_broken"):
            read_alone("docx", files.docx(paragraph, before=laughs), Limits())
        stream = zlib.compress(zlib.compress(bytes(300_000_000), 1), 9)
        with raising(EmptyDocumentError, "empty_document_too_large"):
            read_alone("pdf", files.pdf([stream]), Limits())

    def test_that_is_nested_without_end_is_named(self) -> None:
        deep = "<w:tbl><w:tr><w:tc>" * 3000 + "</w:tc></w:tr></w:tbl>" * 3000
        with raising(EmptyDocumentError, "empty_document_broken"):
            read_alone("docx", files.docx(deep), Limits())

    def test_that_ends_the_process_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        # A library of the name that the reader imports, which does what a fault in its native code would.
        (tmp_path / "pypdf.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        with raising(EmptyDocumentError, "empty_document_broken", str(-signal.SIGSEGV)):
            read_alone("pdf", PAGES, Limits())

    def test_is_read_without_our_keys(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "pypdf.py").write_text("import os\nraise ValueError(sorted(os.environ))\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        monkeypatch.setenv("TOGETHER_API_KEY", "secret")
        with pytest.raises(EmptyDocumentError) as caught:
            read_alone("pdf", PAGES, Limits())
        assert "PYTHONPATH" in str(caught.value)
        assert "TOGETHER_API_KEY" not in str(caught.value)


def test_a_process_that_may_have_no_children_of_multiprocessing_reads_files() -> None:
    """As Airflow's tasks run in some executors."""
    code = (
        "import multiprocessing, sys\n"
        "from contextual_rag.readers.alone import Limits, read_alone\n"
        "def work():\n"
        "    sys.exit(len(read_alone('pdf', sys.stdin.buffer.read() or BODY, Limits()).blocks))\n"
        f"BODY = {PAGES!r}\n"
        "sys.stdin = open('/dev/null')\n"
        "child = multiprocessing.get_context('fork').Process(target=work, daemon=True)\n"
        "child.start(); child.join(); sys.exit(child.exitcode)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 1


def read(body: bytes, name: str) -> list[str]:
    kind = TYPE_OF_SUFFIX["." + name.rpartition(".")[2]]
    document = read_document(body, Entry(slug="lamps", url=f"file:notes/{name}", title="Lamps"), kind)
    return [document.text[one.start : one.end] for one in document.paragraphs]


class TestAWrongName:
    """The first bytes say what a file is."""

    @pytest.mark.parametrize("name", ["lamps.txt", "lamps.html"])
    def test_of_a_pdf_does_not_matter(self, name: str) -> None:
        assert read(PAGES, name) == ["The lamp rang."]

    @pytest.mark.parametrize("name", ["lamps.pdf", "lamps.docx", "lamps.epub"])
    def test_of_a_text_does_not_matter(self, name: str) -> None:
        assert read("Die Lampe läutete.\n\nSo war es.".encode(), name) == ["Die Lampe läutete.", "So war es."]
        assert read(b"<!DOCTYPE html><p>The <b>lamp</b> rang.</p>", name) == ["The lamp rang."]

    def test_of_an_office_file_does_not_matter(self) -> None:
        assert read(files.pptx([("Lamps", ["It rang."], "")]), "lamps.docx") == ["Lamps", "It rang."]

    def test_is_not_that_of_a_text_about_formats(self) -> None:
        assert read(b"%PDF- begins a PDF.", "lamps.txt") == ["%PDF- begins a PDF."]
        assert read(b"GIF8 begins a picture.", "lamps.txt") == ["GIF8 begins a picture."]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (files.zipped({"notes.txt": "It rang."}), "empty_document_format"),
            (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "empty_document_format"),
            (b"{\\rtf1 It rang.}", "empty_document_format"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + b"Word", "empty_document_format"),
            (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
                "empty_document_encrypted",
            ),
            (b"PK\x03\x04" + b"x" * 100, "empty_document_broken"),
            (b"\xef\xbb\xbf  \n", "empty_document"),
        ],
    )
    @pytest.mark.parametrize("name", ["lamps.pdf", "lamps.txt", "lamps.html", "lamps.docx"])
    def test_of_what_no_reader_knows_is_named(self, name: str, body: bytes, code: str) -> None:
        with raising(EmptyDocumentError, code, "lamps"):
            read(body, name)

    def test_is_not_that_of_half_a_pdf_which_is_damaged(self) -> None:
        with raising(EmptyDocumentError, "empty_document_broken"):
            read(b"%PDF-1.7", "lamps.pdf")


def test_without_the_extra_a_file_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "documents", ("no_such_library",))
    with raising(EmptyDocumentError, "empty_document_extra", "contextual-rag[documents]"):
        read(PAGES, "lamps.pdf")
    assert read(files.pptx([("Lamps", [], "")]), "lamps.pptx") == ["Lamps"]
