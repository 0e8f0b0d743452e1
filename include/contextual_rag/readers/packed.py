"""Files that are ZIP archives of XML: how much they unpack to is limited, and nothing outside them is read."""

from __future__ import annotations

import posixpath
import zipfile
from io import BytesIO
from typing import Final
from urllib.parse import unquote

from lxml import etree

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.readers.authors import names_in

__all__ = ["Packed", "is_about", "iso_day_of", "local"]

_MOST_BYTES: Final = 300_000_000
_LONGEST_DAY, _FIRST_YEAR = len("2026-01-01"), "1990"
# The day of the templates of two libraries, which write it into every file.
_OF_TEMPLATES: Final = frozenset({"2013-12-23", "2013-01-27"})
_NAMES_OF_PROGRAMS: Final = (
    "microsoft ",
    "untitled",
    "powerpoint",
    "presentation",
    "document",
    "slide ",
    "(anonymous)",
)
_SUFFIXES: Final = (".doc", ".docx", ".pdf", ".ppt", ".pptx", ".rtf", ".odt", ".tex", ".dvi", ".indd", ".qxd", ".txt")


class Packed:
    """An open archive. Raises EmptyDocumentError if it is encrypted, damaged or too large."""

    def __init__(self, body: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(body))
        except (zipfile.BadZipFile, ValueError) as error:
            raise EmptyDocumentError(f"it is damaged ({error})", code="empty_document_broken") from error
        self.names = frozenset(self._zip.namelist())
        files = self._zip.infolist()
        if any(file.flag_bits & 1 for file in files):
            raise EmptyDocumentError("it is encrypted: save it without a password", code="empty_document_encrypted")
        if sum(file.file_size for file in files) > _MOST_BYTES:
            raise EmptyDocumentError(
                f"it unpacks to more than {_MOST_BYTES // 1_000_000} MB", code="empty_document_too_large"
            )

    def read(self, name: str) -> bytes:
        """Return a part; empty if it is not there."""
        return self._zip.read(name) if name in self.names else b""

    def xml(self, name: str) -> etree._Element:
        """Return the root element of a part; an empty one if it is not there."""
        body = self.read(name)
        if not body:
            return etree.Element("none")
        try:
            return etree.fromstring(body, etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True))
        except etree.XMLSyntaxError as error:
            if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
                raise MemoryError from error
            raise

    def main(self, usual: str) -> str:
        """Return the name of the part of an office file that all others belong to."""
        found = (
            one.get("Target", "") for one in self.xml("_rels/.rels") if one.get("Type", "").endswith("/officeDocument")
        )
        name = next(found, "").lstrip("/")
        return name if name in self.names else usual

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """Return the relations of a part of an office file: by id, the last word of their kind, and the other part."""
        folder, file = posixpath.split(name)
        found = {}
        for one in self.xml(f"{folder}/_rels/{file}.rels"):
            target = posixpath.normpath(posixpath.join("/", folder, unquote(one.get("Target", "")))).lstrip("/")
            found[one.get("Id", "")] = (one.get("Type", "").rpartition("/")[2], target)
        return found

    def about(self) -> tuple[str, str | None, tuple[str, ...]]:
        """Return title, day and authors of an office file, if they say something."""
        core = self.xml("docProps/core.xml")
        said = {local(one): (one.text or "").strip() for one in core}
        title = said.get("title", "")
        names = names_in([said.get("creator", "")])
        return title if is_about(title) else "", iso_day_of(said.get("created", "")), names


def is_about(title: str) -> bool:
    """Return whether a title in a file's properties is one, and not what the program wrote that made the file."""
    plain = title.strip().lower()
    return any(map(str.isalpha, plain)) and not plain.startswith(_NAMES_OF_PROGRAMS) and not plain.endswith(_SUFFIXES)


def iso_day_of(stamp: str) -> str | None:
    """Return the day of a time stamp such as 2019-03-02T10:00:00Z, if it can be that of a text."""
    day = stamp[:_LONGEST_DAY]
    is_day = len(day) == _LONGEST_DAY and day[4] == day[7] == "-" and day.replace("-", "").isdecimal()
    return day if is_day and day >= _FIRST_YEAR and day not in _OF_TEMPLATES else None


def local(element: etree._Element) -> str:
    """Return the name of an element without its namespace; empty for a comment."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
