"""Where the essay is in a page, and what of it is not the essay: menus, comments, shares, notices.

The page's blocks are numbered in order. An element holds a range of them, so what it holds, and what is left of it
without the menus inside, is a sum over a range: choosing takes time by the number of elements alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from bs4 import Tag

from contextual_rag.readers.blocks import Block, Run, Style, Walker, has_word, names_columns, visible
from contextual_rag.readers.labels import Label, is_beside, is_decoration, is_endnotes, label_of
from contextual_rag.readers.markup import text_of
from contextual_rag.readers.pictures import formula_of, is_drawn, words_of
from contextual_rag.sentences import is_ended

__all__ = ["Content", "Time", "find_content"]

_SKIPPED: Final = frozenset({
    "audio", "button", "canvas", "datalist", "embed", "iframe", "map", "noframes", "noscript", "object", "picture",
    "rp", "rt", "script", "select", "style", "svg", "template", "textarea", "title", "video",
})  # fmt: skip
_INVISIBLE: Final = frozenset({"script", "style", "template", "noframes", "noscript", "map", "title", "rt", "rp"})
_CONTROLS: Final = frozenset({"input", "select", "textarea", "button", "label", "legend"})
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "summary"})
# The share of the page's prose that makes an element the essay.
_SHARES: Final = {"article": 0.7, "main": 0.6}
_CLASSES: Final = frozenset({
    "article-body", "article-content", "articlebody", "body", "content", "contents", "document", "e-content", "entry",
    "entry-content", "gh-content", "h-entry", "hentry", "markdown-body", "md-content", "page-content", "post",
    "post-body", "post-content", "postarea", "theme-doc-markdown", "story-body", "text",
})  # fmt: skip
_CLASS_SHARE: Final = 0.8
_HOMES: Final = frozenset({"/", "./", "../", "index.html", "/index.html"})
# Bytes. Less than a sentence is no essay; a box about the essay that is longer is prose.
_SENTENCE, _SHORTEST_SENTENCE, _LONGEST_META, _LONGEST_CONTROL = 60, 12, 400, 80
_LINKED: Final = 0.5
_PUBLISHED: Final = re.compile(r"publish|pubdate|posted|entry-date|post-date", re.IGNORECASE)
_FEW: Final = 12  # elements, where only a few words are looked at


class Time(NamedTuple):
    """A `<time>`: before which block it stands, what it says to programs and to people, and of what."""

    place: int
    machine: str
    text: str
    names: str


class Content(NamedTuple):
    """The essay of a page, and what tells about it.

    `headings` are those above its first prose, in the page's order, with whether they are inside; `notices` are lines
    such as who wrote it when; `times` are its own; `homes` are the words of links to the site's home page; `lines` is
    how many blocks the page has in all.
    """

    blocks: list[Block]
    headings: list[tuple[Block, bool]]
    notices: list[str]
    times: list[Time]
    homes: set[str]
    lines: int


class _Span(NamedTuple):
    """An element and the range of blocks in it."""

    first: int
    end: int
    name: str
    label: Label | None
    share: float
    keeps: bool


def find_content(root: Tag) -> Content:
    """Return the essay of a page. A text of which the page says nothing is kept: a menu too many is no loss."""
    walker = _Page()
    blocks = walker.read(root)
    # An element is left after those in it: the outermost come first here.
    spans = sorted(walker.spans, key=lambda span: (span.first, -span.end))
    sizes = [
        0 if n in walker.controls or block.level else block.size - block.linked_size for n, block in enumerate(blocks)
    ]
    removed = _removed(blocks, spans, sizes)
    kept = [0 if gone else size for gone, size in zip(removed, sizes, strict=True)]
    start, end = _chosen(blocks, spans, kept)
    notes = {n for span in spans if span.keeps for n in range(span.first, span.end)}
    inside = [
        n
        for n in range(len(blocks))
        if (start <= n < end or n in notes) and not removed[n] and n not in walker.controls
    ]
    first_prose = next((n for n in inside if _is_prose(blocks[n])), len(blocks))
    return Content(
        blocks=list(_merged([(n, blocks[n]) for n in inside], walker.tables)),
        headings=[
            (block, start <= n < end)
            for n, block in enumerate(blocks[:first_prose])
            if 0 < block.level <= 3 and removed[n] != "gone"  # noqa: PLR2004
        ],
        notices=[
            block.text
            for n, block in enumerate(blocks[:end])
            if removed[n] == "meta"
            and block.size <= _LONGEST_META
            and (n < first_prose or _PUBLISHED.search(block.text))
        ],
        times=[one for one in walker.times if _about(one, blocks, first_prose, removed)],
        homes=walker.homes,
        lines=len(blocks),
    )


def _is_prose(block: Block) -> bool:
    return block.kind != "heading" and block.size >= _SENTENCE and block.linked_size < _LINKED * block.size


def _about(time: Time, blocks: Sequence[Block], first_prose: int, removed: Sequence[str]) -> bool:
    """Return whether a time may be the essay's: not one that it tells of, nor of a comment or another essay."""
    says_so = _PUBLISHED.search(time.names) is not None
    if time.place >= len(removed):
        return says_so
    if removed[time.place] == "gone" or _is_sentence(blocks[time.place]):
        return False
    return says_so or removed[time.place] == "meta" or time.place < first_prose


