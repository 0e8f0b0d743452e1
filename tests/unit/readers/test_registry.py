"""Which reader reads what, and what the readers of plain text and Markdown make of a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry
from contextual_rag.readers.registry import MEDIA_TYPES, read_document
from tests.raising import raising

HTML = b"<!DOCTYPE html><h1>On Lamps</h1><p>It <b>rang</b>.</p>"
MARKDOWN = """---
title: "On Lamps"
date: 2019-03-02T10:00:00Z
tags: [sea]
---
# Lamps

It **rang**
in the night.

```py
# no heading

x = 1
```

> So be it.
> And more.

| Year | Oil |
|------|-----|
| 1902 | 3   |

Second part
-----------

- one
- two
"""


def read(
    body: bytes, media_type: str | None = None, url: str = "http://quay.example/lamps", charset: str | None = None
) -> Document:
    return read_document(body, Entry(slug="lamps", url=url, title="The Link"), media_type, charset)


def parts(document: Document) -> list[tuple[str, str]]:
    return [(part.kind, document.text[part.start : part.end]) for part in document.paragraphs]


class TestAPage:
    @pytest.mark.parametrize(
        "media_type", [None, "text/html", "application/xhtml+xml", "text/xml", "image/png", "text/plain"]
    )
    def test_is_read_as_html_whatever_its_server_calls_it(self, media_type: str | None) -> None:
        assert (read(HTML, media_type).title, read(HTML, media_type).text) == ("On Lamps", "It rang.")

    @pytest.mark.parametrize("media_type", sorted(MEDIA_TYPES))
    def test_of_no_words_is_refused_by_each_reader(self, media_type: str) -> None:
        for body in (b"", b" \n", b"\0\1\2" * 50, b"\xef\xbb\xbf", b"***"):
            with raising(EmptyDocumentError, "empty_document", "lamps"):
                read(body, media_type)


class TestPlainText:
    def test_is_kept_as_it_is_and_called_by_its_link(self) -> None:
        document = read(b"A < b & c.\r\n\r\n  caf\xe9 <p>\x07\n", "text/plain")
        assert (document.title, document.text) == ("The Link", "A < b & c.\n\n  café <p>\n")

    def test_is_decoded_by_the_charset_of_its_server(self) -> None:
        assert read("Привет, мир".encode("koi8-r"), "text/plain", charset="koi8-r").text == "Привет, мир"

    def test_about_html_is_no_page(self) -> None:
        assert read(b"The tag <html> begins a page.", "text/plain").text == "The tag <html> begins a page."


class TestMarkdown:
    @pytest.mark.parametrize(
        ("media_type", "url"), [("text/markdown", "http://q.example/a"), ("text/plain", "http://q.example/a.MD?raw=1")]
    )
    def test_has_the_title_and_date_of_its_front_matter_and_its_parts(self, media_type: str, url: str) -> None:
        document = read(MARKDOWN.encode(), media_type, url)
        assert (document.title, document.date) == ("On Lamps", "2019-03-02")
        assert parts(document) == [
            ("heading", "# Lamps"),
            ("paragraph", "It **rang**\nin the night."),
            ("code", "```py\n# no heading\n\nx = 1\n```"),
            ("quote", "> So be it.\n> And more."),
            ("table", "| Year | Oil |\n|------|-----|\n| 1902 | 3   |"),
            ("heading", "Second part\n-----------"),
            ("paragraph", "- one\n- two"),
        ]

    @pytest.mark.parametrize(
        ("text", "title", "date"),
        [
            ("# On Lamps\n\nIt rang.", "On Lamps", None),
            ("On Lamps\n===\n\nIt rang.", "On Lamps", None),
            ('+++\ntitle = "On Lamps"\ndate = 2019-03-02\n+++\nIt rang.', "On Lamps", "2019-03-02"),
            ("It rang.\n\n# Later", "The Link", None),
            ("---\n\nIt rang.\n", "The Link", None),
            ("```\n# no heading\n", "The Link", None),
        ],
    )
    def test_is_called_by_itself_if_it_is(self, text: str, title: str, date: str | None) -> None:
        document = read(text.encode(), "text/markdown")
        assert (document.title, document.date) == (title, date)
        assert "rang" in document.text or "no heading" in document.text

    @given(
        st.lists(
            st.sampled_from(["# a", "```", "~~~", "> q", "| a |", "a", "---", "===", "", " x", "+++"]), max_size=25
        )
    )
    def test_keeps_every_line_in_one_part(self, lines: list[str]) -> None:
        text = "\n".join(["word", *lines])
        document = read(text.encode(), "text/markdown")
        assert document.text == text
        assert "".join("".join(part.split()) for _, part in parts(document)) == "".join(text.split())
