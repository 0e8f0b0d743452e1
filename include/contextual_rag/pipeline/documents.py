"""Documents: reads an essay's page as title, date and paragraphs, including notes.

The page is read once, in order, as a stream of text and breaks, because the tree of an HTML 4 page is unreliable. A
paragraph ends at two `<br>`, or at the edge of a block element or of a table row. Afterwards everything outside the
essay is removed: lists of links before and after it, coloured boxes with advertisements, and the title, which is a
separate field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry, Paragraph
from contextual_rag.pipeline.markup import read_markup
from contextual_rag.pipeline.pages import decode, named, tidy

__all__ = ["parse_document"]


Kind = Literal["paragraph", "heading", "quote", "code", "note"]

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hr", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
})  # fmt: skip
_SKIPPED = frozenset({
    "aside", "audio", "button", "canvas", "form", "head", "iframe", "map", "nav", "noscript", "object", "script",
    "select", "style", "svg", "template", "textarea", "video",
})  # fmt: skip
_KINDS: dict[str, Kind] = {"blockquote": "quote", "pre": "code", **{f"h{level}": "heading" for level in range(1, 7)}}
_LONGEST_HEADING = 120  # characters
_LARGEST_BOX = 40  # words
_LINES_BEFORE_DATE = 3
_BINARY_SHARE = 0.05

_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?"
_DAY = r"(?:(?:\d{1,2}(?:st|nd|rd|th)?\s+)?" + _MONTH + r"(?:\s+\d{1,2}(?:st|nd|rd|th)?)?,?\s+)"
_WHEN = rf"(?:{_DAY}?(?:19|20)\d\d|(?:19|20)\d\d-\d\d-\d\d)"
_CHANGED = r"(?:last\s+)?(?:rev|revised|corrected|updated|modified|expanded)\b\.?:?"
_DATE = re.compile(rf"{_WHEN}(?:\s*[,;]?\s*\(?{_CHANGED}(?:\s+in)?\s+{_WHEN}\)?)*\.?(?=\s*$|\s*\()", re.IGNORECASE)
_NOTES = re.compile(r"(?:foot|end)?notes?:?", re.IGNORECASE)
_NOTE_MARK = re.compile(r"\[\d{1,3}\]")
_INVITATION = re.compile(r"(?:comment|discuss)[\w\s]{0,40}\.?", re.IGNORECASE)
_THANKS = re.compile(r"thanks\s+to\b", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")


def parse_document(html: bytes, entry: Entry, charset: str | None = None) -> Document:
    """Return the essay in `html`; `charset` is the one that the server declared, if any.

    Raises only EmptyDocumentError: the page has no prose (a list of links, a script, nothing) or is not text.
    """
    source = decode(html, charset)
    if len(_CONTROL.findall(source)) > _BINARY_SHARE * len(source):
        raise _empty(entry, f"{len(html)} bytes that are not text")
    soup = read_markup(source)
    title = _title(soup) or entry.title
    read = _read(soup)
    blocks = _without_link_lists(read)
    if blocks and named(blocks[0].text).casefold() == title.casefold():
        del blocks[0]
    date, blocks = _take_date(blocks)
    if not blocks:
        raise _empty(entry, f"{len(html)} bytes, the title {title!r} and {len(read)} lines of which none is prose")
    blocks = list(_with_notes(blocks))
    starts = accumulate((len(block.text) + 2 for block in blocks), initial=0)
    return Document(
        slug=entry.slug,
        url=entry.url,
        title=title,
        date=date,
        text="\n\n".join(block.text for block in blocks),
        paragraphs=tuple(
            Paragraph(start=start, end=start + len(block.text), kind=block.kind)
            for start, block in zip(starts, blocks, strict=False)
        ),
    )


def _empty(entry: Entry, found: str) -> EmptyDocumentError:
    return EmptyDocumentError(
        f"no essay in the page of {entry.slug!r} ({entry.url}): found {found}. Open the page in a browser; if it has an"
        " essay, adapt pipeline/documents.py"
    )


class _Style(NamedTuple):
    """The style that surrounding elements give to some text."""

    kind: Kind = "paragraph"
    bold: bool = False
    linked: bool = False
    listed: bool = False

    def within(self, tag: Tag) -> _Style:
        return _Style(
            kind=_KINDS.get(tag.name, self.kind),
            bold=self.bold or tag.name in ("b", "strong"),
            linked=self.linked or (tag.name == "a" and tag.has_attr("href")),
            listed=self.listed or tag.name == "li",
        )


class _Run(NamedTuple):
    """Text of one style, or an edge: of a line (a single `<br>`) or of a table cell."""

    text: str
    style: _Style
    edge: Literal["line", "cell"] | None = None


class _Block(NamedTuple):
    """A future paragraph; `first_line` is its text up to the first single `<br>`."""

    text: str
    kind: Kind
    first_line: str
    linked: bool
    is_link_list: bool


@dataclass
class _Table:
    first_block: int
    coloured: bool = False
    nested: bool = False


class _Reader:
    """Walks a page and collects blocks. It keeps its own stack: pages may nest deeper than Python can recurse."""

    def __init__(self, skipped: frozenset[str]) -> None:
        self.blocks: list[_Block] = []
        self._skipped = skipped
        self._runs: list[_Run] = []
        self._after_break = False
        self._row_is_plain = False
        self._tables: list[_Table] = []

    def read(self, root: Tag) -> list[_Block]:
        stack = [(root, iter(root.contents), _Style())]
        while stack:
            tag, children, style = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                if tag.name in _BLOCKS:
                    self._flush(end_of_row=tag.name == "tr")
                if tag.name == "table":
                    self._drop_advertisement(self._tables.pop())
            elif isinstance(child, Tag):
                if child.name not in self._skipped:
                    self._start(child, style)
                    stack.append((child, iter(child.contents), style.within(child)))
            elif type(child) is NavigableString:  # its subclasses are comments, scripts and the like
                self._after_break &= child.isspace()
                self._runs.append(_Run(child, style))
        self._flush()
        return self.blocks

    def _start(self, tag: Tag, style: _Style) -> None:
        if tag.name == "br" and style.kind == "code":
            self._runs.append(_Run("\n", style))
        elif tag.name == "br" and self._after_break:
            self._flush()
        elif tag.name == "br":
            self._runs.append(_Run("\n", style, "line"))
            self._after_break = True
        elif tag.name == "img":
            self._runs.append(_Run(" ", style))
        elif tag.name in ("td", "th"):
            self._runs.append(_Run("\n", style, "cell"))
            if self._tables and tag.has_attr("bgcolor"):
                self._tables[-1].coloured = True
        elif tag.name in _BLOCKS:
            self._flush()
            self._row_is_plain = tag.name == "tr"
        if tag.name == "table":
            for outer in self._tables[-1:]:
                outer.nested = True
            self._tables.append(_Table(first_block=len(self.blocks)))

    def _drop_advertisement(self, table: _Table) -> None:
        """Remove a coloured box with a link and few words; tables of figures and layout tables stay."""
        box = self.blocks[table.first_block :] if table.coloured and not table.nested else []
        if any(block.linked for block in box) and sum(len(block.text.split()) for block in box) <= _LARGEST_BOX:
            del self.blocks[table.first_block :]

    def _flush(self, *, end_of_row: bool = False) -> None:
        """End a block. A row without breaks in its cells is data and stays one line; else each cell is separate."""
        runs, self._runs = self._runs, []
        cells = [runs] if end_of_row and self._row_is_plain else _split(runs, "cell")
        self._row_is_plain = False
        for cell in cells:
            lines = [line for line in _split(cell, "line") if _visible(line)]
            # A bold line above its text is a heading, even if only a single <br> separates them.
            heads = 1 if len(lines) > 1 and _is_bold(lines[0]) and not _is_bold(lines[1]) else 0
            for part in (lines[:heads], lines[heads:]):
                if part:
                    self._add(part)

    def _add(self, lines: list[list[_Run]]) -> None:
        runs = [run for line in lines for run in line]
        style = next(run.style for run in _visible(runs))
        if style.kind == "code":
            text = tidy("".join(run.text for run in runs), keep_layout=True)
            first_line = text.partition("\n")[0]
        else:
            first_line, *others = (tidy("".join(run.text for run in line)) for line in lines)
            text = " ".join([first_line, *others]).strip()
        if not _has_word(text):
            return  # a line drawn with characters
        headed = style.kind == "paragraph" and _is_bold(runs) and not style.listed and len(text) <= _LONGEST_HEADING
        marked = _NOTE_MARK.match(text) is not None
        # A link of digits is a reference to a note.
        links = [run.style.linked and not run.text.strip().isdecimal() for run in _visible(runs)]
        only_links = all(linked or not _has_word(run.text) for linked, run in zip(links, _visible(runs), strict=True))
        self.blocks.append(
            _Block(
                text=text,
                kind="heading" if headed and not marked and not _THANKS.match(text) else style.kind,
                first_line=first_line,
                linked=any(links),
                is_link_list=any(links) and not marked and (only_links or bool(_INVITATION.fullmatch(text))),
            )
        )


def _split(runs: list[_Run], edge: str) -> list[list[_Run]]:
    parts: list[list[_Run]] = [[]]
    for run in runs:
        if run.edge == edge:
            parts.append([])
        else:
            parts[-1].append(run)
    return parts


def _visible(runs: list[_Run]) -> list[_Run]:
    return [run for run in runs if run.text and not run.text.isspace()]


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _is_bold(runs: list[_Run]) -> bool:
    return all(run.style.bold for run in _visible(runs))


def _read(soup: BeautifulSoup) -> list[_Block]:
    articles = soup.find_all("article")
    content = soup.find("main") or (articles[0] if len(articles) == 1 else None)
    if content:
        return _Reader(_SKIPPED).read(content)
    return _Reader(_SKIPPED | {"header", "footer"}).read(soup)


def _title(soup: BeautifulSoup) -> str:
    title = soup.find("title")
    if title and (words := named(tidy(title.get_text()))):
        return words
    for image in soup.find_all("img", alt=True):
        if words := named(tidy(str(image["alt"]))):
            return words
    return ""


def _without_link_lists(blocks: list[_Block]) -> list[_Block]:
    """Remove navigation before the essay, and related pages and translations after it, with the label above them."""
    start, end = 0, len(blocks)
    while start < end and blocks[start].is_link_list:
        start += 1
    while end > start and blocks[end - 1].is_link_list:
        end -= 1
    if start < end < len(blocks) and blocks[end - 1].kind == "heading":
        end -= 1
    return blocks[start:end]


def _take_date(blocks: list[_Block]) -> tuple[str | None, list[_Block]]:
    for place, block in enumerate(blocks[:_LINES_BEFORE_DATE]):
        if match := _DATE.match(block.first_line[:_LONGEST_HEADING]):
            rest = block.text[match.end() :].strip()
            kept = [block._replace(text=rest, kind="paragraph")] if rest else []
            return match[0], [*blocks[:place], *kept, *blocks[place + 1 :]]
    return None, blocks


def _with_notes(blocks: list[_Block]) -> Iterator[_Block]:
    """Mark blocks below the heading "Notes", or with a marker such as [1] at their start, as notes."""
    in_notes = False
    for block in blocks:
        kind = block.kind
        if _NOTES.fullmatch(block.text):
            in_notes, kind = True, "heading"
        elif kind == "heading" or _THANKS.match(block.text):
            in_notes = False
        elif kind != "code" and (in_notes or _NOTE_MARK.match(block.text)):
            kind = "note"
        yield block._replace(kind=kind)
