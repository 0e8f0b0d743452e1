"""Citations: finds the quotations and the marks of an answer, and looks each quotation up in the passages."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from contextual_rag.languages import ENGLISH
from contextual_rag.model import IndexedChunk
from contextual_rag.qa.denials import are_denying
from contextual_rag.qa.marks import (
    CitationMark,
    Quotation,
    citation_marks,
    quotations,
    without_code,
    without_html_marks,
)
from contextual_rag.qa.pairs import Group, Quoted, paired
from contextual_rag.qa.tokens import tokens
from contextual_rag.qa.verdicts import State, state_of
from contextual_rag.qa.wording import Vocabulary, Wording
from contextual_rag.sentences import sentences

__all__ = ["Citation", "Cited", "Reading", "check", "locate", "read", "without_notes"]

_MIN_WORDS: Final = 2
# An answer hardly quotes within a quotation within a quotation. A bound keeps the time in proportion to its length.
_DEEPEST: Final = 3
_NOTE: Final = re.compile(r"(?:(?<!\s)\s++)?\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
# Brackets that belong to a word or an expression: argv[1], the interval [1, 2].
_OWN: Final = re.compile(r"(\w{1,40})(?:(\[[\d\s,]{1,40}\])|\s(\[\d[\d\s]*,[\d\s,]{1,40}\]))")
_WORD_BEFORE: Final = re.compile(r"(?<!\w)(\w++)(\s?)$")
_LONGEST_WORD: Final = 40
# So many characters before a quotation can deny it: he was not “able to write”.
_NEARBY: Final = 60


class Citation(NamedTuple):
    """A quotation of an answer, or a mark `[n]` with nothing quoted.

    If `verified`, `quote` is the passage's own text, at `start:end` of the essay's text. Otherwise the answer quoted
    nothing, or words that the passage does not contain: `quote` is those words, and the span is the whole passage.
    A quotation without a number has no `n`; `found_in` is the number of the passage that contains it. If none does, it
    has no chunk and no span.
    """

    n: int | None
    chunk: IndexedChunk | None
    quote: str
    start: int | None
    end: int | None
    verified: bool
    found_in: int | None

    @property
    def state(self) -> State:
        """Whether its words were found, or not found, or nothing is quoted."""
        return state_of(self.quote, verified=self.verified)

    @property
    def where(self) -> str | None:
        """The place of its span in the file, such as "page 3"."""
        if self.chunk is None or self.start is None or self.end is None:
            return None
        return self.chunk.where_in(self.start, self.end)


class Cited(NamedTuple):
    """A mark `[n]` at `start:end` of an answer, with the state of what it is said to support, for each number."""

    start: int
    end: int
    states: Mapping[int, State]


class Reading(NamedTuple):
    """An answer whose marks all have the shape `[n]` or `[n, m]` and name passages, and what was found out about it."""

    text: str
    citations: list[Citation]
    marks: list[Cited]


def check(answer: str, passages: Sequence[IndexedChunk]) -> tuple[str, list[Citation]]:
    """Return the answer without invalid marks, and its citations; see `read`."""
    reading = read(answer, passages)
    return reading.text, reading.citations


def read(answer: str, passages: Sequence[IndexedChunk]) -> Reading:
    """Look up every quotation of an answer, and read its marks.

    A quotation belongs to the mark beside it, or else to the next or the previous one in its sentence. It is looked up
    in the passages that this mark names, and without a mark in all. Brackets in code, and in the essay's own words, are
    no marks.
    """
    return _Reader(answer, passages).read()


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return the span of `text` that a quotation repeats, or None; see `Wording.find`."""
    at = text.find(quote)
    end = at + len(quote)
    if at >= 0 and quote.strip() == quote != "" and not (text[at - 1 : at] + text[end : end + 1]).strip():
        return at, end
    return Wording(text).find(quote)


def without_notes(text: str) -> str:
    """Return a text without its note marks."""
    return _NOTE.sub("", text).strip()


