"""A passage → its sentences, and what only looks like sentences: headings, rows of lists, mail headers, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from contextual_rag.languages import ENGLISH
from contextual_rag.sentences import is_ended, sentences

__all__ = ["Kind", "Unit", "units"]

# A longer sentence is quoted in parts, cut after a clause, or else after a word.
_LONGEST: Final = 320
_PART: Final = re.compile(
    rf"\S.{{100,{_LONGEST - 2}}}(?:[,;:—–](?=\s)|[，、；：])|\S(?:.{{0,{_LONGEST - 2}}}\S)?(?!\S)"
    rf"|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\uffef]{{1,{_LONGEST}}}|\S+",
    re.DOTALL,
)
_BLOCK: Final = re.compile(r"(?:(?!\n[^\S\n]*+\n).)+", re.DOTALL)
_LINE: Final = re.compile(r"[^\n]+")
_MAIL_FIELD: Final = re.compile(
    r"(?:^|[\s>])(?:from|to|cc|bcc|date|sent|subject|reply-to|message-id):\s", re.IGNORECASE
)
_SIGNS: Final = re.compile(r"[{}()\[\];=<>_\\|#&@^~$%+*/]")
_HEADING: Final = 80
# Mail headers stand at the start of a paragraph.
_HEADER: Final = 500
_CODE_SIGNS, _CODE_SHARE = 5, 0.12


Kind = Literal["sentence", "part", "row", "apart"]


class Unit(NamedTuple):
    """A span of a passage: a sentence or the first part of a long one, a later part, a row of a list, or neither."""

    start: int
    end: int
    kind: Kind


def units(text: str, language: str = ENGLISH) -> list[Unit]:
    """Return the units of a passage in a language, in order. Headings, mail headers and code are apart."""
    return [
        Unit(block.start() + start, block.start() + end, kind)
        for block in _BLOCK.finditer(text)
        if block[0].strip()
        for start, end, kind in _units_of(block[0], language)
    ]


def _units_of(block: str, language: str) -> Iterator[tuple[int, int, Kind]]:
    lines = [line for line in _LINE.finditer(block) if line[0].strip()]
    fields = [field.end() for field in _MAIL_FIELD.finditer(block[:_HEADER])]
    if len(fields) > 1:
        for line in lines:
            for start, end, kind in _sentences(line[0], language):
                first = line.start() + start
                yield first, line.start() + end, "apart" if first <= fields[-1] else kind
    elif _is_code(block):
        yield from ((*_trimmed(block, *line.span()), "apart") for line in lines)
    elif len(block.strip()) <= _HEADING and not is_ended(block):
        is_row = bool(re.search(r"\d", block)) or len(lines) > 1
        yield (*_trimmed(block, 0, len(block)), "row" if is_row else "apart")
    elif len(lines) > 1 and sum(not is_ended(line[0]) for line in lines) > len(lines) / 2:
        yield from ((*_trimmed(block, *line.span()), "row") for line in lines)
    else:
        yield from _sentences(block, language)


def _is_code(block: str) -> bool:
    signs, letters = len(_SIGNS.findall(block)), sum(map(str.isalnum, block))
    return signs >= _CODE_SIGNS and signs > _CODE_SHARE * letters


def _sentences(block: str, language: str) -> Iterator[tuple[int, int, Kind]]:
    for start, end in sentences(block, language):
        first, last = _trimmed(block, start, end)
        if first < last <= first + _LONGEST:
            yield first, last, "sentence"
        elif first < last:
            for part in _PART.finditer(block, first, last):
                yield *part.span(), "sentence" if part.start() == first else "part"


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end].strip()
    first = text.index(inner, start)
    return first, first + len(inner)
