"""Feeds and sitemaps as XML. What an attacker may write into them is refused before it is parsed."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Final

from lxml import etree

from contextual_rag.errors import SourceError

__all__ = ["children", "is_cut_off", "root_name", "root_of", "text_in"]

_ENDING: Final = 2000
_SAFE: Final = {"resolve_entities": False, "load_dtd": False, "no_network": True, "huge_tree": False}


def root_name(body: bytes) -> str | None:
    """Return the name of the root element, without its namespace; None if the bytes do not begin as XML.

    Only what stands before it is parsed. Raises SourceError if entities are declared there: a few lines of them can
    stand for gigabytes, or for files of this machine.
    """
    try:
        _, root = next(etree.iterparse(BytesIO(body.lstrip()), events=("start",), **_SAFE))
    except (etree.XMLSyntaxError, StopIteration):
        return None
    name = str(etree.QName(root).localname)
    declared = root.getroottree().docinfo.internalDTD
    if name.lower() != "html" and declared is not None and any(declared.iterentities()):
        raise SourceError(f"The source is XML (<{name}>) that declares entities. Remove them.", code="source_entities")
    return name


def root_of(body: bytes) -> etree._Element:
    """Return the root element of what `root_name` has looked at; small mistakes in the XML are overlooked."""
    return etree.fromstring(body.lstrip(), etree.XMLParser(recover=True, **_SAFE))


def is_cut_off(body: bytes) -> bool:
    """Whether XML ends before its root element does, so that what it lists after that is not known."""
    root = root_of(body)
    name = re.escape(str(etree.QName(root).localname).encode())
    ends = body[-_ENDING:].replace(b"\0", b"")  # of UTF-16
    return len(root) > 0 and re.search(rb"</\s*(?:[\w.-]+:)?%b\s*>" % name, ends) is None


def children(element: etree._Element, *names: str) -> list[etree._Element]:
    """Return the direct children that have one of these names, whatever their namespace."""
    return [child for child in element.iterchildren("{*}*") if etree.QName(child).localname in names]


def text_in(element: etree._Element, *names: str) -> str:
    """Return the text of the first child with one of these names that has any."""
    texts = ("".join(child.itertext()).strip() for child in children(element, *names))
    return next(filter(None, texts), "")
