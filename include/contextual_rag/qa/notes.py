"""Finds the marks of notes in a text: lit², lit[2], lit(2), lit†. A quotation may have them or not.

What looks like one may be a figure of the text: x² + 1, 5 miles², argv[1], f(2), [0, 1], A†. Without it, the text would
say something else, so whatever may be a figure is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

__all__ = ["without_note_marks"]

_LIST: Final = r"\d{1,3}(?:\s*[,–-]\s*\d{1,3})*"
_RAISED: Final = r"[¹²³⁴⁵⁶⁷⁸⁹][⁰¹²³⁴⁵⁶⁷⁸⁹]{0,2}+"
_MARK: Final = re.compile(
    rf"(?P<square>\[\^?{_LIST}\]|\[(?:note|nb|n\.|fn)\s?\d{{1,3}}\]|\[citation needed\])"
    rf"|(?P<round>\({_LIST}\)(?!\w))"
    rf"|(?P<raised>(?<![⁰¹²³⁴⁵⁶⁷⁸⁹⁻]){_RAISED}(?:[,⁻–-]{_RAISED})*(?![\w⁺⁻⁼⁽]))"
    r"|(?P<sign>[†‡]{1,3}|(?<=[^\W\d_])[§¶]{1,3}(?!\w)|(?<=[^\W\d_])[ᵃᵇᶜᵈᵉ](?!\w))"
)
_REACH: Final = 80
_MARKS_BEFORE: Final = re.compile(r"(?:\[\d{1,3}\]|[†‡]){1,20}$")
_WORD: Final = re.compile(
    r"(?:(?:(?<!\d)(?P<number>\d+)|(?<![^\W\d_])(?<![^\W\d_]['’-]))(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)"
    r"|(?<!\d)(?P<digits>\d+))\0*$"
)
_WORDS_IN_BRACKETS: Final = re.compile(r"\((?:[^\W\d_]{2,}+|[ ,.'’-])++\)$")
# Beside these, a word is a quantity, and a raised number its power.
_SIGN_BEFORE: Final = re.compile(r"(?:[=≠≤≥≈±×÷·⋅+−√∫∑∝^/]|\s[<>]\s)\s*$")
_SIGN_AFTER: Final = re.compile(r"\s*(?:[=≠≤≥≈±×÷·⋅+−^/]|[<>*]\s|[-–]\s+(?:\d|[^\W\d_]\b))")
_UNIT: Final = re.compile(
    r"(?:kilo|[czs]enti|milli|micro|nano|d[eé][cz]i|he[ck]to)?(?:m[eèé]t[er]?[eor]*s?|met[re]{2}s?|metri)"
    r"|(?:inch|mile|yard|second|hour|acre|league|fathom|rod|light-year)(?:e?s)?|foot|feet|yds?|sec|min|hrs?",
    re.IGNORECASE,
)
# Before a raised number, or a number in brackets, they are functions; the others have numbered parts or places.
_FUNCTIONS: Final = frozenset(
    str.split("sin cos tan sec csc cot sinh cosh tanh log ln lg exp max min var cov std det lim sqrt abs gcd mod")
)
_QUANTITIES: Final = frozenset(
    str.split("alpha beta gamma delta epsilon eta theta kappa lambda mu nu rho sigma tau phi chi psi omega pi")
    + str.split("two three four five six seven eight nine ten")
)
_CALLED: Final = _FUNCTIONS | frozenset(
    str.split("exit print len int str range round floor ceil pow rand seed head tail sleep list dict set sum chr ord")
)
_NUMBERED: Final = frozenset(
    str.split(
        "section sections sect article articles art rule rules paragraph paragraphs para clause schedule figure fig "
        "table equation eq chapter item step page verse act form type class phase stage version level grade"
    )
)
# Two letters are a variable or a formula, unless they are a word.
_SHORT: Final = frozenset(str.split("it is by so me he do go up on at to of or if no we my us am in an as be"))
_FORMULA: Final = re.compile(r"(?:[A-Z][a-z]?){2,}")
_LEAST: Final = 3


def without_note_marks(text: str, *, of_an_answer: bool = False) -> str:
    """Return a text of the same length with spaces for the marks of notes.

    In an answer, numbers in brackets are one only if they touch a word; the others cite.
    """
    marks = [(mark, _before(text, mark)) for mark in _MARK.finditer(text)]
    # Several marks may be at one place: lit[2][3].
    places = {
        mark.start() - len(word.string) + word.start(): word["word"]
        for mark, word in marks
        if word and (mark["square"] or mark["round"])
    }
    times = Counter(places.values())
    parts, at = [], 0
    for mark, word in marks:
        cites = of_an_answer and word is None and not mark["raised"] and not mark["sign"]
        if not cites and _is_note(text, mark, word, times):
            parts += [text[at : mark.start()], " " * len(mark[0])]
            at = mark.end()
    return "".join([*parts, text[at:]])


def _before(text: str, mark: re.Match[str]) -> re.Match[str] | None:
    """Return the word or number that a mark touches, or the marks before it."""
    before = text[max(mark.start() - _REACH, 0) : mark.start()]
    # As long as it was, so that places in it are places in the text.
    return _WORD.search(_MARKS_BEFORE.sub(lambda marks: "\0" * len(marks[0]), before))


def _is_note(text: str, mark: re.Match[str], found: re.Match[str] | None, times: Counter[str | None]) -> bool:
    before = text[max(mark.start() - _REACH, 0) : mark.start()]
    if mark["square"] or mark["round"]:
        return _is_note_in_brackets(mark, found, before, times)
    if found is None:
        return not before.endswith((")", "]")) or bool(_WORDS_IN_BRACKETS.search(before))
    if found["word"] is None or found["number"]:
        return False
    word = re.split("['’-]", re.sub("['’]s$", "", found["word"]))[-1]
    if mark["sign"]:
        return len(word) > 1
    return _can_have_note(word) and not (
        _SIGN_BEFORE.search(before[: found.start()]) or _SIGN_AFTER.match(text, mark.end(), mark.end() + _REACH)
    )


def _is_note_in_brackets(
    mark: re.Match[str], found: re.Match[str] | None, before: str, times: Counter[str | None]
) -> bool:
    if re.search(r"(?<!\d)0", mark[0]):
        return False
    if found is None:
        return bool(mark["square"]) or before.endswith((".", "!", "?", '"', "”", ","))
    if found["digits"] or found["number"]:
        return bool(mark["square"]) and found["word"] in {None, "s"}
    word = found["word"]
    is_called = mark["round"] and word.lower() in _CALLED | _NUMBERED
    return times[word] == 1 and len(word) > 1 and not is_called


def _can_have_note(word: str) -> bool:
    """Whether a raised number after a word is hardly its power."""
    if unicodedata.category(word[-1]) == "Lo":
        return len(word) > 1 and not word.endswith("米")
    if not word.isalpha() or word.lower() in _FUNCTIONS | _QUANTITIES or _UNIT.fullmatch(word):
        return False
    if _FORMULA.fullmatch(word) and not word.isupper():
        return False
    return len(word) >= _LEAST or word in _SHORT
