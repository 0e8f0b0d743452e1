"""PDF: the paragraphs of each page, without what is repeated on every page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.extras import needs
from contextual_rag.readers.authors import names_in
from contextual_rag.readers.blocks import Block, Kind
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.document import Read
from contextual_rag.readers.packed import is_about, iso_day_of
from contextual_rag.sentences import is_ended

if TYPE_CHECKING:
    from pypdf import PageObject

__all__ = ["blocks_of", "read"]

# Of a page, so many of the first and last lines may be a header or footer, which stands on this share of the pages.
_EDGE, _SHARE, _LONGEST_EDGE = 2, 0.3, 120
_PASSWORD: Final = 1 << 13  # a flag of a field, by ISO 32000-2, table 230
_LONGEST_HEADING, _SHORTEST_PROSE = 80, 80
# A line that is shorter than these shares of a full one ends a paragraph: with the end of a sentence, and without.
_SHORT, _VERY_SHORT = 0.8, 0.55
_SPELT: Final = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\uf0b7": "•"}
)
_NUMBER: Final = re.compile(
    r"(?i)\W{0,80}(?:(?:page|p\.|seite|página|página|pagina)\s*)?#(?:\s*(?:of|/|von|de|sur)\s*#)?\W{0,80}"
)
# Also those of a preface.
_DIGITS: Final = re.compile(r"\d+|^[ivxlc]{1,7}\b|\b[ivxlc]{1,7}$")
_ITEM: Final = re.compile(r"(?:[•‣▪◦●■*–—-]|\(?(?:\d{1,3}|[a-z])[.)]|\[\d{1,3}\])\s")
_HYPHEN: Final = re.compile(r"(\w[\w’']{0,40})[-\u2010]$")
_SOFT: Final = "\u00ad"
_WORDS: Final = re.compile(r"\w+(?:-\w+)*")
_IDEOGRAPH: Final = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
# First parts of words that are mostly written with a hyphen.
_HYPHENATED: Final = frozenset(
    {"well", "self", "non", "half", "all", "ex", "quasi", "so", "long", "short", "high", "low"}
)


class _Text(NamedTuple):
    """Lines of a paragraph, and the pages on which it begins and ends."""

    lines: list[str]
    first: int
    last: int


def read(body: bytes) -> Read:
    """Return the text of a PDF. Raises EmptyDocumentError if it is encrypted, damaged or has only pictures."""
    needs("documents")
    from pypdf import PdfReader
    from pypdf.errors import LimitReachedError

    file = PdfReader(BytesIO(body))
    if file.is_encrypted and not file.decrypt(""):
        raise EmptyDocumentError("it needs a password: save it without one", code="empty_document_encrypted")
    try:
        pages = ["\n\n".join([page.extract_text(), *_written(page)]) for page in file.pages]
    except LimitReachedError as error:
        raise EmptyDocumentError("a part of it unpacks to too much", code="empty_document_too_large") from error
    blocks = blocks_of(pages)
    if not blocks:
        raise EmptyDocumentError(
            "its pages are pictures without text: have a program recognise the characters (OCR)",
            code="empty_document_scanned",
        )
    about = file.metadata
    title = tidy(str(about.title or "")) if about else ""
    created = about.creation_date if about else None
    authors = names_in([str(about.author or "")]) if about else ()
    day = iso_day_of(created.isoformat()) if created else None
    return Read(title if is_about(title) else "", day, blocks, authors=authors)


def _written(page: PageObject) -> Iterator[str]:
    """Yield what was written on a page: the values of a form's fields, with their names, and texts beside it."""
    found = page.get("/Annots")
    listed = found.get_object() if found is not None else ()
    for one in map(_object, listed if isinstance(listed, list) else ()):
        if one.get("/Subtype") == "/FreeText":
            yield tidy(str(one.get("/Contents") or ""))
        elif one.get("/Subtype") == "/Widget":
            above = _object(one.get("/Parent"))
            kind, value, flags = (one.get(key, above.get(key)) for key in ("/FT", "/V", "/Ff"))
            name = one.get("/TU") or above.get("/TU") or one.get("/T") or above.get("/T")
            is_secret = isinstance(flags, int) and flags & _PASSWORD
            if kind in ("/Tx", "/Ch") and value and not is_secret:
                said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                yield tidy(f"{name}: {said}" if name else said)


def _object(reference: Any) -> dict[str, Any]:
    """Return the dictionary that a reference leads to, an empty one if there is none."""
    found = reference.get_object() if hasattr(reference, "get_object") else reference
    return found if isinstance(found, dict) else {}


