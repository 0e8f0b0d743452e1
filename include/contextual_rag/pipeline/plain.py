"""Plain text, Markdown and source code read as a document, for corpora that are folders of files.

The text is kept character for character, so that offsets into the file are offsets into the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from contextual_rag.model import Document, Paragraph

__all__ = ["read_text"]

# Longer lines are not wrapped: each is a paragraph of its own.
_WRAPPED = 160
_MARKDOWN = re.compile(r"\s{0,3}#{1,6}\s+(\S.*?)\s*#*\s*")
_WIKI = re.compile(r"\s*(=(?:\s?=)*)\s(\S.*?)\s\1\s*")


def read_text(slug: str, text: str, *, title: str | None = None) -> Document:
    """Return the document of a file: `text` as it is, its paragraphs and headings found.

    A blank line ends a paragraph, and so does the end of a line that is too long to have been wrapped. Headings are
    those of Markdown (`# Title`) and of wikis (`= Title =`). The title is the one given, else the first heading where the
    text begins with it, else the slug.
    """
    paragraphs = tuple(_paragraphs(text))
    if title is None:
        first = heading(text[paragraphs[0].start : paragraphs[0].end]) if paragraphs else None
        title = first or slug
    return Document(slug=slug, url=f"file:{slug}", title=title, date=None, text=text, paragraphs=paragraphs)


def heading(line: str) -> str | None:
    """Return what a heading's line says, without its marks; None where the line is no heading."""
    if found := _MARKDOWN.fullmatch(line):
        return found[1]
    found = _WIKI.fullmatch(line)
    return found[2] if found else None


def _paragraphs(text: str) -> Iterator[Paragraph]:
    open_: tuple[int, int] | None = None
    position = 0
    for line in text.splitlines(keepends=True):
        start = position + len(line) - len(line.lstrip())
        end = position + len(line.rstrip())
        position += len(line)
        is_heading = heading(line.rstrip("\n")) is not None
        alone = is_heading or end - start > _WRAPPED
        if open_ and (start >= end or alone):
            yield Paragraph(start=open_[0], end=open_[1])
            open_ = None
        if start >= end:
            continue
        if alone:
            yield Paragraph(start=start, end=end, kind="heading" if is_heading else "paragraph")
        else:
            open_ = (open_[0] if open_ else start, end)
    if open_:
        yield Paragraph(start=open_[0], end=open_[1])
