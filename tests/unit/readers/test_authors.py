"""Who wrote a document: as its page, its file or its feed says, and nobody where none does."""

from __future__ import annotations

import json

import pytest

from contextual_rag.model import Document, Entry
from contextual_rag.readers import docx, epub, pdf
from contextual_rag.readers.authors import authors_in, names_in
from contextual_rag.readers.code import read_notebook
from contextual_rag.readers.registry import read_document
from contextual_rag.sources.feed import read_feed
from tests.unit.readers import files
from tests.unit.readers.reports import ALL

URL = "http://quay.example/lamps"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["Agnes Quill"], ("Agnes Quill",)),
        (["By Agnes Quill"], ("Agnes Quill",)),
        (["Agnes Quill; Bo Ray", "agnes quill"], ("Agnes Quill", "Bo Ray")),
        (["Agnes Quill, Bo Ray and Cy van Dyck"], ("Agnes Quill", "Bo Ray", "Cy van Dyck")),
        (["Agnes Quill & Bo Ray"], ("Agnes Quill", "Bo Ray")),
        # one person or one body, whatever stands between the words
        (["Quill, Agnes"], ("Quill, Agnes",)),
        (["Simon and Schuster"], ("Simon and Schuster",)),
        (["Department of Trade and Industry"], ("Department of Trade and Industry",)),
        (["灯子"], ("灯子",)),
        # nobody
        (["https://quay.example/agnes", "@agnes", "agnes@quay.example", "admin", "Unknown", "7", " ", ""], ()),
    ],
)
def test_names_are_told_apart_from_what_is_none(given: list[str], names: tuple[str, ...]) -> None:
    assert names_in(given) == names


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Agnes Quill", ("Agnes Quill",)),
        ({"name": "Agnes Quill"}, ("Agnes Quill",)),
        ([{"name": "Agnes Quill"}, "Bo Ray", {"url": "x"}, 7, None], ("Agnes Quill", "Bo Ray")),
        (None, ()),
        ({"name": ["Agnes"]}, ()),
    ],
)
def test_values_of_json_are_names_objects_or_lists(value: object, names: tuple[str, ...]) -> None:
    assert authors_in(value) == names


def page(head: str) -> Document:
    html = f"<html><head><title>Lamps</title>{head}</head><body><article>{ALL}</article></body></html>"
    return read_document(html.encode(), Entry(slug="lamps", url=URL, title="Lamps"), "text/html")


def ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


POST = {"@type": "BlogPosting", "headline": "Lamps"}


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ('<meta name="author" content="Agnes Quill">', ("Agnes Quill",)),
        ('<meta name="citation_author" content="Quill, Agnes"><meta name="citation_author" content="Ray, Bo">',
         ("Quill, Agnes", "Ray, Bo")),
        ('<meta property="article:author" content="https://a.example/ann"><meta name="DC.Creator" content="Bo Ray">',
         ("Bo Ray",)),
        (ld({**POST, "author": {"@type": "Person", "name": "Agnes Quill"}}), ("Agnes Quill",)),
        (ld({**POST, "author": ["Agnes Quill", {"name": "Bo Ray"}]}), ("Agnes Quill", "Bo Ray")),
        (ld({"@graph": [{**POST, "author": {"@id": "#1"}}, {"@id": "#1", "name": "Bo Ray"}]}), ("Bo Ray",)),
        # an article's own author goes before that of the page; that of an article which is not this page is none
        ('<meta name="author" content="The Quay">' + ld({**POST, "author": "Bo Ray"}), ("Bo Ray",)),
        (ld([POST | {"headline": "Bells", "author": "Bo Ray"}, POST | {"headline": "Oars", "author": "Cy"}]), ()),
        (ld({**POST, "author": {"@id": "#gone"}}), ()),
        ("", ()),
    ],
)  # fmt: skip
def test_a_page_says_who_wrote_it(head: str, names: tuple[str, ...]) -> None:
    assert page(head).authors == names


