"""The date of an essay: the line that is one, or what the page declares to programs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from urllib.parse import urlsplit

from contextual_rag.readers.blocks import LONGEST_HEADING, Block

__all__ = ["has_year", "iso_day", "line_date", "take_date", "url_day"]

_LINES_BEFORE_DATE, _LONGEST_LINE = 3, 1000
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}+\.?"
_DAY = r"(?:(?:\d{1,2}(?:st|nd|rd|th|\.)?\s+)?" + _MONTH + r"(?:\s+\d{1,2}(?:st|nd|rd|th)?)?,?\s+)"
_WHEN = rf"(?:{_DAY}?(?:19|20)\d\d|(?:19|20)\d\d-\d\d-\d\d)"
_CHANGED = r"(?:last\s+)?(?:rev|revised|corrected|updated|modified|expanded)\b\.?:?"
_WHENS = rf"{_WHEN}(?:\s*+(?:[,;]\s*+)?+\(?{_CHANGED}(?:\s+in)?\s+{_WHEN}\)?)*\.?"
# A line is a date if nothing else is in it, but for a remark in brackets.
_DATE = re.compile(rf"{_WHENS}(?=\s*\Z|\s*\([^()]*\)\.?\s*\Z)", re.IGNORECASE)
_WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?"
# "Posted on 3 March 2019 by A. Writer · 5 min read"; what is around the date is words of such lines alone.
_BYLINE = re.compile(
    r"(?:(?:posted|published|written|first published|date)(?:\s+on|\s+in)?:?\s+|on\s+|"
    r"by\s++[^\d|·•,]{1,40}[|·•,]?\s+(?:on\s+)?|\d{1,3}\s++min(?:ute)?s?(?:\s++read)?\s*+[|·•,—–-]\s*+|"
    r"[|·•—–-]\s+)?"
    rf"{_WEEKDAY}(?P<date>{_WHEN})"
    r"(?:,?\s+(?:at\s+)?\d{1,2}[:.]\d\d(?:\s*[ap]\.?m\.?)?)?"
    r"(?:\s*+(?:[|·•,—–-]\s*+)?+"
    r"(?:by\s++[^\d|·•]{1,40}+|\d{1,3}\s+min(?:ute)?s?(?:\s+read)?|\d{1,4}\s+(?:words|comments?)))*+\s*",
    re.IGNORECASE,
)
_MONTH_OR_DAY = re.compile(rf"\b(?:{_DAY}(?:19|20)\d\d|(?:19|20)\d\d-\d\d-\d\d)\b", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_ISO = re.compile(r"((?:19|20)\d\d)([-/.]?)(\d\d)\2(\d\d)(?!\d)")
_ADDRESS = re.compile(r"/((?:19|20)\d\d)[/-](\d{1,2})[/-](\d{1,2})(?=[/-])")


def take_date(blocks: list[Block], *, bylines: bool = False) -> tuple[str | None, list[Block]]:
    """Return the date that one of the first lines is, and the blocks without it; with `bylines`, also one in a byline.

    A line of which the date is only a part is text.
    """
    for place, block in enumerate(blocks[:_LINES_BEFORE_DATE]):
        line = block.first_line[:_LONGEST_LINE]
        found = _DATE.match(line) if line == block.first_line else None
        if found:
            rest = block.text[found.end() :].strip()
            kept = [block._replace(text=rest, kind="paragraph")] if rest else []
            return found[0], [*blocks[:place], *kept, *blocks[place + 1 :]]
        if bylines and block.text == line[:LONGEST_HEADING] and (byline := _BYLINE.fullmatch(line)):
            return byline["date"], [*blocks[:place], *blocks[place + 1 :]]
    return None, blocks


def line_date(line: str) -> str | None:
    """Return the day or month that a line about an essay names."""
    found = _MONTH_OR_DAY.search(line[:LONGEST_HEADING])
    return found[0] if found else None


def has_year(text: str) -> bool:
    """Return whether a text names a year."""
    return bool(_YEAR.search(text))


def iso_day(texts: Sequence[str]) -> str | None:
    """Return the first of these machine-readable dates that is one, as YYYY-MM-DD."""
    for text in texts:
        if (found := _ISO.match(text.strip())) and (day := _day(found[1], found[3], found[4])):
            return day
    return None


def url_day(url: str) -> str | None:
    """Return the day that an address names, such as /2019/03/02/title."""
    found = _ADDRESS.search(urlsplit(url).path + "/")
    return _day(*found.groups()) if found else None


def _day(year: str, month: str, day: str) -> str | None:
    try:
        # Programs that know no date write the first of 1970.
        return None if year == "1970" else date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
