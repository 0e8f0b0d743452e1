"""Plain text and Markdown: the text of a file, unchanged, with its paragraphs, headings and code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry, Paragraph
from contextual_rag.pipeline.plain import heading, named, read_text
from contextual_rag.readers.authors import names_in
from contextual_rag.readers.blocks import Block, has_word
from contextual_rag.readers.characters import decode
from contextual_rag.readers.dates import iso_day, line_date

__all__ = ["markdown_blocks", "read_markdown", "read_plain", "storable", "text_in"]

_BINARY_SHARE = 0.05
_CONTROL: Final = re.compile(r"[\0-\x08\x0e-\x1f\ufffd]")
_UNSTORABLE: Final = dict.fromkeys([*range(0x09), *range(0x0E, 0x20), *range(0xD800, 0xE000)])
_FRONT: Final = re.compile(r"\A\s*(---|\+\+\+)[^\S\n]*\n(.*?\n)??\1[^\S\n]*(?:\n|\Z)", re.DOTALL)
_FIELD: Final = re.compile(r"""^["']?(\w+)["']?\s*[:=]\s*(.+?)\s*$""", re.MULTILINE)
_FIRST_FIELD: Final = re.compile(r"""\s*+(?:#.*+\s*+)*+(?:["']?\w[\w -]*+["']?\s*+[:=]|\[|\Z)""")
_AUTHORS: Final = re.compile(
    r"^authors?\s*[:=][^\S\n]*(.*)((?:\n\s*-.*|\n[^\S\n]+\S.*)*)", re.MULTILINE | re.IGNORECASE
)
_ITEMS: Final = re.compile(r"""["']([^"']+)["']|([^\s,][^,]*)""")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)\s*")
_QUOTE: Final = re.compile(r" {0,3}>")
_RULE: Final = re.compile(r"[\s:|]*+-[\s:|-]*+")
_ROW: Final = re.compile(r"\s*\|.*\|\s*")


def read_plain(body: bytes, entry: Entry, charset: str | None = None) -> Document:
    """Return a text as it is, without what cannot be stored. Raises EmptyDocumentError."""
    document = read_text(entry.slug, text_in(body, entry, charset))
    # A text names itself only by a heading; a link to it says more than its address.
    title = entry.title if document.title == entry.slug else document.title
    return document.model_copy(update={"url": entry.url, "title": title, "as_written": True})


def read_markdown(body: bytes, entry: Entry, charset: str | None = None) -> Document:
    """Return a Markdown text as it is, without its front matter, which may say title and date.

    Raises EmptyDocumentError.
    """
    text = text_in(body, entry, charset)
    fields: dict[str, str] = {}
    authors: tuple[str, ...] = ()
    # Between two rules may also stand a text.
    if (front := _FRONT.match(text)) and _FIRST_FIELD.match(front[2] or "title:"):
        fields = {name.lower(): value.strip("\"'") for name, value in _FIELD.findall(front[2] or "")}
        authors = _authors(front[2] or "")
        text = text[front.end() :].lstrip("\n")
    paragraphs = tuple(_headed(text, one) for one in _paragraphs(text))
    if not paragraphs:
        raise _empty(entry, "its front matter alone")
    first = paragraphs[0]
    own = heading(text[first.start : first.end].partition("\n")[0]) if first.kind == "heading" else None
    said = text[first.start : first.end].partition("\n")[0] if first.kind == "heading" else ""
    date = fields.get("date") or fields.get("published") or ""
    return Document(
        slug=entry.slug,
        url=entry.url,
        title=named(fields.get("title") or (own.text if own else said) or entry.title),
        date=iso_day([date]) or line_date(date),
        authors=authors,
        text=text,
        paragraphs=paragraphs,
    )


def text_in(body: bytes, entry: Entry, charset: str | None) -> str:
    """Return the characters of a text file, without those that cannot be stored. Raises EmptyDocumentError."""
    text = decode(body, charset).replace("\r\n", "\n").replace("\r", "\n")
    if len(_CONTROL.findall(text)) > _BINARY_SHARE * len(text):
        raise _empty(entry, f"{len(body)} bytes that are not text")
    text = storable(text).removeprefix("\ufeff")
    if not any(map(str.isalnum, text)):
        raise _empty(entry, f"{len(body)} bytes without a word")
    return text


def storable(text: str) -> str:
    """Return a text without what cannot be stored: most control characters, and halves of characters."""
    return text.translate(_UNSTORABLE)


def markdown_blocks(text: str) -> list[Block]:
    """Return the paragraphs of a Markdown text as blocks."""
    spans = ((text[one.start : one.end], one.kind) for one in _paragraphs(text))
    return [Block(part, kind, part.partition("\n")[0]) for part, kind in spans if has_word(part)]


def _empty(entry: Entry, found: str) -> EmptyDocumentError:
    return EmptyDocumentError(f"no text in the file of {entry.slug!r} ({entry.url}): found {found}. Look at the file")


def _authors(front: str) -> tuple[str, ...]:
    """Return the authors in a front matter: a name, a list on one line, or a list of lines, each a name or a record."""
    found = _AUTHORS.search(front)
    if not found:
        return ()
    one_line = found[1].strip()
    if one_line.startswith("["):
        return names_in(quoted or plain.strip() for quoted, plain in _ITEMS.findall(one_line.strip("[]")))
    return names_in([one_line.strip("\"'"), *map(_listed, found[2].splitlines())])


def _listed(line: str) -> str:
    """Return the name in a line of a list; of a record, only the line of its name has one."""
    item = line.strip().removeprefix("-").strip()
    field, colon, value = item.partition(":")
    return (item if not colon else value if field.strip() == "name" else "").strip(" \"'")


def _paragraphs(text: str) -> Iterator[Paragraph]:
    """Yield headings, fenced code, quotations, tables and paragraphs, which blank lines part."""
    start = end = position = 0
    kind, fence = "", ""
    for line in text.splitlines(keepends=True):
        at, bare = position, line.rstrip()
        position += len(line)
        opened = _FENCE.match(bare)
        if fence:
            end = at + len(bare)
            if opened and opened[1].startswith(fence) and not opened[2].strip():
                yield _span(start, end, "code")
                kind = fence = ""
            continue
        underlined = _UNDERLINE.fullmatch(bare) and kind == "paragraph" and "\n" not in text[start:end]
        if underlined:
            yield _span(start, at + len(bare), "heading")
            kind = ""
            continue
        own = (
            "heading"
            if heading(bare)
            else "quote"
            if _QUOTE.match(bare)
            else "table"
            if _ROW.fullmatch(bare)
            else "paragraph"
        )
        goes_on = (
            bare
            and kind
            and not opened
            and own != "heading"
            and kind != "heading"
            and (own == kind or own == "paragraph" != kind == "quote")
        )
        if kind and not goes_on:
            yield _span(start, end, kind)
            kind = ""
        if opened:
            start, end, kind, fence = at, at + len(bare), "code", opened[1]
        elif bare:
            start, kind = (start, kind) if kind else (at, own)
            end = at + len(bare)
    if kind:
        yield _span(start, end, kind)


def _headed(text: str, paragraph: Paragraph) -> Paragraph:
    """Return a table with the length of its head, which is the line above a rule."""
    if paragraph.kind != "table":
        return paragraph
    first, rule, *_ = [*text[paragraph.start : paragraph.end].split("\n", 2), ""]
    return paragraph.model_copy(update={"head": len(first)}) if _RULE.fullmatch(rule.strip()) else paragraph


def _span(start: int, end: int, kind: str) -> Paragraph:
    return Paragraph.model_validate({"start": start, "end": end, "kind": kind})
