"""Reads the marks of an answer: what is code, what stands between quotation marks, and what cites a passage.

Everything here takes time in proportion to the length of the answer, whatever it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import unescape
from typing import Final, NamedTuple

__all__ = [
    "PARAGRAPH",
    "CitationMark",
    "Quotation",
    "citation_marks",
    "quotations",
    "without_code",
    "without_html_marks",
]

PARAGRAPH: Final = re.compile(r"\n[ \t>]*\n|\n(?=[ \t>]*(?:[-*+]|\d{1,3}[.)])[ \t])")
"""What separates two paragraphs or items of a list."""

_FENCE: Final = re.compile(r"^[ >]*(?P<fence>`{3,}|~{3,})(?P<rest>[^\n]*)$", re.MULTILINE)
_TICKS: Final = re.compile(rf"`+|{PARAGRAPH.pattern}")
_BLOCK_LINE: Final = re.compile(r"^[ ]{0,3}(?:(?:[-*+]|\d{1,3}[.)])[ ]+)*(?:>[ ]?)+(?P<text>[^\n]*)$", re.MULTILINE)
_PREFIX: Final = re.compile(r"\n[ ]{0,3}(?:>[ ]?)+")
_ATTRIBUTION: Final = re.compile(r"\s*(?:[—–―]|--?\s)")
_QUOTE: Final = re.compile("[“”„«»‹›「」『』‘’‚'\"]")
_SAME: Final = str.maketrans(
    "〝〞〟＂″״｢｣﹁﹂《〈⟪⟨》〉⟫⟩﹃﹄❝❞‟⹂❛❜‛＇´`❮❯", '“””"""「」「」「「「「」」」」『』“”“„‘’‘\'\'‘‹›'
)
# Marks of two characters; the second is read as emphasis, which makes no difference.
_DOUBLED: Final[Mapping[str, str]] = {"``": '"*', "''": '"*', ",,": "„*"}
_ENTITY: Final = re.compile(r"&(?:#\w{1,6}|[a-zA-Z]{2,6});")
_ELEMENT: Final = re.compile(r"<(q|blockquote)\b[^<>]{0,80}>((?:(?!</?(?:q|blockquote)\b).)*)</\1>", re.DOTALL)
_BREAK: Final = re.compile(r"</?p>|<br ?/?>")
# What each mark closes. Some close in one country what they open in another.
_CLOSES: Final[Mapping[str, Sequence[str]]] = {
    "”": ("“„”", '"'), '"': ('"', "“„"), "“": ("„", "”"), "»": ("«", "»"), "«": ("»",), "›": ("‹", "›"), "‹": ("›",),
    "」": ("「",), "』": ("『",), "’": ("‘‚", "'"), "‘": ("‚",), "'": ("'", "‘‚"),
}  # fmt: skip
_STOPS: Final = frozenset(".,;:!?)]}")
_SINGLE: Final = frozenset("‘’‚'")
_UNCLOSED: Final = frozenset('“„«「『"')
_BEFORE_OPENING: Final = re.compile(r"[^\w.,;!?)\]}…%]|_")
_AFTER_CLOSING: Final = re.compile(r"[\s)\]}>.,;:!?…—–―/*_“”«»‹›」』‘’'\"(\[【、。，：-]")
# An abbreviation: רמב"ם.
_HEBREW: Final = re.compile("[א-ת]{2}")
_ELISION: Final = re.compile(r"(?:tis|twas|twere|twill|em|til|cause|bout|round|n|\d\ds?)\b", re.IGNORECASE)
_LATER_CLOSING: Final = re.compile(r"[^‘]*?[^\s‘’'][’'](?!\w)")

_NUMBER: Final = (
    r"(?:\^|\#|(?:passages?|sources?|ref(?:erence)?s?\.?|doc(?:ument)?s?|excerpts?|chunks?)\s*+(?:[:#.]\s*+)?+)"
)
_LIST: Final = rf"{_NUMBER}?+\d{{1,3}}+(?:\s*+(?:[,;&/–—-]|and\b|to\b)\s*+{_NUMBER}?+\d{{1,3}}+)*+"
_NUMBER_OR_TO: Final = re.compile(r"\d+|[–—-]|\bto\b", re.IGNORECASE)
_CITATION: Final = re.compile(
    rf"(?:\[\[|[\[【［〔])\s*(?P<square>{_LIST})\s*(?:(?:†|,\s*(?:pp?\.|pages?\b|§)|:\s(?=[^\W\d]))[^\]】\n]{{0,80}})?(?:\]\]|[\]】］〕])"
    rf"|\(\s*(?P<named>(?={_NUMBER}){_LIST})\s*\)"
    r"|\(\s*(?P<round>\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\)",
    re.IGNORECASE,
)


class Quotation(NamedTuple):
    """Words between quotation marks, `start:end` with the marks and `first:last` without, or a block quotation."""

    start: int
    end: int
    first: int
    last: int

    def words(self, answer: str) -> str:
        """Return what is quoted, without the signs of a block quotation."""
        return _PREFIX.sub("\n", answer[self.first : self.last])