class _Reader:
    """Reads one answer."""

    def __init__(self, answer: str, passages: Sequence[IndexedChunk]) -> None:
        self._answer = without_html_marks(answer)
        self._passages = passages
        self._plain = without_code(self._answer)
        vocabulary = Vocabulary()
        self._wordings = [Wording(passage.text, vocabulary, passage.language) for passage in passages]
        every = quotations(self._plain, {passage.title for passage in passages if passage.title.strip()})
        self._marks = self._meant(citation_marks(self._plain, {one.end for one in every}))
        self._mark_starts = [mark.start for mark in self._marks]
        self._words = self._word_ends()
        self._ends = self._sentence_ends()
        self._top = self._nested(every)
        self._citations: list[tuple[int, Citation]] = []
        self._supported: list[tuple[Group, Sequence[Citation]]] = []
        self._essays: set[CitationMark] = set()

    def read(self) -> Reading:
        self._look_up(self._top, self._marks, None)
        marks = [mark for mark in self._marks if mark not in self._essays]
        states = self._states()
        for mark in marks:
            if mark not in states:
                states[mark] = dict.fromkeys(mark.numbers, "cited")
                self._citations += [(mark.start, self._whole(n, "")) for n in mark.numbers]
        unique: dict[tuple[int | None, str], Citation] = {}
        for _, one in sorted(self._citations, key=lambda one: one[0]):
            unique.setdefault((one.n, one.quote), one)
        text, cited = _rewritten(self._answer, marks, states)
        return Reading(text, list(unique.values()), cited)

    def _states(self) -> dict[CitationMark, dict[int, State]]:
        """Return the state of each mark that has quotations: one that is not found counts for all of them."""
        states: dict[CitationMark, dict[int, State]] = {}
        for group, supported in self._supported:
            found = {one.n: one.state for one in supported}
            for mark in group.marks:
                of_mark = states.setdefault(mark, {})
                of_mark |= {n: found[n] for n in mark.numbers if of_mark.get(n) != "not_found"}
        return states

    # Which brackets are marks, and which quotations count

    def _meant(self, marks: Sequence[CitationMark]) -> list[CitationMark]:
        """Return the marks with their valid numbers, without brackets of code, intervals and essays."""
        own = {_key(found[1], found[2] or found[3]) for one in self._passages for found in _OWN.finditer(one.text)}
        meant = []
        for mark in marks:
            valid = tuple(n for n in mark.numbers if 1 <= n <= len(self._passages))
            word = _WORD_BEFORE.search(self._plain[max(mark.start - _LONGEST_WORD - 1, 0) : mark.start])
            attached, several = bool(word and not word[2]), len(mark.numbers) > 1
            is_round = self._plain[mark.start] == "("
            if (attached or is_round) and len(valid) < len(mark.numbers):
                continue
            if several and 0 in mark.numbers:
                continue
            if word and (attached or several) and _key(word[1], self._plain[mark.start : mark.end]) in own:
                continue
            meant.append(mark._replace(numbers=valid))
        return meant

    def _nested(self, every: Sequence[Quotation]) -> list[Quoted]:
        """Return the outermost quotations of two words or more that are not titles."""
        titles = {_spelled(passage.title) for passage in self._passages}
        longest = max(map(len, titles), default=0)
        top: list[Quoted] = []
        path: list[Quoted] = []
        for place in every:
            count = self._count(place)
            if count < _MIN_WORDS or (count <= longest and _spelled(place.words(self._answer)) in titles):
                continue
            while path and path[-1].place.end < place.end:
                path.pop()
            quoted = Quoted(place, [])
            if len(path) < _DEEPEST:
                (path[-1].inner if path else top).append(quoted)
            path.append(quoted)
        return top

    def _word_ends(self) -> list[int]:
        # Not their starts: in a block, "> 5" may look like a number and its sign.
        ends, marks = [], iter([*self._marks, None])
        mark = next(marks)
        for token in tokens(self._answer):
            while mark and mark.end <= token.start:
                mark = next(marks)
            if token.is_word and not (mark and mark.start <= token.start):
                ends.append(token.end - 1)
        return ends

    def _sentence_ends(self) -> list[int]:
        unmarked = list(self._plain)
        for mark in self._marks:
            unmarked[mark.start : mark.end] = " " * (mark.end - mark.start)
        language = self._passages[0].language if self._passages else ENGLISH
        return [end for _, end in sentences("".join(unmarked), language)]

    def _count(self, place: Quotation) -> int:
        return bisect_left(self._words, place.last) - bisect_left(self._words, place.first)

    def _within(self, start: int, end: int) -> list[CitationMark]:
        return self._marks[bisect_left(self._mark_starts, start) : bisect_left(self._mark_starts, end)]

    # What the passages say

    def _look_up(self, every: Sequence[Quoted], marks: Sequence[CitationMark], outer: Group | None) -> None:
        """Look up quotations that stand side by side, by the marks around them or else those of the outer one."""
        inside = {mark for one in every for mark in self._within(one.place.start, one.place.end)}
        outside = [mark for mark in marks if mark.numbers and mark not in inside]
        for one, group in paired(self._plain, self._ends, every, outside):
            self._resolve(one, group or outer)

    def _resolve(self, one: Quoted, group: Group | None) -> None:
        """Look a quotation up. If it is not there, look up those inside it."""
        place, inner = one
        words = place.words(self._answer).strip()
        inside = self._within(place.first, place.last)
        if inside and any(wording.find(words, as_marked=True) for wording in self._wordings):
            self._essays.update(inside)
            inside = []
        elif inside:
            words = self._unmarked(place, inside)
        groups = [group] if group else []
        groups += [Group(mark for mark in inside if mark.numbers)] if inside else []
        numbers = dict.fromkeys(n for group in groups for n in group.numbers)
        nth = bisect_right(self._ends, place.start)
        opening = max(place.start - _NEARBY, 0, *self._ends[:nth][-1:])
        is_denied = are_denying(tokens(self._plain[opening : place.start]))
        cited = [self._cited(n, words, is_denied) for n in numbers] or [self._anywhere(words, is_denied)]
        is_found = any(citation.verified for citation in cited)
        # A quotation may consist of others: a paragraph in a block, or a list.
        if is_found or self._count(place) - sum(self._count(part.place) for part in inner) >= _MIN_WORDS or not inner:
            self._citations += [(place.start, citation) for citation in cited]
            self._supported += [(group, cited) for group in groups]
        if inner and not is_found:
            self._look_up(inner, inside, group)

    def _cited(self, n: int, words: str, is_denied: bool) -> Citation:
        if span := self._wordings[n - 1].find(words, is_denied=is_denied):
            return self._verified(n, span, found_in=n)
        return self._whole(n, words)

    def _anywhere(self, words: str, is_denied: bool) -> Citation:
        for n, wording in enumerate(self._wordings, 1):
            if span := wording.find(words, is_denied=is_denied):
                return self._verified(None, span, found_in=n)
        return Citation(None, None, words, None, None, False, None)

    def _verified(self, n: int | None, span: tuple[int, int], *, found_in: int) -> Citation:
        passage = self._passages[found_in - 1]
        start, end = span
        return Citation(n, passage, passage.text[start:end], passage.start + start, passage.start + end, True, found_in)

    def _whole(self, n: int, words: str) -> Citation:
        passage = self._passages[n - 1]
        return Citation(n, passage, words, passage.start, passage.end, False, None)

    def _unmarked(self, place: Quotation, inside: Sequence[CitationMark]) -> str:
        parts, at = [], place.first
        for mark in inside:
            parts.append(self._answer[at : mark.start].rstrip(" "))
            at = mark.end
        whole = "".join([*parts, self._answer[at : place.last]])
        return Quotation(0, 0, 0, len(whole)).words(whole).strip()


def _rewritten(
    answer: str, marks: Sequence[CitationMark], states: Mapping[CitationMark, Mapping[int, State]]
) -> tuple[str, list[Cited]]:
    """Return an answer with its marks in one shape, and where they are."""
    parts: list[str] = []
    cited: list[Cited] = []
    at = length = 0
    for mark in marks:
        written = f"[{', '.join(map(str, mark.numbers))}]" if mark.numbers else ""
        length += mark.start - at
        if written:
            cited.append(Cited(length, length + len(written), states[mark]))
        parts += [answer[at : mark.start], written]
        length, at = length + len(written), mark.end
    return "".join([*parts, answer[at:]]), cited


def _spelled(text: str) -> tuple[str, ...]:
    return tuple(token.plain for token in tokens(text))


def _key(word: str, brackets: str) -> tuple[str, str]:
    return word.lower(), "".join(brackets.split())