def blocks_of(pages: Sequence[str]) -> list[Block]:
    """Return the paragraphs of pages, given as the lines that they show; `where` is the page, from 1."""
    shown = _without_edges([[_clean(line) for line in page.splitlines()] for page in pages])
    known = Counter(word.casefold() for line in chain.from_iterable(shown) for word in _WORDS.findall(line))
    texts = list(_paragraphs(shown))
    found = [(tidy(_joined(text.lines, known)), text) for text in texts]
    found = [(text, of) for text, of in found if any(map(str.isalnum, text))]
    following = [*(text for text, _ in found[1:]), ""]
    return [
        Block(text, _kind(text, of, after), text, where=_where(of))
        for (text, of), after in zip(found, following, strict=False)
    ]


def _clean(line: str) -> str:
    return " ".join(line.translate(_SPELT).split())


def _without_edges(pages: list[list[str]]) -> list[list[str]]:
    """Remove page numbers, and headers and footers but for the first of each, which may say something."""
    edges: list[set[int]] = []
    counts: Counter[str] = Counter()
    for lines in pages:
        said = [n for n, line in enumerate(lines) if line]
        edges.append({n for n in (*said[:_EDGE], *said[-_EDGE:]) if len(lines[n]) <= _LONGEST_EDGE})
        counts.update({_DIGITS.sub("#", lines[n]) for n in edges[-1]})
    enough = max(2.0, _SHARE * len(pages))
    seen: set[str] = set()
    kept = []
    for lines, edge in zip(pages, edges, strict=True):
        page = []
        for n, line in enumerate(lines):
            pattern = _DIGITS.sub("#", line)
            if n in edge and counts[pattern] >= enough:
                if pattern in seen or _NUMBER.fullmatch(pattern):
                    continue
                seen.add(pattern)
                page += ["", line, ""]
            else:
                page.append(line)
        kept.append(page)
    return kept


def _paragraphs(pages: Sequence[Sequence[str]]) -> Iterator[_Text]:
    """Yield paragraphs; one that goes on over the end of a page stays whole."""
    open_: _Text | None = None
    for n, lines in enumerate(pages, 1):
        # Most lines of a page of prose are full.
        lengths = sorted(len(line) for line in lines if line)
        full = lengths[-1 - len(lengths) // 5] if lengths else 0
        is_apart = False
        for line in lines:
            if not line:
                is_apart = True
                continue
            if open_ and _goes_on(open_, line, full, is_apart=is_apart, is_new_page=open_.last != n):
                open_.lines.append(line)
                open_ = open_._replace(last=n)
            else:
                if open_:
                    yield open_
                open_ = _Text([line], n, n)
            is_apart = False
    if open_:
        yield open_


def _goes_on(text: _Text, line: str, full: int, *, is_apart: bool, is_new_page: bool) -> bool:
    before = text.lines[-1]
    if is_new_page:
        return not is_ended(before) and (line[0].islower() or bool(_HYPHEN.search(before)))
    if is_apart or _ITEM.match(line):
        return False
    if is_ended(before):
        return len(before) >= _SHORT * full
    return len(before) >= _VERY_SHORT * full or line[0].islower()


def _joined(lines: Sequence[str], known: Counter[str]) -> str:
    """Join lines; a word that was divided at the end of one becomes whole."""
    parts: list[str] = []
    for line in lines:
        last = parts[-1] if parts else ""
        if last.endswith(_SOFT):
            parts[-1:] = [last[:-1], line]
        elif (divided := _HYPHEN.search("".join(parts[-3:]))) and line[:1].islower():
            after = _WORDS.match(line)
            rest = after[0] if after else ""
            first = divided[1].casefold()
            hyphenated = f"{first}-{rest}".casefold()
            is_hyphenated = known[hyphenated] > known[first + rest.casefold()] or (
                not known[first + rest.casefold()] and first in _HYPHENATED
            )
            parts[-1:] = [last if is_hyphenated else last[:-1], line]
        elif last and _IDEOGRAPH.match(last[-1]) and _IDEOGRAPH.match(line):
            parts.append(line)
        else:
            parts += [" ", line] if parts else [line]
    return "".join(parts)


def _kind(text: str, of: _Text, after: str) -> Kind:
    is_short = len(of.lines) == 1 and len(text) <= _LONGEST_HEADING and not is_ended(text)
    begins = text[0].isupper() or text[0].isdecimal()
    return "heading" if is_short and begins and len(after) >= _SHORTEST_PROSE else "paragraph"


def _where(text: _Text) -> str:
    return f"page {text.first}" if text.first == text.last else f"pages {text.first}–{text.last}"
