"""EPUB books: the chapters in reading order, each read as a page (https://www.w3.org/TR/epub-33/)."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.readers.authors import names_in
from contextual_rag.readers.blocks import Block, note
from contextual_rag.readers.characters import decode, tidy
from contextual_rag.readers.content import find_content
from contextual_rag.readers.document import Read, without_link_lists
from contextual_rag.readers.markup import read_markup
from contextual_rag.readers.packed import Packed, is_about, iso_day_of

__all__ = ["read"]

_PAGES = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/xml", "text/xml"})
# Fonts may be scrambled in a book that everyone can read.
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read(body: bytes) -> Read:
    """Return the chapters of a book, without its lists of contents. Raises EmptyDocumentError."""
    book = Packed(body)
    ways = book.xml("META-INF/encryption.xml").iterfind(".//{*}EncryptionMethod")
    if any(one.get("Algorithm") not in _FONTS for one in ways):
        raise EmptyDocumentError("it is protected against copying", code="empty_document_encrypted")
    root = book.xml("META-INF/container.xml").find(".//{*}rootfile")
    package = unquote(root.get("full-path", "")) if root is not None else ""
    opf = book.xml(package)
    # Programs that make books on Windows do not mind how a name is written.
    names = {_plain(name): name for name in book.names}
    blocks, missing = [], []
    for name in _chapters(opf, posixpath.dirname(package)):
        if found := names.get(_plain(name)):
            blocks += _chapter(book.read(found))
        else:
            missing.append(name)
    if not blocks:
        lost = f"; not in the file: {', '.join(missing)}" if missing else ""
        raise EmptyDocumentError(f"it has no chapter with text{lost}")
    blocks += [note(f"The chapter “{name}” is not in the file.") for name in missing]
    title, date = _said(opf, "title"), _said(opf, "date")
    authors = names_in(_text(one) for one in opf.iterfind("{*}metadata/{*}creator") if _is_author(one))
    year = date if len(date) == len("2026") and date.isdecimal() else None
    return Read(title if is_about(title) else "", iso_day_of(date) or year, blocks, authors=authors)


def _chapters(opf: etree._Element, folder: str) -> Iterator[str]:
    items = {one.get("id"): one for one in opf.iterfind("{*}manifest/{*}item")}
    for reference in opf.iterfind("{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGES or "nav" in item.get("properties", "").split():
            continue
        address = re.split("[#?]", item.get("href", ""), maxsplit=1)[0]
        yield posixpath.normpath(posixpath.join(folder, unquote(address)))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _chapter(body: bytes) -> list[Block]:
    return without_link_lists(find_content(read_markup(decode(body))).blocks) if body else []


def _said(opf: etree._Element, name: str) -> str:
    found = opf.find(f"{{*}}metadata/{{*}}{name}")
    return _text(found) if found is not None else ""


def _text(element: etree._Element) -> str:
    return tidy("".join(element.itertext()))


def _is_author(creator: etree._Element) -> bool:
    """Whether a creator is one who wrote the book, and not its illustrator or editor."""
    role = next((value for name, value in creator.items() if name.endswith("role")), "aut")
    return role == "aut"