class CitationMark(NamedTuple):
    """The mark `[n]` in one of its shapes; `numbers` as written, with ranges filled in."""

    start: int
    end: int
    numbers: tuple[int, ...]


def without_code(answer: str) -> str:
    """Return an answer of the same length in which code is blotted out."""
    blots = _fences(answer)
    blotted = _blotted(answer, blots)
    return _blotted(blotted, _inline_code(blotted))


def without_html_marks(answer: str) -> str:
    """Return an answer in which entities and elements of HTML that mark quotations are such marks, but not in code."""
    for pattern in (_ELEMENT, _ENTITY):
        parts, at = [], 0
        for found in pattern.finditer(without_code(answer)):
            quoted = answer[slice(*found.span(2))] if found.re.groups else ""
            mark = f"“{_BREAK.sub(' ', quoted).strip()}”" if quoted else unescape(found[0])
            if _QUOTE.match(mark.translate(_SAME)):
                parts += [answer[at : found.start()], mark]
                at = found.end()
        answer = "".join([*parts, answer[at:]])
    return answer


def _blotted(text: str, spans: Sequence[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], re.sub(r"[^\n]", "x", text[start:end])]
        at = end
    return "".join([*parts, text[at:]])


def _fences(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        if opened is None:
            if "`" not in line["rest"]:
                opened = line
        elif line["fence"].startswith(opened["fence"]) and not line["rest"].strip():
            spans.append((opened.start(), line.end()))
            opened = None
    return [*spans, (opened.start(), len(text))] if opened else spans


def _inline_code(text: str) -> list[tuple[int, int]]:
    """Return the spans between two equally long runs of backticks in a paragraph."""
    runs = list(_TICKS.finditer(text))
    following: list[int | None] = [None] * len(runs)
    last: dict[int, int] = {}
    for i in range(len(runs) - 1, -1, -1):
        if runs[i][0][0] == "\n":
            last.clear()
        else:
            following[i] = last.get(len(runs[i][0]))
            last[len(runs[i][0])] = i
    spans, i = [], 0
    while i < len(runs):
        closing = following[i]
        if closing is not None and not _is_of_tex(text, runs[i], runs[closing]):
            spans.append((runs[i].start(), runs[closing].end()))
            i = closing
        i += 1
    return spans


def _is_of_tex(text: str, opening: re.Match[str], closing: re.Match[str]) -> bool:
    """Whether two runs of backticks are no code, but open ``two quotations'' of TeX, ``one after another''."""
    opens_again = text[closing.start() - 1].isspace() and not text[closing.end() : closing.end() + 1].isspace()
    return opening[0] == "``" and opens_again and text.find("''", opening.end(), closing.start()) >= 0


def quotations(plain: str, titles: Collection[str] = ()) -> list[Quotation]:
    """Return the quotations of an answer without code, outer ones before those inside them.

    In a block, a last line with a dash and one of the `titles` says where the words are from. A quotation that is never
    closed ends at the next mark or with its paragraph, unless the answer itself ends there.
    """
    plain = re.sub("``|''|,,", lambda found: _DOUBLED[found[0]], plain).translate(_SAME)
    found = list(_blocks(plain, titles))
    carried: Collection[str] = ()
    start = 0
    for separator in [*PARAGRAPH.finditer(plain), None]:
        end = separator.start() if separator else len(plain)
        closed, unclosed = _pairs(plain, start, end, carried)
        found += closed
        marks = [mark.start() for mark in _CITATION.finditer(plain, start, end)] if unclosed else []
        for at in unclosed:
            last = marks[i] if (i := bisect_left(marks, at)) < len(marks) else end
            if last < len(plain):
                found.append(Quotation(at, last, at + 1, last))
        carried = {plain[at] for at in unclosed}
        start = separator.end() if separator else end
    return sorted(found, key=lambda one: (one.start, -one.end))


def _blocks(plain: str, titles: Collection[str]) -> Iterator[Quotation]:
    """Yield the paragraphs of block quotations, without the line that says where they are from."""
    lines: list[re.Match[str]] = []
    for line in [*_BLOCK_LINE.finditer(plain), None]:
        if lines and (line is None or line.start() != lines[-1].end() + 1 or not line["text"].strip()):
            if _is_attribution(lines[-1]["text"], titles):
                lines.pop()
            if lines:
                yield Quotation(lines[0].start(), lines[-1].end(), lines[0].start("text"), lines[-1].end("text"))
            lines = []
        if line and line["text"].strip():
            lines.append(line)


def _is_attribution(line: str, titles: Collection[str]) -> bool:
    if not _ATTRIBUTION.match(line):
        return False
    words = _CITATION.sub("", line).lower()
    return not any(char.isalnum() for char in words) or any(title.lower() in words for title in titles)


class _Neighbours(NamedTuple):
    """The characters around a quotation mark; a space at the ends of a paragraph."""

    before: str
    after: str

    @property
    def opens(self) -> bool:
        """Whether the mark can open a quotation here."""
        return not self.after.isspace() and bool(_BEFORE_OPENING.match(self.before))

    @property
    def closes(self) -> bool:
        """Whether the mark can close one."""
        return not self.before.isspace() and bool(_AFTER_CLOSING.match(self.after))


def _pairs(text: str, begin: int, end: int, carried: Collection[str]) -> tuple[list[Quotation], list[int]]:
    """Return the quotations of a paragraph, and where others open that it does not close.

    `carried` are the marks that the paragraph before did not close.
    """
    closed: list[Quotation] = []
    opened: list[tuple[str, int]] = []
    counts: Counter[str] = Counter()
    for found in _QUOTE.finditer(text, begin, end):
        at, char = found.start(), found[0]
        around = _around(text, at, begin, end)
        closes = _CLOSES.get(char, ())
        kinds = next((kinds for kinds in closes if any(counts[kind] for kind in kinds)), "")
        match _role(char, around, kinds, text, at, end):
            case "open":
                opened.append((char, at))
                counts[char] += 1
            case "close" if kinds:
                kind = ""
                while not kind or kind not in kinds:
                    kind, start = opened.pop()
                    counts[kind] -= 1
                closed.append(Quotation(start, at + 1, start + 1, at))
            case "close" if any(kind in carried for kinds in closes for kind in kinds):
                closed.append(Quotation(begin, at + 1, begin, at))
    return closed, [at for kind, at in opened if kind in _UNCLOSED]


def _around(text: str, at: int, begin: int, end: int) -> _Neighbours:
    """Return the characters around a quotation mark, apart from emphasis."""
    before, after = at - 1, at + 1
    while before >= begin and text[before] in "*_":
        before -= 1
    while after < end and text[after] in "*_":
        after += 1
    return _Neighbours(text[before] if before >= begin else " ", text[after] if after < end else " ")


def _role(char: str, around: _Neighbours, kinds: str, text: str, at: int, end: int) -> str:
    """Decide whether a mark opens a quotation, closes one of the `kinds` that are open, or is something else."""
    if char == '"':
        return _straight_role(around, kinds, text, at, end)
    if char in _SINGLE:
        return _single_role(char, around, kinds, text, at, end)
    if char in "„「『":
        return "open"
    if char in "“«‹":
        return "close" if kinds and (around.closes or not around.opens) else "open"
    # Two marks of one shape: only its place says whether the second one closes.
    if char in kinds:
        return "open" if around.opens and not around.closes else "close"
    return "close" if kinds or not around.opens or char in "」』" else "open"


def _straight_role(around: _Neighbours, kinds: str, text: str, at: int, end: int) -> str:
    opens, closes = around.opens, around.closes
    is_number = around.before.isdigit()
    if _HEBREW.fullmatch("".join(around)):
        return ""
    if '"' in kinds:
        if opens and not closes and around.after not in _STOPS | set("[【"):
            return "open"
        later = text.find('"', at + 1, end) if is_number else -1
        # 6" inside of a quotation: the next mark closes it.
        is_inch = later > 0 and not text[later - 1].isspace()
        return "" if is_inch else "close"
    if is_number:
        return ""
    return "close" if closes and not opens else "open"


def _single_role(char: str, around: _Neighbours, kinds: str, text: str, at: int, end: int) -> str:
    """Tell quotation marks from apostrophes."""
    before, after = around
    if kinds and not before.isspace() and not after.isalnum() and char != "‚":
        # The dogs' bowl: an apostrophe, if a later mark can close the quotation.
        is_possessive = before in "sS" and after == " " and _LATER_CLOSING.match(text, at + 1, end)
        return "" if is_possessive else "close"
    if char == "’" or not around.opens:
        return ""
    is_apostrophe = char == "'" and (after in _STOPS or _ELISION.match(text, at + 1, end))
    return "" if is_apostrophe else "open"


def citation_marks(plain: str, quoted: Collection[int]) -> list[CitationMark]:
    """Return the marks of an answer without code, in order. `quoted` is where its quotations end.

    `[1]`, `[1, 2]`, `[1; 2]`, `[1-3]`, `[^1]`, `【1】` and `[Passage 1]` are marks; `(1)` is one after a quotation.
    """
    marks = []
    for found in _CITATION.finditer(plain):
        before = found.start() - plain.startswith(" ", found.start() - 1)
        if found["round"] and before not in quoted:
            continue
        marks.append(CitationMark(*found.span(), _numbers(found["square"] or found["named"] or found["round"])))
    return marks


def _numbers(written: str) -> tuple[int, ...]:
    numbers: list[int] = []
    is_range = False
    for part in _NUMBER_OR_TO.findall(written):
        if part.isdecimal():
            number = int(part)
            numbers += range(numbers[-1] + 1, number + 1) if is_range and numbers[-1] < number else (number,)
        is_range = not part.isdecimal()
    return tuple(dict.fromkeys(numbers))
