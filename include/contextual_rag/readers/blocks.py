"""Blocks: walks the tree of a page once, in order, and collects its text as a list of future paragraphs.

The page is read as a stream of text and breaks, because the tree of an HTML 4 page is unreliable. A paragraph ends at
two `<br>`, or at the edge of a block element or of a table row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from bs4 import Tag
from bs4.element import NavigableString

from contextual_rag.readers.characters import tidy
from contextual_rag.readers.raised import raised

__all__ = ["BLOCKS", "LONGEST_HEADING", "NOTE_MARK", "THANKS", "Block", "Kind", "Walker", "has_word", "names_columns"]

Kind = Literal["paragraph", "heading", "quote", "code", "note", "table"]

BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hr", "li", "main", "nav", "ol", "p", "pre", "search", "section", "summary", "table", "tbody", "tfoot", "thead",
    "tr", "ul",
})  # fmt: skip
LONGEST_HEADING: Final = 120  # characters
NOTE_MARK: Final = re.compile(r"\[\d{1,3}\]")
THANKS: Final = re.compile(r"thanks\s+to\b", re.IGNORECASE)

_LEVELS: Final = {f"h{level}": level for level in range(1, 7)}
_KINDS: Final[dict[str, Kind]] = {"blockquote": "quote", "pre": "code", **dict.fromkeys(_LEVELS, "heading")}
_YEAR: Final = re.compile(r"(?:1[5-9]|20)\d\d")
_INVITATION = re.compile(r"(?:comment|discuss)[\w\s]{0,40}\.?", re.IGNORECASE)
_TAIL, _FEW = 40, 5


class Style(NamedTuple):
    """The style that surrounding elements give to some text."""

    kind: Kind = "paragraph"
    bold: bool = False
    linked: bool = False
    listed: bool = False
    level: int = 0

    def within(self, tag: Tag) -> Style:
        """Return the style inside an element."""
        name = tag.name
        return Style(
            kind=_KINDS.get(name, self.kind),
            bold=self.bold or name in ("b", "strong"),
            linked=self.linked or (name == "a" and tag.has_attr("href")),
            listed=self.listed or name == "li",
            level=_LEVELS.get(name, self.level),
        )


class Run(NamedTuple):
    """Text of one style, or an edge: of a line (a single `<br>`) or of a table cell."""

    text: str
    style: Style
    edge: Literal["line", "cell"] | None = None


class Block(NamedTuple):
    """A future paragraph; `first_line` is its text up to the first single `<br>`.

    `level` is that of a heading element, or 0. `size` is the bytes of its text, so that all scripts weigh alike, and
    `linked_size` those inside links. `where` is its place in a file, such as "page 3", and `head` the length of a
    table's first line, if that names its columns.
    """

    text: str
    kind: Kind
    first_line: str
    linked: bool = False
    is_link_list: bool = False
    level: int = 0
    size: int = 0
    linked_size: int = 0
    where: str | None = None
    head: int | None = None


def note(text: str) -> Block:
    """Return what a reader says of a file, such as that it leaves out a part."""
    return Block(text, "note", text)


def names_columns(cells: Sequence[str]) -> bool:
    """Whether the cells of a first row say what the columns are: each has a name of its own, none is a number but for
    years in a row.
    """
    years = [int(cell) for cell in cells if _YEAR.fullmatch(cell)]
    steps = {after - before for before, after in pairwise(years)}
    # Two years may be any two numbers, unless they follow each other.
    in_a_row = len(steps) == 1 and 0 not in steps and (len(years) != 2 or steps <= {1, -1})  # noqa: PLR2004
    names = {cell for cell in cells if any(map(str.isalpha, cell))}
    return len(names) > 0 and len(names) + len(years) * in_a_row == len(cells)


class Walker:
    """Walks a page and collects blocks. It keeps its own stack: pages may nest deeper than Python can recurse.

    `skipped` are elements that are never read. A subclass may decide by more than the name, in `enters`, and look at
    an element before and after it is read, in `entered` and `left`. With `structure`, rows of data are lines of a
    table, and the mark of a note stands before its text.
    """

    def __init__(self, skipped: frozenset[str], *, structure: bool = False) -> None:
        self.blocks: list[Block] = []
        self._skipped = skipped
        self._structure = structure
        self._runs: list[Run] = []
        self._after_break = False
        self._after_mark = False
        self._row_is_plain = False
        self._label = ""

    def enters(self, tag: Tag, style: Style) -> bool:  # noqa: ARG002
        """Return whether to read what is in an element."""
        return tag.name not in self._skipped

    def entered(self, tag: Tag) -> None:
        """Called before an element is read."""

    def left(self, tag: Tag) -> None:
        """Called after an element was read."""

    def read(self, root: Tag) -> list[Block]:
        """Return the blocks of an element."""
        stack = [(root, iter(root.contents), Style())]
        while stack:
            tag, children, style = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                if self._structure and style.kind == "code" and tag.name != "pre":
                    self._end_line(tag.name, style)
                elif tag.name in BLOCKS and not self._is_cell(tag):
                    self._flush(end_of_row=tag.name == "tr")
                self.left(tag)
            elif isinstance(child, Tag):
                if self.enters(child, style):
                    self._start(child, style)
                    if child.name in ("sup", "sub", "a") and self._raise(child, style):
                        continue
                    self.entered(child)
                    stack.append((child, iter(child.contents), style.within(child)))
            elif type(child) is NavigableString:  # its subclasses are comments, scripts and the like
                self._after_break &= child.isspace()
                self._say(child, style)
        self._flush()
        return self.blocks

    def _say(self, text: str, style: Style) -> None:
        if self._after_mark and text[0].isalnum():
            text = f" {text}"
        self._after_mark = False
        self._runs.append(Run(text, style))

    def _raise(self, tag: Tag, style: Style) -> bool:
        """Write a superscript or subscript so that it keeps its sense; return False if it is to be read as usual."""
        before = ""
        for run in reversed(self._runs):
            before = (run.text if run.edge is None else " ") + before
            if len(before) >= _TAIL or before[:1].isspace():
                break
        text = raised(tag, before[-_TAIL:]) if style.kind != "code" else None
        if text is None:
            return False
        self._say(text, style)
        self._after_mark = text.endswith("]")
        return True

    def _start(self, tag: Tag, style: Style) -> None:
        name = tag.name
        if name == "br" and style.kind == "code":
            self._runs.append(Run("\n", style))
        elif name == "br" and self._after_break:
            self._flush()
        elif name == "br":
            self._runs.append(Run("\n", style, "line"))
            self._after_break = True
        elif name == "img":
            self._runs.append(Run(" ", style))
        elif name in ("td", "th"):
            self._runs.append(Run("\n", style, "cell"))
        elif self._structure and style.kind == "code":
            self._end_line(name, style)
        elif name in BLOCKS and not self._is_cell(tag):
            self._flush()
            self._row_is_plain = name == "tr"

    def _end_line(self, name: str, style: Style) -> None:
        """Begin a new line of code at the edge of a block within it, if one is begun."""
        last = next((run.text for run in reversed(self._runs) if run.text), "\n")
        if name in BLOCKS and not last.endswith("\n"):
            self._runs.append(Run("\n", style))

    def _is_cell(self, tag: Tag) -> bool:
        """Return whether a paragraph is all that a cell of a table has in it."""
        cell = tag.parent if self._structure and tag.name in ("p", "div") else None
        if cell is None or cell.name not in ("td", "th") or len(cell.contents) > _FEW:
            return False
        others = [one for one in cell.contents if one is not tag]
        empty = (not one.contents if isinstance(one, Tag) else str(one).isspace() for one in others)
        return not tag.contents or all(empty)

    def _flush(self, *, end_of_row: bool = False) -> None:
        """End a block. A row without breaks in its cells is data and stays one line; else each cell is separate."""
        runs, self._runs = self._runs, []
        self._after_mark = False
        is_row = end_of_row and self._row_is_plain
        self._row_is_plain = False
        cells = split(runs, "cell")
        if is_row and self._structure and len(cells) > 2:  # noqa: PLR2004
            self._add_row(cells)
            return
        for cell in [runs] if is_row else cells:
            lines = [line for line in split(cell, "line") if visible(line)]
            # A bold line above its text is a heading, even if only a single <br> separates them.
            heads = 1 if len(lines) > 1 and is_bold(lines[0]) and not is_bold(lines[1]) else 0
            for part in (lines[:heads], lines[heads:]):
                if part:
                    self._add(part)

    def _add_row(self, cells: list[list[Run]]) -> None:
        runs = [run for cell in cells for run in cell]
        texts = [tidy("".join(run.text for run in cell)) for cell in cells]
        line = " | ".join(texts[1:]) if not texts[0] else " | ".join(texts)
        if has_word(line):
            self._append(line, "table", runs, line)

    def _add(self, lines: list[list[Run]]) -> None:
        runs = [run for line in lines for run in line]
        style = next(run.style for run in visible(runs))
        if style.kind == "code":
            text = tidy("".join(run.text for run in runs), keep_layout=True)
            first_line = text.partition("\n")[0]
        else:
            first_line, *others = (tidy("".join(run.text for run in line)) for line in lines)
            text = " ".join([first_line, *others]).strip()
        if not has_word(text):
            return  # a line drawn with characters
        headed = style.kind == "paragraph" and is_bold(runs) and not style.listed and len(text) <= LONGEST_HEADING
        unlike = NOTE_MARK.match(text) or THANKS.match(text)
        self._append(text, "heading" if headed and not unlike else style.kind, runs, first_line)

    def _append(self, text: str, kind: Kind, runs: list[Run], first_line: str) -> None:
        if self._structure and NOTE_MARK.fullmatch(text):
            self._label = f"{text} "
            return
        seen = visible(runs)
        text, self._label = self._label + text, ""
        # A link of digits is a reference to a note.
        links = [run.style.linked and not run.text.strip(" []\n").isdecimal() for run in seen]
        only_links = all(linked or not has_word(run.text) for linked, run in zip(links, seen, strict=True))
        invites = only_links or bool(_INVITATION.fullmatch(text))
        self.blocks.append(
            Block(
                text=text,
                kind=kind,
                first_line=first_line,
                linked=any(links),
                is_link_list=any(links) and not NOTE_MARK.match(text) and invites,
                level=seen[0].style.level if kind == "heading" else 0,
                size=len(text.encode()),
                linked_size=sum(len(run.text.encode()) for linked, run in zip(links, seen, strict=True) if linked),
            )
        )


def split(runs: list[Run], edge: str) -> list[list[Run]]:
    """Part the runs at an edge."""
    parts: list[list[Run]] = [[]]
    for run in runs:
        if run.edge == edge:
            parts.append([])
        else:
            parts[-1].append(run)
    return parts


def visible(runs: list[Run]) -> list[Run]:
    """Return the runs that are not white space."""
    return [run for run in runs if run.text and not run.text.isspace()]


def has_word(text: str) -> bool:
    """Return whether a text has a letter or a digit."""
    return any(character.isalnum() for character in text)


def is_bold(runs: list[Run]) -> bool:
    """Return whether all that is seen of the runs is bold."""
    return all(run.style.bold for run in visible(runs))
