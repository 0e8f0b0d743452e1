"""Reads plain text, Markdown and source code as documents, for corpora that are folders of files.

The text is kept unchanged, so that offsets in the file are offsets in the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contextual_rag.model import Document, Paragraph

__all__ = ["Heading", "heading", "named", "read_text"]

# A title is repeated with each chunk.
_LONGEST_TITLE = 300
# A longer line is not wrapped text: it is a separate paragraph.
_WRAPPED = 160
# Headings have at most six levels, as in HTML.
_MARKDOWN = re.compile(r"\s{0,3}(#{1,6})\s++(.+)")
_CLOSING = re.compile(r"(?:(?<!\s)\s++|\A)#++\s*+\Z")
_WIKI = re.compile(r"(=(?:\s?=){0,5})\s(\S.*)\s\1")


class Heading(NamedTuple):
    """A heading without its marks; level 1 is the outermost."""

    level: int
    text: str


def read_text(slug: str, text: str) -> Document:
    """Return the document of a file: the unchanged `text` with its paragraphs and headings.

    A blank line ends a paragraph, and so does the end of a line that is too long to be wrapped text. Headings are those
    of Markdown (`# Title`) and of wikis (`= Title =`). The title is the heading at the start of the text, if all others
    are below it; otherwise the slug.
    """
    paragraphs = tuple(_paragraphs(text))
    return Document(
        slug=slug,
        url=f"file:{slug}",
        title=named(_title(text, paragraphs) or slug),
        date=None,
        text=text,
        paragraphs=paragraphs,
    )


def named(text: str) -> str:
    """Return a text as a title, which is cut if it is longer than any title is."""
    return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"


def heading(line: str) -> Heading | None:
    """Return a line's heading, or None if the line is not a heading."""
    line = line.rstrip()
    if found := _MARKDOWN.fullmatch(line):
        # Markdown may close a heading with further marks, apart from its words.
        return Heading(len(found[1]), _CLOSING.sub("", found[2]) or found[2][0])
    if found := _WIKI.fullmatch(line.lstrip()):
        return Heading(found[1].count("="), found[2])
    return None


def _title(text: str, paragraphs: Sequence[Paragraph]) -> str | None:
    """Return the heading at the start of a text, if all others are below it."""
    headings = [found for p in paragraphs if p.kind == "heading" and (found := heading(text[p.start : p.end]))]
    if not headings or paragraphs[0].kind != "heading":
        return None
    first, *others = headings
    return first.text if all(other.level > first.level for other in others) else None


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