def _removed(blocks: Sequence[Block], spans: Sequence[_Span], sizes: Sequence[int]) -> list[str]:
    """Return for each block whether it is "gone", "meta" or in the essay (empty)."""
    prose, linked = _Sums(sizes), _Sums([block.linked_size for block in blocks])
    mains = _Sums(_marks(len(blocks), [span for span in spans if span.name == "main"]))
    inner = _Sums(_marks(len(blocks), [span for span in spans if span.name in _SHARES]))
    titles = _Sums([int(block.level == 1) for block in blocks])
    comments = _marks(len(blocks), [span for span in spans if span.label == "comments"])
    spoken = sum(size for size, mark in zip(sizes, comments, strict=True) if not mark)
    removed = [""] * len(blocks)
    until = 0
    for span in spans:
        if span.label is None or span.first < until or (mains(span) and span.share == 0 and not inner.covers(span)):
            continue
        size, holds_title = prose(span), titles(span) and span.name not in ("nav", "header")
        if span.label == "comments":
            goes = spoken >= _SENTENCE
        elif span.label == "around":
            goes = size <= spoken / 2 and not (holds_title and size > _LONGEST_META)
        else:
            goes = size <= min(_LONGEST_META, spoken / 2) or linked(span) > 2 * size
        if goes:
            until = span.end
            # A header, aside or footer within the essay may hold a sentence of it.
            keeps = span.name in ("header", "aside", "footer") and span.label == "meta" and inner.covers(span)
            for n, block in enumerate(blocks[span.first : span.end], span.first):
                is_own = _is_sentence(block) and not (span.name == "footer" and block.linked)
                if not (keeps and (is_own or (block.level > 1 and span.name != "footer"))):
                    removed[n] = "meta" if span.label == "meta" else "gone"
    return removed


def _is_sentence(block: Block) -> bool:
    is_text = block.kind != "heading" and block.linked_size < _LINKED * block.size
    return is_text and block.size >= _SHORTEST_SENTENCE and is_ended(block.text)


def _chosen(blocks: Sequence[Block], spans: Sequence[_Span], kept: Sequence[int]) -> tuple[int, int]:
    """Return the range of the innermost element that holds the most of the prose, or of all.

    An element that says by its class alone that it is the text must hold every sentence.
    """
    prose, total = _Sums(kept), sum(kept)
    sentences = _Sums([int(size > 0 and _is_sentence(block)) for size, block in zip(kept, blocks, strict=True)])
    everything = best = _Span(0, len(kept), "", None, 0, False)
    for by_class in (False, True):
        for span in spans:
            is_most = span.share and total and prose(span) >= span.share * total
            if (
                is_most
                and (span.share == _CLASS_SHARE) is by_class
                and (not by_class or sentences(span) == sentences(everything))
            ):
                best = span  # the later, the deeper
        if best is not everything:
            break
    return best.first, best.end


class _Sums:
    """Sums of a list's values over a span, in constant time."""

    def __init__(self, values: Sequence[int]) -> None:
        self._until = [0, *accumulate(values)]

    def __call__(self, span: _Span) -> int:
        return self._until[span.end] - self._until[span.first]

    def covers(self, span: _Span) -> bool:
        """Return whether each of the span's values is 1."""
        return self(span) == span.end - span.first


def _marks(length: int, spans: Sequence[_Span]) -> list[int]:
    """Return 1 for each block in any of the spans, which come outermost first."""
    marks, until = [0] * length, 0
    for span in spans:
        start = max(span.first, until)
        if start < span.end:
            marks[start : span.end] = [1] * (span.end - start)
            until = span.end
    return marks


def _merged(blocks: Sequence[tuple[int, Block]], tables: set[int]) -> Iterator[Block]:
    """Yield the blocks, the rows of a table as one."""
    rows: list[Block] = []
    last = -1
    for n, block in blocks:
        if rows and (block.kind != "table" or n != last + 1 or n in tables):
            yield _table(rows)
            rows = []
        last = n
        if block.kind == "table":
            rows.append(block)
        else:
            yield block
    if rows:
        yield _table(rows)