@pytest.mark.parametrize(
    ("front", "names"),
    [
        ("author: Agnes Quill", ("Agnes Quill",)),
        ('author = "Agnes Quill"', ("Agnes Quill",)),
        ("authors: [Agnes Quill, 'Bo Ray']", ("Agnes Quill", "Bo Ray")),
        ("authors:\n  - Agnes Quill\n  - name: Bo Ray\n    url: https://a.example/bo\n    title: Keeper\ntags: [sea]",
         ("Agnes Quill", "Bo Ray")),
        ("authors:\n- Agnes Quill\n- \"Bo Ray\"\ndate: 2019-03-02", ("Agnes Quill", "Bo Ray")),
        ("author:\n  name: Bo Ray\n  email: bo@quay.example", ("Bo Ray",)),
        ("title: On the author\ndescription: by Bo Ray", ()),
    ],
)  # fmt: skip
def test_a_front_matter_says_who_wrote_it(front: str, names: tuple[str, ...]) -> None:
    fence = "+++" if "=" in front else "---"
    body = f"{fence}\n{front}\n{fence}\n\n# Lamps\n\nauthor: the lamp of Ostrey.\n"
    assert read_document(body.encode(), Entry(slug="a", url="file:a.md", title="a"), "text/markdown").authors == names


def test_the_properties_of_files_say_who_wrote_them() -> None:
    word = "<w:p><w:r><w:t>The lamp.</w:t></w:r></w:p>"
    assert docx.read(files.docx(word, creator="Agnes Quill; Bo Ray")).authors == ("Agnes Quill", "Bo Ray")
    assert docx.read(files.docx(word, creator="python-docx")).authors == ()
    assert pdf.read(files.pdf([["The lamp."]], about={"Author": "Agnes Quill"})).authors == ("Agnes Quill",)
    assert pdf.read(files.pdf([["The lamp."]])).authors == ()
    people = (
        '<dc:creator xmlns:opf="http://www.idpf.org/2007/opf" opf:role="aut">Agnes Quill</dc:creator>'
        '<dc:creator xmlns:opf="http://www.idpf.org/2007/opf" opf:role="ill">Bo Ray</dc:creator>'
        "<dc:creator>Cy Dyck</dc:creator>"
    )
    assert epub.read(files.epub(["<p>The lamp.</p>"], about=people)).authors == ("Agnes Quill", "Cy Dyck")
    cells = [{"cell_type": "markdown", "source": "The lamp."}]
    noted = json.dumps({"cells": cells, "metadata": {"authors": [{"name": "Bo Ray"}]}}).encode()
    assert read_notebook(noted).authors == ("Bo Ray",)
    assert read_notebook(json.dumps({"cells": cells, "metadata": []}).encode()).authors == ()


def test_a_file_that_is_read_in_a_process_of_its_own_keeps_its_authors() -> None:
    made = files.pptx([("Lamps", ["The lamp of Ostrey."], "")], creator="Agnes Quill")
    assert read_document(made, Entry(slug="a", url="file:a.pptx", title="a"), None).authors == ("Agnes Quill",)


def test_a_feed_says_who_wrote_each_post() -> None:
    def by(post: str) -> list[tuple[str, ...]]:
        dc = "http://purl.org/dc/elements/1.1/"
        feed = (
            f'<rss xmlns:dc="{dc}"><channel><item><link>{URL}</link><title>Lamps</title>{post}</item></channel></rss>'
        )
        return [entry.authors for entry in read_feed(feed.encode(), "http://quay.example/feed").entries]

    assert by("<dc:creator><![CDATA[Agnes Quill]]></dc:creator><dc:creator>Bo Ray</dc:creator>") == [
        ("Agnes Quill", "Bo Ray")
    ]
    assert by("<author>bo@quay.example (Bo Ray)</author>") == [("Bo Ray",)]
    assert by("<author>bo@quay.example</author>") == [()]
    assert by("<author><name>Bo Ray</name><email>bo@quay.example</email></author>") == [("Bo Ray",)]
    assert by("") == [()]


def test_authors_give_a_document_another_digest_and_none_leave_it_as_it_was() -> None:
    plain = page("")
    assert plain.digest("p") == plain.model_copy(update={"authors": ()}).digest("p")
    assert plain.digest("p") != page('<meta name="author" content="Bo Ray">').digest("p")
    assert "authors" not in plain.model_dump()
