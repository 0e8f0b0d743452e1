"""Which reader reads what: one line a format, each from bytes to a document.

A server's Content-Type or the end of a file's name says which format a body is, and its first bytes whether that is so.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Final, NamedTuple

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.extras import EXTRAS
from contextual_rag.model import Document, Entry
from contextual_rag.pipeline.plain import named
from contextual_rag.readers.alone import Limits, read_alone
from contextual_rag.readers.code import read_code, read_notebook
from contextual_rag.readers.containers import contained
from contextual_rag.readers.document import Read, document_of
from contextual_rag.readers.html import parse_document
from contextual_rag.readers.rows import read_json, read_json_lines, read_table
from contextual_rag.readers.text import read_markdown, read_plain

__all__ = [
    "FILE_TYPES",
    "LINKED_SUFFIXES",
    "MEDIA_TYPES",
    "READERS",
    "TYPE_OF_SUFFIX",
    "lacking_extra",
    "read_document",
    "unknown_type",
]

# Raise it when a reader makes something else of the same bytes: then pages that are stored are read again. A document
# that comes out as it was keeps its digest, and so all that was made from it.
READERS: Final = 5

_Reader = Callable[[bytes, Entry, str | None], Document]
_Finder = Callable[[bytes, str | None], Read]


class _Format(NamedTuple):
    """How files of a format are called, and what reads them.

    `alone` is a reader of `child.READERS`, which needs a process of its own; `extra` brings its libraries.
    """

    suffixes: str
    media_types: str
    reader: _Reader | None = None
    finder: _Finder | None = None
    alone: str = ""
    extra: str = ""


_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_CODE: Final = (
    "py pyi js mjs jsx ts tsx java kt scala groovy go rs c h cc cpp hh hpp cs fs swift m rb php pl lua r jl hs ml "
    "ex exs erl clj sh bash ps1 sql proto vue dart zig"
)
_FORMATS: Final = (
    _Format("html htm xhtml", "text/html application/xhtml+xml application/xml text/xml", parse_document),
    _Format("md markdown mdown mkd mdx qmd rmd", "text/markdown text/x-markdown", read_markdown),
    _Format("txt text rst adoc asciidoc org log", "text/plain", read_plain),
    _Format("csv", "text/csv application/csv", finder=read_table),
    _Format("tsv tab", "text/tab-separated-values", finder=read_table),
    _Format("json", "application/json text/json", finder=read_json),
    _Format("jsonl ndjson", "application/jsonl application/x-ndjson application/x-jsonlines", finder=read_json_lines),
    _Format("ipynb", "application/x-ipynb+json", finder=read_notebook),
    _Format(_CODE, "text/x-source text/x-python text/javascript application/javascript", read_code),
    _Format("pdf", "application/pdf application/x-pdf", alone="pdf", extra="documents"),
    _Format("docx docm", f"{_OFFICE}wordprocessingml.document", alone="docx", extra="documents"),
    _Format("pptx pptm ppsx", f"{_OFFICE}presentationml.presentation", alone="pptx"),
    _Format(
        "xlsx xlsm",
        f"{_OFFICE}spreadsheetml.sheet application/vnd.ms-excel.sheet.macroenabled.12",
        alone="xlsx",
        extra="documents",
    ),
    _Format("epub", "application/epub+zip", alone="epub"),
)
_BY_TYPE: Final = {kind: form for form in _FORMATS for kind in form.media_types.split()}
# The first media type of a format is the one that files of it get.
TYPE_OF_SUFFIX: Final = {f".{end}": form.media_types.split()[0] for form in _FORMATS for end in form.suffixes.split()}
MEDIA_TYPES: Final = frozenset(_BY_TYPE)
# Those of files that may be larger than a page, and what their addresses end in.
FILE_TYPES: Final = frozenset(kind for kind, form in _BY_TYPE.items() if form.alone)
LINKED_SUFFIXES: Final = frozenset(end for end, kind in TYPE_OF_SUFFIX.items() if kind in FILE_TYPES)
_HTML: Final = re.compile(
    rb"\s*+(?:\xef\xbb\xbf\s*+)?(?:<\?xml[^>]*+>\s*+)?(?:(?><!--.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_WORD: Final = re.compile(rb"[^\W_]|[\x80-\xff]")
_OPENING = 2000


def unknown_type(suffix: str) -> str:
    """Return why a file is left out whose name ends so, with its dot."""
    return f"no reader knows {suffix.lower()} files" if suffix else "no reader knows files without an ending"


def lacking_extra(media_type: str) -> str | None:
    """Return why a format cannot be read here, if it needs an extra of the package that is not installed."""
    extra = _BY_TYPE[media_type].extra
    if not extra or all(find_spec(name) for name in EXTRAS[extra]):
        return None
    return f"reading it needs the extra {extra!r}: pip install 'contextual-rag[{extra}]'"


def read_document(
    body: bytes,
    entry: Entry,
    media_type: str | None = None,
    charset: str | None = None,
    limits: Limits | None = None,
) -> Document:
    """Return the document in the bytes of a page or file; `media_type` and `charset` are what its server declared.

    Servers often call a page plain text. `limits` are those of a file that needs a process of its own. Raises only
    EmptyDocumentError.
    """
    if not _WORD.search(body.removeprefix(codecs.BOM_UTF8)):
        raise _unread(entry, f"its {len(body)} bytes have no word", "empty_document")
    form = _format(body, entry, media_type)
    if form.reader:
        return form.reader(body, entry, charset)
    find = form.finder or partial(_found_alone, form, limits or Limits())
    try:
        read = find(body, charset)
    except EmptyDocumentError as error:
        raise _unread(entry, str(error), error.code) from error
    return document_of(read._replace(title=named(read.title or entry.title)), entry)


def _format(body: bytes, entry: Entry, media_type: str | None) -> _Format:
    """Return the format of a body: what its first bytes say, or else what is declared."""
    declared = _BY_TYPE.get(media_type or "", _BY_TYPE["text/html"])
    try:
        inside = contained(body)
    except EmptyDocumentError as error:
        raise _unread(entry, str(error), error.code) from error
    if inside:
        return _BY_TYPE[inside]
    if declared.alone or declared.reader is read_plain:
        if _HTML.match(body[:_OPENING]):
            return _BY_TYPE["text/html"]
        if declared.alone:
            # A text of another name is a text; if it is none, its own reader says what is wrong with it.
            return _BY_TYPE["text/plain"] if _is_text(body) else declared
        suffix = re.search(r"\.\w+$", entry.url.partition("?")[0].lower())
        # Servers call much plain text that is a text of another kind.
        kind = TYPE_OF_SUFFIX.get(suffix[0], "text/plain") if suffix else "text/plain"
        return _BY_TYPE[kind] if kind not in {"text/html", *FILE_TYPES} else declared
    return declared


def _found_alone(form: _Format, limits: Limits, body: bytes, _charset: str | None) -> Read:
    if why := lacking_extra(form.media_types.split()[0]):
        raise EmptyDocumentError(why, code="empty_document_extra")
    return read_alone(form.alone, body, limits)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in body and not body.lstrip().startswith(b"%PDF-")


def _unread(entry: Entry, why: str, code: str) -> EmptyDocumentError:
    return EmptyDocumentError(f"no text was read in {entry.slug!r} ({entry.url}): {why}", code=code)
