"""What a reader found in a page, and the document that becomes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from contextual_rag.model import Document, Entry, Paragraph
from contextual_rag.readers.blocks import NOTE_MARK, THANKS, Block

__all__ = ["Read", "document_of", "without_link_lists"]

_NOTES = re.compile(r"(?:foot|end)?notes?:?", re.IGNORECASE)


class Read(NamedTuple):
    """The essay of a page: title, date, and blocks in order, none if the page has no essay.

    `lines` is how many blocks the page has in all, and `links` how many of its text are nothing but links; `address` is
    the one that the page gives itself, if any.
    """

    title: str
    date: str | None
    blocks: Sequence[Block]
    lines: int = 0
    links: int = 0
    address: str | None = None
    authors: tuple[str, ...] = ()


def document_of(read: Read, entry: Entry) -> Document:
    """Return the document of an entry."""
    blocks = list(_with_notes(read.blocks))
    starts = accumulate((len(block.text) + 2 for block in blocks), initial=0)
    return Document(
        slug=entry.slug,
        url=read.address or entry.url,
        title=read.title,
        date=read.date,
        authors=read.authors,
        text="\n\n".join(block.text for block in blocks),
        paragraphs=tuple(
            Paragraph(start=start, end=start + len(block.text), kind=block.kind, where=block.where, head=block.head)
            for start, block in zip(starts, blocks, strict=False)
        ),
    )


def without_link_lists(blocks: list[Block]) -> list[Block]:
    """Remove navigation before the essay, and related pages and translations after it, with the label above them."""
    start, end = 0, len(blocks)
    while start < end and blocks[start].is_link_list:
        start += 1
    while end > start and blocks[end - 1].is_link_list:
        end -= 1
    if start < end < len(blocks) and blocks[end - 1].kind == "heading":
        end -= 1
    return blocks[start:end]


def _with_notes(blocks: Sequence[Block]) -> Iterator[Block]:
    """Mark blocks below the heading "Notes", or with a marker such as [1] at their start, as notes."""
    in_notes = False
    for block in blocks:
        kind = block.kind
        if _NOTES.fullmatch(block.text):
            in_notes, kind = True, "heading"
        elif kind == "heading" or THANKS.match(block.text):
            in_notes = False
        elif kind not in ("code", "table") and (in_notes or NOTE_MARK.match(block.text)):
            kind = "note"
        yield block._replace(kind=kind)