def _table(rows: Sequence[Block]) -> Block:
    text = "\n".join(row.text for row in rows)
    first = rows[0].text
    head = len(first) if len(rows) > 1 and "\n" not in first and names_columns(first.split(" | ")) else None
    return rows[0]._replace(text=text, head=head, is_link_list=all(row.is_link_list for row in rows), size=len(text))


class _Page(Walker):
    """Notes where elements begin and end that say what they are."""

    def __init__(self) -> None:
        super().__init__(_SKIPPED, structure=True)
        self.spans: list[_Span] = []
        self.times: list[Time] = []
        self.controls: set[int] = set()
        self.tables: set[int] = set()
        self.homes: set[str] = set()
        self._open: list[tuple[int, Label | None, bool]] = []
        self._forms = 0
        self._control = False
        self._numbers: list[int] = []

    def enters(self, tag: Tag, style: Style) -> bool:
        """Skip what is not for reading; a heading may be a button."""
        name = tag.name
        if name in _CONTROLS and self._forms and tag.get("type") not in ("hidden", "checkbox", "radio"):
            self._control = True
        if name == "button" and style.kind == "heading":
            return True
        if name in ("img", "script", "math") and (words := words_of(tag) if name == "img" else formula_of(tag)):
            self._say(words, style)
            return False
        if name in self._skipped:
            if name not in _INVISIBLE:
                self._runs.append(Run(" ", style))
            return False
        if is_beside(tag):
            self._runs.append(Run(" ", style))
        if self._is_mark(tag):
            self._label = f"[{text_of(tag, _FEW)}] "
            return False
        if name == "a" and str(tag.get("href", "")).startswith("#") and not has_word(text_of(tag, _FEW)):
            return False  # the mark beside a heading, or the arrow back from a note
        return not (is_decoration(tag) or is_drawn(tag))

    def _flush(self, *, end_of_row: bool = False) -> None:
        first = len(self.blocks)
        super()._flush(end_of_row=end_of_row)
        if self._control:
            said = enumerate(self.blocks[first:], first)
            self.controls.update(n for n, b in said if b.size <= _LONGEST_CONTROL and not b.text.endswith("."))
        self._control = False

    def _is_mark(self, tag: Tag) -> bool:
        """Return whether a link is the number of a note, which stands beside its text."""
        if tag.name != "a" or not str(tag.get("href", "")).startswith("#") or not isinstance(tag.next_sibling, Tag):
            return False
        return any(notes for *_, notes in self._open) and not visible(self._runs) and text_of(tag, _FEW).isdecimal()

    def entered(self, tag: Tag) -> None:
        """Remember where an element begins."""
        name = tag.name
        if name == "form":
            self._forms += 1
        elif name == "table":
            self.tables.add(len(self.blocks))
        elif name == "ol":
            start = str(tag.get("start", ""))
            self._numbers.append(int(start[:6]) - 1 if start[:6].isdecimal() else 0)
        elif name == "li" and tag.parent is not None and tag.parent.name == "ol" and self._numbers:
            self._numbers[-1] += 1
            is_note = str(tag.get("id", "")).startswith(("fn", "footnote", "cite_note", "note")) or any(
                is_endnotes(above) for above in (tag.parent, tag.parent.parent) if above is not None
            )
            self._label = f"[{self._numbers[-1]}] " if is_note else f"{self._numbers[-1]}. "
        elif name == "a" and str(tag.get("href", "")).strip() in _HOMES:
            self.homes.add(text_of(tag, _FEW))
        elif name == "time" or tag.get("itemprop") == "datePublished":
            around = text_of(tag.parent, _FEW) if tag.parent else ""
            names = " ".join([*map(str, tag.get_attribute_list("class")), str(tag.get("itemprop", "")), around[:60]])
            self.times.append(
                Time(len(self.blocks), str(tag.get("datetime") or tag.get("content") or ""), text_of(tag, _FEW), names)
            )
        self._open.append((len(self.blocks), label_of(tag), is_endnotes(tag)))

    def left(self, tag: Tag) -> None:
        """Note the range of an element that says what it is."""
        name = tag.name
        if not self._open:
            return  # the root
        first, label, notes = self._open.pop()
        if name == "form":
            self._forms -= 1
        elif name == "ol" and self._numbers:
            self._numbers.pop()
        elif name == "li":
            self._label = ""
        share = _share(tag)
        if (label or share or notes) and first < len(self.blocks):
            self.spans.append(_Span(first, len(self.blocks), name, label, share, notes))


def _share(tag: Tag) -> float:
    if tag.get("role") == "main":
        return _SHARES["main"]
    if tag.name in _SHARES:
        return _SHARES[tag.name]
    if tag.get("itemprop") == "articleBody" or (
        tag.name in ("div", "section", "td")
        and any(str(one).lower() in _CLASSES for one in tag.get_attribute_list("class"))
    ):
        return _CLASS_SHARE
    return 0.0
