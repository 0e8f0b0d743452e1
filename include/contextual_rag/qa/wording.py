"""Finds the words of a quotation in a text: whole words only, in the text's own order.

Text is cut into tokens, and each different token gets a character of its own. So a search for a string compares whole
words, in linear time, and cannot begin or end inside of one. What writers and printers change in a quotation makes no
difference: letter case, white space, ligatures, soft hyphens, emphasis, and the shapes of quotes, dashes and ellipses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from html import unescape
from typing import Final

from contextual_rag.languages import ENGLISH
from contextual_rag.qa.denials import is_under_denial
from contextual_rag.qa.notes import without_note_marks
from contextual_rag.qa.tokens import NEARLY, Token, denies, is_single_mark, tokens, without_quotes

__all__ = ["Vocabulary", "Wording"]

# What Markdown, HTML and editors write into a quotation: [t]he, escapes, verse ends, [sic], [the author], un**able**.
_CHANGED_LETTER: Final = re.compile(r"(?<!\w)\[(\w)\](?=\w)")
_TIGHT_HYPHEN: Final = re.compile(r"(?<=[^\W\d])-(?=[^\W\d])")
_ENTITY: Final = re.compile(r"&(?:\#\w{1,6}|[A-Za-z]{2,8});")
_ESCAPED: Final = re.compile(r"\\(?=[!-/:-@\[-`{-~]|$)")
_EDITED: Final = re.compile(
    r"(?<=\s)/\s| ?\[sic!?\]| \[(?:the|an?|his|her|its|their|[A-Z])\b[^\]\d]{0,40}\]"
    r"|</?(?:em|strong|b|i|u|mark|ins|span|small|a)(?: (?:class|lang|href)=\"[^\"<>]{0,200}\")*>"
    r"|<sup>(?=[^\W\d])|</sup>|(?<=[^\W\d])\*+(?=[^\W\d])"
)
_BREAK: Final = re.compile(r"<br ?/?>|\\\n")
_LINK: Final = re.compile(r"(?<![!\w])\[([^\[\]\n]{1,200})\]\((?:https?:/|mailto:|/|\#)[^()\s]{1,300}\)")
_HIGHLIGHT: Final = re.compile(r"(?<![\w=])==(\w[^=\n]{0,200})==(?![\w=])")
_INITIALS: Final = re.compile(r"(?<=\b[A-Z]\.)(?P<space> ?)(?=[A-Z]\.)")
_SMALL_DIGITS: Final = re.compile(r"<su(?:b>(?P<sub>\d{1,3})</sub|p>(?P<sup>\d{1,3})</sup)>")
_LOWERED: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
# What the answer may add at the ends of a quotation.
_ADDED: Final = frozenset((".", ",", ";", ":", "…", "'", "-"))
_LEAST_PART: Final = 2
_NEAR: Final = 3
# A denial in a clause or between commas denies no more than that; after these signs and words, something else begins.
_CLAUSES: Final = frozenset(str.split("that which who whom whose where when while because if though"))
_OPENING: Final = frozenset((",", "-", "("))
_CLOSING: Final = frozenset((",", "-", ")"))
_ENDS: Final = frozenset((".", ";", ":", "!", "?", "but"))
_JOINED: Final = frozenset(("and", "or", "so", "yet"))


class Vocabulary(dict[str, str]):
    """Gives each different token a character of its own."""

    def __missing__(self, plain: str) -> str:
        """Return the character of a new token."""
        self[plain] = letter = chr(len(self))
        return letter

    def spelled(self, sequence: Sequence[Token]) -> str:
        """Return tokens as a string of their characters."""
        return "".join([self[token.sense] for token in sequence])


class Wording:
    """A text in which quotations are looked up. Texts that share a vocabulary can share the work on a quotation."""

    def __init__(self, text: str, vocabulary: Vocabulary | None = None, language: str = ENGLISH) -> None:
        self._text = text
        self._language = language
        self._vocabulary = Vocabulary() if vocabulary is None else vocabulary
        self._spelled = self._spell(text)
        unnoted = without_note_marks(text)
        self._unnoted = self._spell(unnoted) if unnoted != text else ("", [])

    @cached_property
    def _unquoted(self) -> tuple[str, list[Token]]:
        return self._spell(without_quotes(without_note_marks(self._text)))

    def _spell(self, text: str) -> tuple[str, list[Token]]:
        found = tokens(text, self._language)
        return self._vocabulary.spelled(found), found

    def find(self, quotation: str, *, is_denied: bool = False, as_marked: bool = False) -> tuple[int, int] | None:
        """Return the span of the text that a quotation repeats, or None.

        The quotation may leave out the text's note marks, and leave out words where it has an ellipsis; each part then
        has two words or more, and the parts stand in the text's order. Punctuation at its ends may be the answer's.
        Quotation marks inside of it may be the answer's, or the text's alone: words are compared. It begins under a
        denial of the text only if the answer denies it, too. If `as_marked`, the text has its marks.
        """
        quotation = _SMALL_DIGITS.sub(_as_characters, _CHANGED_LETTER.sub(r"\1", quotation))
        shown = _LINK.sub(r"\1", _HIGHLIGHT.sub(r"\1", _BREAK.sub(" ", quotation)))
        shown = _EDITED.sub(_without_additions, _ENTITY.sub(lambda one: unescape(one[0]), _ESCAPED.sub("", shown)))
        variants = [quotation, shown, _TIGHT_HYPHEN.sub(" - ", shown), _INITIALS.sub(_apart_or_joined, shown)]
        if not as_marked:
            variants.append(without_note_marks(shown, of_an_answer=True))
        unquoted = dict.fromkeys(map(without_quotes, variants))
        for variant in dict.fromkeys(variants + list(unquoted)):
            whole = tokens(variant, self._language)
            for sequence in (
                whole,
                stripped := _stripped(whole),
                [one.continuing for one in stripped[:1]] + stripped[1:],
            ):
                if sequence and (is_denied or not sequence[0].sense.startswith(" ")):
                    for letters, there in (self._spelled, self._unquoted if variant in unquoted else self._unnoted):
                        span = self._span(sequence, letters, there, is_denied=is_denied)
                        if span and self._same_units(variant, sequence, there, span):
                            return span
        return None

    def _same_units(
        self, quotation: str, sequence: Sequence[Token], there: Sequence[Token], span: tuple[int, int]
    ) -> bool:
        """Whether no foot became an inch: marks after numbers, in a quotation without others."""
        mine = _units(quotation, sequence)
        if not mine:
            return True
        other = _units(self._text, [token for token in there if span[0] <= token.start < span[1]])
        return mine == other or not other or len(mine) != len(other)

    def _span(
        self, sequence: Sequence[Token], letters: str, there: Sequence[Token], *, is_denied: bool
    ) -> tuple[int, int] | None:
        spelled = self._vocabulary.spelled(sequence)
        at = self._first(spelled, letters, there, is_denied=is_denied)
        if at >= 0:
            return there[at].start, there[at + len(spelled) - 1].end
        parts = _parts(sequence)
        if len(parts) == 1 or any(sum(token.is_word for token in part) < _LEAST_PART for part in parts):
            return None
        first, end = -1, 0
        for part in map(self._vocabulary.spelled, parts):
            at = letters.find(part, end) if end else self._first(part, letters, there, is_denied=is_denied)
            if at < 0 or (first >= 0 and self._turned(there[end : at + 2], at - end)):
                return None
            first, end = at if first < 0 else first, at + len(part)
        return there[first].start, there[end - 1].end

    def _turned(self, words: Sequence[Token], at: int) -> bool:
        """Whether leaving out the words before a place turns what stands there into its opposite."""
        return _turns(words[:at]) or is_under_denial(words, at, self._text)

    def _first(self, spelled: str, letters: str, there: Sequence[Token], *, is_denied: bool) -> int:
        """Return where words first stand, and not under a denial unless the answer denies them; -1 if nowhere."""
        at = letters.find(spelled)
        while at >= 0 and not is_denied and is_under_denial(there, at, self._text):
            at = letters.find(spelled, at + len(spelled))
        return at


def _units(text: str, sequence: Sequence[Token]) -> list[bool] | None:
    """Return for each quotation mark whether it is a single one, if all stand after numbers; otherwise None."""
    marks = [token for token in sequence if token.plain == "'"]
    if not all(token.start and text[token.start - 1].isdigit() for token in marks):
        return None
    return [is_single_mark(text[token.start : token.end]) for token in marks]


def _turns(left_out: Sequence[Token]) -> bool:
    """Whether leaving out these words turns what follows in the sentence into its opposite."""
    words = [token.plain for token in left_out]
    is_denied = is_closed = False
    if words and words[-1] in NEARLY:
        return True
    for n in range(len(words) - 1, -1, -1):
        word, before = words[n], words[n - 1] if n else ""
        if word in _ENDS or (word in _JOINED and before == ","):
            break
        is_denied |= denies(word, near=len(words) - n <= _NEAR)
        is_closed = is_closed or (not is_denied and word in _CLOSING)
        if is_denied and (word in _CLAUSES or (is_closed and before in _OPENING)):
            return False
    return is_denied


def _parts(sequence: Sequence[Token]) -> list[list[Token]]:
    """Return what stands between the ellipses of a quotation."""
    parts: list[list[Token]] = [[]]
    for token in sequence:
        if token.plain == "…":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _without_additions(found: re.Match[str]) -> str:
    return found[0] if any(denies(token.plain) for token in tokens(found[0])) else ""


def _apart_or_joined(found: re.Match[str]) -> str:
    return "" if found["space"] else " "


def _as_characters(found: re.Match[str]) -> str:
    return found["sub"].translate(_LOWERED) if found["sub"] else found["sup"].translate(_RAISED)


def _stripped(sequence: list[Token]) -> list[Token]:
    first, last = 0, len(sequence)
    while first < last and sequence[first].plain in _ADDED:
        first += 1
    while first < last and sequence[last - 1].plain in _ADDED:
        last -= 1
    return sequence[first:last]
