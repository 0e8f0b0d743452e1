"""Plain text, Markdown and source code read as a document, for corpora that are folders of files.

The text is kept character for character, so that offsets into the file are offsets into the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contextual_rag.model import Document, Paragraph

__all__ = ["Heading", "heading", "read_text"]

# Longer lines are not wrapped: each is a paragraph of its own.
_WRAPPED = 160
_MARKDOWN = re.compile(r"\s{0,3}(#{1,6})\s+(\S.*?)\s*#*\s*")
_WIKI = re.compile(r"\s*(=(?:\s?=)*)\s(\S.*?)\s\1\s*")


class Heading(NamedTuple):
    """A heading without its marks; the level counts from 1, the outermost."""

    level: int
    text: str


def read_text(slug: str, text: str) -> Document:
    """Return the document of a file: `text` as it is, its paragraphs and headings found.

    A blank line ends a paragraph, and so does the end of a line that is too long to have been wrapped. Headings are
    those of Markdown (`# Title`) and of wikis (`= Title =`). The title is the heading that the text begins with, where
    all others stand under it, else the slug.
    """
    paragraphs = tuple(_paragraphs(text))
    return Document(
        slug=slug,
        url=f"file:{slug}",
        title=_title(text, paragraphs) or slug,
        date=None,
        text=text,
        paragraphs=paragraphs,
    )


def heading(line: str) -> Heading | None:
    """Return the heading that a line is; None where it is none."""
    if found := _MARKDOWN.fullmatch(line) or _WIKI.fullmatch(line):
        return Heading(found[1].count("#") + found[1].count("="), found[2])
    return None


def _title(text: str, paragraphs: Sequence[Paragraph]) -> str | None:
    """The heading that a text begins with, if none of the others stands beside or above it."""
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
