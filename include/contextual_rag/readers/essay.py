"""The style of the essay site: HTML 4 tables with text in `<font>`, where a title may be an image.

Everything outside the essay is removed: lists of links before and after it, coloured boxes with advertisements, and
the title, which is a separate field.
"""

from __future__ import annotations

from dataclasses import dataclass

from bs4 import BeautifulSoup, Tag

from contextual_rag.model import Entry
from contextual_rag.pipeline.plain import named
from contextual_rag.readers.blocks import Walker
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.dates import take_date
from contextual_rag.readers.document import Read, without_link_lists

__all__ = ["is_essay_style", "read_essay"]

_SKIPPED = frozenset({
    "aside", "audio", "button", "canvas", "footer", "form", "head", "header", "iframe", "map", "nav", "noscript",
    "object", "script", "select", "style", "svg", "template", "textarea", "video",
})  # fmt: skip
_LARGEST_BOX = 40  # words


def is_essay_style(soup: BeautifulSoup) -> bool:
    """Return whether a page is of this style: fonts in cells, and no element of a newer page."""
    font = soup.find("font")
    newer = ("main", "article", "section", "header", "footer", "nav", "aside", "h1")
    return font is not None and font.find_parent("td") is not None and soup.find(newer) is None


def read_essay(soup: BeautifulSoup, entry: Entry) -> Read:
    """Return the essay of a page; without blocks if there is none."""
    read = _Essay(_SKIPPED).read(soup)
    blocks = without_link_lists(read)
    title = _title(soup) or entry.title
    if blocks and named(blocks[0].text).casefold() == title.casefold():
        del blocks[0]
    # A menu may stand between the heading and the text.
    while len(blocks) > 1 and blocks[0].kind == "heading" and blocks[1].is_link_list:
        del blocks[1]
    date, blocks = take_date(blocks)
    return Read(title, date, blocks, len(read))


@dataclass
class _Table:
    first_block: int
    coloured: bool = False
    nested: bool = False


class _Essay(Walker):
    """Leaves out advertisements: coloured boxes with a link and few words; tables of figures and layout tables stay."""

    def __init__(self, skipped: frozenset[str]) -> None:
        super().__init__(skipped)
        self._open: list[_Table] = []

    def entered(self, tag: Tag) -> None:
        """Keep a list of the tables that are open."""
        if tag.name in ("td", "th") and self._open and tag.has_attr("bgcolor"):
            self._open[-1].coloured = True
        if tag.name == "table":
            for outer in self._open[-1:]:
                outer.nested = True
            self._open.append(_Table(first_block=len(self.blocks)))

    def left(self, tag: Tag) -> None:
        """Remove a table that is an advertisement."""
        if tag.name != "table":
            return
        table = self._open.pop()
        box = self.blocks[table.first_block :] if table.coloured and not table.nested else []
        if any(block.linked for block in box) and sum(len(block.text.split()) for block in box) <= _LARGEST_BOX:
            del self.blocks[table.first_block :]


def _title(soup: BeautifulSoup) -> str:
    title = soup.find("title")
    if title and (words := named(tidy(title.get_text()))):
        return words
    for image in soup.find_all("img", alt=True):
        if words := named(tidy(str(image["alt"]))):
            return words
    return ""
