"""Feeds and sitemaps as XML. What an attacker may write into them is refused before it is parsed."""

from __future__ import annotations

import codecs
import re
import zlib
from io import BytesIO
from typing import Final

from lxml import etree

from contextual_rag.errors import SourceError

__all__ = ["children", "is_cut_off", "root_name", "root_of", "text_in", "unpacked"]

_ENDING: Final = 2000
_GZIP: Final = b"\x1f\x8b"
# A sitemap has at most so many bytes: https://www.sitemaps.org/protocol.html.
_MOST_UNPACKED: Final = 52_428_800
# In addresses, many programs write & as it is.
_LONE_AMPERSAND: Final = re.compile(rb"&(?!#?\w{1,31};)")
_SAFE: Final = {"resolve_entities": False, "load_dtd": False, "no_network": True, "huge_tree": False}


def root_name(body: bytes) -> str | None:
    """Return the name of the root element, without its namespace; None if the bytes do not begin as XML.

    Only what stands before it is parsed. Raises SourceError if entities are declared there: a few lines of them can
    stand for gigabytes, or for files of this machine.
    """
    try:
        _, root = next(etree.iterparse(BytesIO(_trimmed(body)), events=("start",), **_SAFE))
    except (etree.XMLSyntaxError, StopIteration):
        return None
    name = str(etree.QName(root).localname)
    declared = root.getroottree().docinfo.internalDTD
    if name.lower() != "html" and declared is not None and any(declared.iterentities()):
        raise SourceError(f"The source is XML (<{name}>) that declares entities. Remove them.", code="source_entities")
    return name


def root_of(body: bytes) -> etree._Element:
    """Return the root element of what `root_name` has looked at; small mistakes in the XML are overlooked."""
    text = _trimmed(body)
    if b"\0" not in text:
        text = b"<![CDATA[".join(_escaped(one, n > 0) for n, one in enumerate(text.split(b"<![CDATA[")))
    return etree.fromstring(text, etree.XMLParser(recover=True, **_SAFE))


def unpacked(body: bytes) -> bytes:
    """Return bytes as they were before they were packed by gzip, if they were. Raises SourceError."""
    if not body.startswith(_GZIP):
        return body
    try:
        found = (unzip := zlib.decompressobj(wbits=31)).decompress(body, _MOST_UNPACKED)
    except zlib.error as error:
        raise SourceError(f"The source is compressed and damaged ({error}).") from error
    if unzip.unconsumed_tail:
        raise SourceError(f"The source unpacks to more than {_MOST_UNPACKED:,} bytes. Divide it.")
    return found


def _trimmed(body: bytes) -> bytes:
    """Return bytes without what some programs write before XML: blank lines and a byte order mark, in any order."""
    return body.lstrip().removeprefix(codecs.BOM_UTF8).lstrip()


def _escaped(text: bytes, after_cdata: bool) -> bytes:
    """Return XML with each lone ampersand escaped; what is in a section of CDATA stays, before its end."""
    inside, end, outside = text.partition(b"]]>") if after_cdata else (b"", b"", text)
    return inside + end + _LONE_AMPERSAND.sub(b"&amp;", outside)


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
