"""Which marks a quotation belongs to: those beside it, or others in its sentence."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from contextual_rag.qa.marks import PARAGRAPH, CitationMark, Quotation

__all__ = ["Group", "Quoted", "paired"]

_WORD: Final = re.compile(r"\w")
_WORD_AFTER: Final = re.compile(r"[\s,]*([^\W\d_])")
_SIDE_BY_SIDE: Final = re.compile(r"[ \t,;]*+(?:\n[ \t]*+)?")
# A dash before the source of a quotation.
_SOURCE: Final = re.compile(r"[\s>]*[—–-]")
_AND: Final = re.compile(r"[ \t,]*(?:and|&)[ \t]*")


class Group:
    """Marks that stand side by side, and the numbers that they name."""

    def __init__(self, marks: Iterable[CitationMark] = ()) -> None:
        self.marks: list[CitationMark] = []
        self.numbers: dict[int, None] = {}
        for mark in marks:
            self.add(mark)

    def add(self, mark: CitationMark) -> None:
        """Add the next mark."""
        self.marks.append(mark)
        self.numbers.update(dict.fromkeys(mark.numbers))


class Quoted(NamedTuple):
    """A quotation, and those inside it."""

    place: Quotation
    inner: list[Quoted]


class _Element(NamedTuple):
    """A quotation or a group, and its place in the answer."""

    start: int
    end: int
    quoted: Quoted | None
    group: Group | None


def paired(
    plain: str, ends: Sequence[int], quoted: Sequence[Quoted], marks: Sequence[CitationMark]
) -> Iterator[tuple[Quoted, Group | None]]:
    """Yield each quotation of an answer without code, with its marks; sentences of the answer end at `ends`.

    The marks beside a quotation are its own. Other marks are those before it, if the sentence starts with marks, and
    those after it, if the sentence starts with a quotation.
    """
    elements = [_Element(one.place.start, one.place.end, one, None) for one in quoted]
    elements += _groups(plain, marks)
    sentence: list[_Element] = []
    for element in sorted(elements, key=lambda one: one.start):
        if sentence and _is_apart(plain, ends, sentence[-1], element):
            yield from _paired_in(plain, sentence)
            sentence = []
        sentence.append(element)
    yield from _paired_in(plain, sentence)


def _groups(plain: str, marks: Sequence[CitationMark]) -> Iterator[_Element]:
    start, end, group = 0, 0, Group()
    for mark in marks:
        gap = plain[end : mark.start]
        joined = _SIDE_BY_SIDE.fullmatch(gap) or (_AND.fullmatch(gap) and not _WORD_AFTER.match(plain, mark.end))
        if group.marks and not joined:
            yield _Element(start, end, None, group)
            group = Group()
        start, end = start if group.marks else mark.start, mark.end
        group.add(mark)
    if group.marks:
        yield _Element(start, end, None, group)


def _is_apart(plain: str, ends: Sequence[int], one: _Element, other: _Element) -> bool:
    """Whether a sentence ends between two neighbours."""
    gap = plain[one.end : other.start]
    paragraph = PARAGRAPH.search(gap)
    source = _SOURCE.match(plain, one.end)
    within = ends[bisect_left(ends, source.end() if source else one.end) : bisect_right(ends, other.start)]
    stops = any(not plain[one.end : end].rstrip().endswith(":") for end in within)
    if one.quoted and not _WORD.search(gap):
        if other.quoted:
            return paragraph is not None and ">" not in gap
        # A mark after a full stop belongs to what stands before, unless its own sentence goes on.
        after = _WORD_AFTER.match(plain, other.end)
        return stops and bool(after and after[1].islower())
    return stops


def _paired_in(plain: str, sentence: Sequence[_Element]) -> Iterator[tuple[Quoted, Group | None]]:
    following: list[Group | None] = [None]
    for element in reversed(sentence):
        following.append(element.group or following[-1])
    following.reverse()
    before: Group | None = None
    for i, element in enumerate(sentence):
        if element.quoted is None:
            before = element.group
            continue
        after = following[i]
        if sentence[0].quoted:
            yield element.quoted, after
        elif sentence[-1].quoted:
            yield element.quoted, before
        else:
            is_beside = sentence[i + 1].group and not _WORD.search(plain, element.end, sentence[i + 1].start)
            yield element.quoted, after if is_beside or sentence[i - 1].quoted else before
