"""What a file is by its first bytes, whatever it is called."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from typing import Final

from contextual_rag.errors import EmptyDocumentError

__all__ = ["contained"]

_OPENING = 1024
_PDF: Final = b"%PDF-"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
# A part that only such an archive has. Some programs number it.
_PARTS: Final = {
    re.compile(r"word/document\d*\.xml"): f"{_OFFICE}wordprocessingml.document",
    re.compile(r"ppt/presentation\d*\.xml"): f"{_OFFICE}presentationml.presentation",
    re.compile(r"xl/workbook\d*\.xml"): f"{_OFFICE}spreadsheetml.sheet",
    re.compile(r"META-INF/container\.xml"): "application/epub+zip",
}
_RTF: Final = b"{\\rtf1"
_OTHERS: Final = {
    _RTF: "an RTF text: save it as .docx",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"RIFF": "a picture or a sound",
    b"\x1f\x8b": "compressed: unpack it",
    b"BZh": "compressed: unpack it",
    b"7z\xbc\xaf": "an archive: unpack it",
    b"Rar!": "an archive: unpack it",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
}
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")


def contained(body: bytes) -> str | None:
    """Return the media type of a file with a signature of its own, None if it has none.

    Raises EmptyDocumentError if no reader knows what it is.
    """
    # A text may name the signature, and bytes may stand before it.
    if _PDF in body[:_OPENING] and b"obj" in body and (body.lstrip().startswith(_PDF) or b"\0" in body):
        return "application/pdf"
    if body.startswith(b"PK\x03\x04"):
        return _archive(body)
    if body.startswith(_OLE):
        if _ENCRYPTED in body:
            raise EmptyDocumentError("it needs a password: save it without one", code="empty_document_encrypted")
        raise _unknown("a file of an old office program: save it as .docx, .pptx or .xlsx")
    what = next((what for start, what in _OTHERS.items() if body.startswith(start)), None)
    # A text may begin with the same letters.
    if what and (body.startswith(_RTF) or not body[:_OPENING].isascii()):
        raise _unknown(what)
    return None


def _archive(body: bytes) -> str:
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise EmptyDocumentError(f"it is damaged ({error})", code="empty_document_broken") from error
    kind = next((kind for part, kind in _PARTS.items() if any(map(part.fullmatch, names))), None)
    if kind is None:
        raise _unknown("a ZIP archive: unpack it")
    return kind


def _unknown(what: str) -> EmptyDocumentError:
    return EmptyDocumentError(f"it is {what}", code="empty_document_format")
