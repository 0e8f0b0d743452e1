"""Parses the markup of a page; no page takes longer than its size."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.builder._lxml import LXMLTreeBuilder
from bs4.element import NavigableString, PageElement

from contextual_rag.readers.characters import tidy

__all__ = ["read_markup", "text_of"]

_PROCESSING_INSTRUCTION = re.compile(r"<\?[^>]*>?")
_XHTML = re.compile(r"\s*<\?xml\b|[^>]{0,1000}<html[^>]{0,1000}\bxmlns\s*=", re.IGNORECASE)
_LONE_END_TAG = re.compile(r"</(p|br)\s*+/?>", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z][^\s/>]*+)[^>]*+>?", re.IGNORECASE)
# Elements without an end tag, as libxml2 knows them.
_EMPTY = frozenset({
    "area", "base", "basefont", "br", "col", "frame", "hr", "img", "input", "isindex", "link", "meta", "param",
})  # fmt: skip
# Both parsers look at all open elements again and again. Browsers nest elements no deeper than 512.
_DEEPEST = 256
_PIECE_BYTES = 65_536
_TEXT_NODES = 1000


class _TooDeepError(Exception):
    pass


class _Builder(LXMLTreeBuilder):
    """Stops at an element that is nested too deep."""

    def feed(self, markup: Any) -> None:
        self.parser = self.parser_for("utf-8")
        # In one piece, libxml2 would read to the end before it stops.
        for start in range(0, len(markup), _PIECE_BYTES):
            self.parser.feed(markup[start : start + _PIECE_BYTES])
        self.parser.close()

    def start(self, *args: Any, **named: Any) -> None:
        if self.soup and len(self.soup.tagStack) > _DEEPEST:
            raise _TooDeepError
        super().start(*args, **named)


def read_markup(text: str) -> BeautifulSoup:
    """Return the parsed page. Never raises: broken markup gives a tree of its readable parts, or an empty one.

    An element that is nested too deep ends the one around it, as in browsers.
    """
    if _XHTML.match(text):
        text = _without_cdata(text)
    # bs4 warns about XML declarations and about input that looks like a file name; both are data here.
    text = _PROCESSING_INSTRUCTION.sub("", text).replace("\0", "")
    # Browsers break the line at an end tag without a start tag; libxml2 would join the words around it.
    text = _LONE_END_TAG.sub(r"</\1><\1></\1>", text)
    try:
        return _parsed(text)
    except _TooDeepError:
        pass
    try:
        return _parsed(_flattened(text))
    except _TooDeepError:  # tags in attributes or comments, which only look like tags
        return _parsed("")


def text_of(tag: Tag, nodes: int = _TEXT_NODES) -> str:
    """Return the text of an element. A long one is cut: elements may stand in each other."""
    words: list[str] = []
    left: list[PageElement] = [tag]
    for _ in range(nodes):
        if not left:
            break
        node = left.pop()
        if isinstance(node, Tag):
            words += [" "] if node.name == "br" else []
            left += reversed(node.contents[:nodes])
        elif type(node) is NavigableString:  # its subclasses are comments, scripts and the like
            words.append(node[:_TEXT_NODES])
    return tidy("".join(words))


def _without_cdata(text: str) -> str:
    """Write the sections that hold text as it is, in XML, as the text that they hold. HTML takes them for comments."""
    first, *others = text.split("<![CDATA[")
    parts = (other.partition("]]>") for other in others)
    return first + "".join(escape(inner, quote=False) + after for inner, _, after in parts)


def _parsed(text: str) -> BeautifulSoup:
    markup = f"<!DOCTYPE html>\n{text}".encode("utf-8", errors="ignore")
    return BeautifulSoup(markup, builder=_Builder, from_encoding="utf-8")


def _flattened(text: str) -> str:
    """Close the innermost element wherever another one would be nested too deep."""
    open_: list[str] = []

    def shallow(tag: re.Match[str]) -> str:
        name = tag[2].lower()
        if tag[1]:
            # What the parser has closed already is not on its stack: ours holds that and more.
            if open_ and open_[-1] == name:
                open_.pop()
            return tag[0]
        if name in _EMPTY:
            return tag[0]
        close = f"</{open_.pop()}>" if len(open_) >= _DEEPEST - 4 else ""
        open_.append(name)
        return close + tag[0]

    return _TAG.sub(shallow, text)
