"""Which reader reads what: one line a media type, each from bytes to a document."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from contextual_rag.model import Document, Entry
from contextual_rag.readers.html import parse_document
from contextual_rag.readers.text import read_markdown, read_plain

__all__ = ["MEDIA_TYPES", "READERS", "read_document"]

# Raise it when a reader makes something else of the same bytes: then pages that are stored are read again. A document
# that comes out as it was keeps its digest, and so all that was made from it.
READERS: Final = 2

_Reader = Callable[[bytes, Entry, str | None], Document]
_READERS: Final[dict[str, _Reader]] = {
    "text/html": parse_document,
    "application/xhtml+xml": parse_document,
    "application/xml": parse_document,
    "text/xml": parse_document,
    "text/plain": read_plain,
    "text/markdown": read_markdown,
    "text/x-markdown": read_markdown,
}
MEDIA_TYPES: Final = frozenset(_READERS)
_HTML: Final = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_OPENING = 2000
_MARKDOWN: Final = (".md", ".markdown", ".mdown", ".mkd")


def read_document(body: bytes, entry: Entry, media_type: str | None = None, charset: str | None = None) -> Document:
    """Return the document in the bytes of a page or file; `media_type` and `charset` are what its server declared.

    Servers often call a page plain text. Raises only EmptyDocumentError.
    """
    reader = _READERS.get(media_type or "", parse_document)
    if reader is read_plain:
        if _HTML.match(body[:_OPENING]):
            reader = parse_document
        elif entry.url.partition("?")[0].lower().endswith(_MARKDOWN):
            reader = read_markdown
    return reader(body, entry, charset)
