"""Which documents a question is asked of: a filter, and the version that has only the documents that match it.

A filter is applied before anything is searched, so a search of some documents finds as many passages as a search of
all. Words stay as rare as they are in the whole version, which keeps scores and their order.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints
from rapidfuzz import fuzz, process

from contextual_rag.errors import QuestionError, UnknownDocumentError
from contextual_rag.noun import noun
from contextual_rag.ports import Index
from contextual_rag.record import StrictRecord

__all__ = ["MOST", "Filter", "Name", "document_named", "narrowed", "nothing", "type_of", "when"]

MOST: Final = 100  # names of a kind
_NEAR: Final = 5
_MONTHS: Final = str.split("jan feb mar apr may jun jul aug sep oct nov dec")
_ENDING: Final = re.compile(r"[^/]\.([a-z][a-z0-9]{0,7})$")

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST)]


class _Kind(NamedTuple):
    """What a name is of; names that are less alike than `alike_from`, in percent, are not offered for one another."""

    word: str
    code: str
    alike_from: float


_DOCUMENT: Final = _Kind("document", code="unknown_document", alike_from=50)
_SOURCE: Final = _Kind("source", code="unknown_document_source", alike_from=0)
_TYPE: Final = _Kind("type", code="unknown_document_type", alike_from=0)


class Filter(StrictRecord):
    """Documents of any of these sources, any of these names, any of these types, and dated in this range.

    A document is named by its slug, its address or its title, in any letter case. Its type is the ending of its
    address, such as `pdf`; an address without one counts as `html`. Both days of a range belong to it. A date that
    gives only a month or a year counts as all of its days; a document without a date is in no range.
    """

    sources: Names = ()
    documents: Names = ()
    types: Names = ()
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return self != Filter()

    @property
    def summary(self) -> str:
        """Say in a line for people which documents match; empty if all do."""
        named = [("source", self.sources), ("document", self.documents), ("type", self.types)]
        parts = [f"{what} {' or '.join(names)}" for what, names in named if names]
        days = [f"{word} {day}" for word, day in (("from", self.since), ("to", self.until)) if day]
        return ", ".join([*parts, *([f"dated {' '.join(days)}"] if days else [])])


def narrowed(index: Index, where: Filter | None) -> Index:
    """Return the version with only the documents that match; the same object if there is nothing to filter by.

    Raises UnknownDocumentError if a name is unknown there, and QuestionError if the range ends before it begins.
    """
    if not where:
        return index
    if where.since and where.until and where.since > where.until:
        raise QuestionError(
            f"The range of dates ends ({where.until}) before it begins ({where.since}). Swap the two.",
            code="question_range",
        )
    origins = index.origins
    slugs = set(origins)
    if where.documents:
        slugs &= _documents(index, where.documents)
    if where.sources:
        slugs &= _matching(index, _SOURCE, where.sources, ((one.source, slug) for slug, one in origins.items()))
    if where.types:
        slugs &= _matching(index, _TYPE, where.types, ((type_of(one.url), slug) for slug, one in origins.items()))
    if where.since or where.until:
        first, last = where.since or date.min, where.until or date.max
        dated = {slug: _days(origins[slug].date or "") for slug in slugs}
        slugs = {slug for slug, days in dated.items() if days and days[0] <= last and first <= days[1]}
    return index.within(frozenset(slugs))


def nothing(index: Index, where: Filter | None) -> str | None:
    """Say that a version that a filter narrowed does not answer a question; None if there is no filter."""
    if not where:
        return None
    essays = len(index.essays)
    if not essays:
        return f"No {noun().one} matches the filter: {where.summary}."
    which = f"the one {noun().one} that matches" if essays == 1 else f"the {noun().counted(essays)} that match"
    return f"Nothing about this in {which} the filter: {where.summary}."


def document_named(index: Index, name: str) -> str:
    """Return the slug of a document, by its slug, address or title. Raises UnknownDocumentError."""
    return min(_documents(index, [name]))


def type_of(url: str) -> str:
    """Return the type of a document by its address: its ending, or `html` if it has none."""
    ending = _ENDING.search(urlsplit(url).path.casefold())
    return ending[1] if ending else "html"


def when(text: str) -> tuple[int, int, int]:
    """Return the first date in a text such as "November 2004, corrected June 2006" or "2004-11-03".

    It is year, month and day; what the text does not say is 0.
    """
    year = re.search(r"\b[12]\d{3}\b", text)
    if not year:
        return 0, 0, 0
    numbers = re.match(r"[-/](\d{1,2})(?:[-/](\d{1,2}))?(?!\d)", text[year.end() :])
    month = next((n for n, name in enumerate(_MONTHS, 1) if name in text[: year.start()].casefold()), 0)
    day = re.search(r"\b\d{1,2}\b", text[: year.start()])
    found = (int(numbers[1]), int(numbers[2] or 0)) if numbers else (month, int(day[0]) if day else 0)
    return int(year[0]), *found


@lru_cache(maxsize=4096)
def _days(text: str) -> tuple[date, date] | None:
    """Return the first and the last day that a document's date may mean."""
    year, month, day = when(text)
    if not year:
        return None
    if not 1 <= month <= len(_MONTHS):
        return date(year, 1, 1), date(year, 12, 31)
    last = monthrange(year, month)[1]
    return (date(year, month, day),) * 2 if 1 <= day <= last else (date(year, month, 1), date(year, month, last))


def _documents(index: Index, names: Sequence[str]) -> set[str]:
    """Return the slugs that names mean: as they are written, or else in any letter case, where several may match."""
    exact = {origin.url: slug for slug, origin in index.origins.items()} | {slug: slug for slug in index.origins}
    found = {exact[name] for name in names if name in exact}
    others = [name for name in names if name not in exact]
    named = ((name, slug) for slug, title in index.essays.items() for name in (slug, title, index.origins[slug].url))
    return found | _matching(index, _DOCUMENT, others, named) if others else found


def _matching(index: Index, kind: _Kind, names: Sequence[str], named: Iterable[tuple[str, str]]) -> set[str]:
    """Return the slugs that have one of these names, in any letter case, of all pairs of a name and a slug."""
    known: dict[str, set[str]] = {}
    for name, slug in named:
        known.setdefault(name.casefold(), set()).add(slug)
    if unknown := next((name for name in names if name.casefold() not in known), None):
        alike = process.extract(
            unknown.casefold(), list(known), scorer=fuzz.ratio, limit=_NEAR, score_cutoff=kind.alike_from
        )
        near = dict.fromkeys(min(known[one]) if kind is _DOCUMENT else one for one, *_ in alike)
        instead = f" Near it: {', '.join(near)}." if near else ""
        raise UnknownDocumentError(
            f"There is no {kind.word} {unknown!r} in version {index.version}.{instead}", code=kind.code
        )
    return set().union(*(known[name.casefold()] for name in names))
