"""Plain text and Markdown: the text of a file, unchanged, with its paragraphs, headings and code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry, Paragraph
from contextual_rag.pipeline.plain import heading, named, read_text
from contextual_rag.readers.blocks import Block, has_word
from contextual_rag.readers.characters import decode, tidy
from contextual_rag.readers.front_matter import front_of

__all__ = ["markdown_blocks", "read_markdown", "read_plain", "storable", "text_in"]

_BINARY_SHARE = 0.05
_CONTROL: Final = re.compile(r"[\0-\x08\x0e-\x1f\ufffd]")
_UNSTORABLE: Final = dict.fromkeys([*range(0x09), *range(0x0E, 0x20), *range(0xD800, 0xE000)])
# In a list, code stands as far in as its item, or behind its mark.
_FENCE: Final = re.compile(r"\s*+(?:(?:[-*+]|\d{1,9}[.)])\s+)?(`{3,}+|~{3,}+)([^`]*)$")
_HTML_HEADING: Final = re.compile(r"\s*(?:<(?:div|p|center)\b[^<>]*>\s*)?<h1\b[^<>]*>(.{1,2000}?)</h1>", re.DOTALL)
_HTML_TAG: Final = re.compile(r"<[^<>]*>")
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
    front = front_of(text)
    if front.end:
        text = text[front.end :].lstrip("\n")
    paragraphs = tuple(_headed(text, one) for one in _paragraphs(text))
    if not paragraphs:
        raise _empty(entry, "its front matter alone")
    first = paragraphs[0]
    own = heading(text[first.start : first.end].partition("\n")[0]) if first.kind == "heading" else None
    said = text[first.start : first.end].partition("\n")[0] if first.kind == "heading" else ""
    return Document(
        slug=entry.slug,
        url=entry.url,
        title=named(front.title or (own.text if own else said) or _html_title(text, first) or entry.title),
        date=front.date,
        authors=front.authors,
        text=text,
        paragraphs=paragraphs,
    )


def _html_title(text: str, first: Paragraph) -> str:
    """Return the heading that a text begins with in HTML, as many that are to look well do."""
    found = _HTML_HEADING.match(text[first.start : first.end])
    return tidy(_HTML_TAG.sub(" ", found[1])) if found else ""


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
        if _RULE.fullmatch(bare) and kind == "paragraph" and _is_row(text[start:end]) and _is_row(bare):
            kind, end = "table", at + len(bare)
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
            if _ROW.fullmatch(bare) or (kind == "table" and _is_row(bare))
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


def _is_row(line: str) -> bool:
    """Return whether a line may be a row of a table that is written without marks at its edges."""
    return "|" in line and "\n" not in line


def _headed(text: str, paragraph: Paragraph) -> Paragraph:
    """Return a table with the length of its head, which is the line above a rule."""
    if paragraph.kind != "table":
        return paragraph
    first, rule, *_ = [*text[paragraph.start : paragraph.end].split("\n", 2), ""]
    return paragraph.model_copy(update={"head": len(first)}) if _RULE.fullmatch(rule.strip()) else paragraph


def _span(start: int, end: int, kind: str) -> Paragraph:
    return Paragraph.model_validate({"start": start, "end": end, "kind": kind})
