"""Finds the words of a quotation in a text: whole words only, in the text's own order.

Text is cut into tokens, and each different token gets a character of its own. So a search for a string compares whole
words, in linear time, and cannot begin or end inside of one. What writers and printers change in a quotation makes no
difference: letter case, white space, ligatures, soft hyphens, emphasis, and the shapes of quotes, dashes and ellipses.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from typing import Final, NamedTuple

__all__ = ["Token", "Vocabulary", "Wording", "count_words", "tokens"]

# Words without spaces between them cannot be told apart without a dictionary: each character counts as a word. But the
# Chinese negations belong to what follows, like the "un" of "unable", and a run of katakana is one word.
_SPACELESS: Final = frozenset({"CJK", "IDEOGRAPHIC", "HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR"})
_NEGATIONS: Final = frozenset("不没沒未无無非")
_SINGLE_QUOTES: Final = frozenset("'’‘‚‛ʼ′‵´ʹ＇‹›׳")
_DOUBLE_QUOTES: Final = frozenset('"“”„‟″‶«»「」『』｢｣〝〞〟״＂')
_HYPHENS: Final = frozenset("-‐‑−﹣－")
_EN_DASHES: Final = frozenset("–‒")
_DASHES: Final = frozenset("—―⸺⸻﹘")
# Compatibility forms that are only another shape of the same characters. Others have a meaning: 10² is not 102.
_SHAPES: Final = (
    "<compat>",
    "<wide>",
    "<narrow>",
    "<noBreak>",
    "<font>",
    "<initial>",
    "<medial>",
    "<final>",
    "<isolated>",
)
# Marks of notes after a word. A raised number is one after four letters, and otherwise an exponent: m², 10².
_DAGGERS: Final = frozenset("†‡")
_RAISED: Final = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
# After a letter, they are another way to write the same: CO₂. After a digit they have a meaning.
_LOWERED: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_FRACTIONS: Final = frozenset("½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞")
_SYMBOLS: Final = frozenset(".,:/[](){}+#_…^")
# Other shapes of such symbols, signs that change the number after them, what counts hundredths, and money.
_OTHER_SHAPES: Final = {"⁄": "/", "∕": "/", "∶": ":"}
_NUMBER_SIGNS: Final = frozenset("<>≤≥±∓~≈≃≲≳×÷")
_SHARES: Final = frozenset("%‰‱")
_MONEY: Final = frozenset("$€£¥₹")
# They turn the direction of what follows: a reader would see other words than the essay's.
_OVERRIDES: Final = frozenset("\u202d\u202e")
# Between the thousands of a number, such spaces belong to it.
_THOUSANDS: Final = re.compile(r"(?<=\d)[\u00a0\u2007\u2009\u202f](?=\d{3}(?!\d))")
_JOINER: Final = "\u2060"
# Expressions for the classes of characters, as `_class_of` names them, one letter each.
_ATOM: Final = "(?:(?:[LN]|(?<!LLLL)S)m*)+"
_DOTS: Final = r"(?:…+|\.{2,}|\.(?:\ \.){2,})"
_TOKEN: Final = re.compile(
    rf"""
    (?P<gap> [\[(]\ *{_DOTS}\ *[\])] | {_DOTS} )
  | (?P<word>
        (?<![LNm.]) L (?:\.L)+ (?![LNm])
      | (?: (?: (?:G\ *){{1,3}} [-E]?\$? | (?<![LNm]) [-E]\$? )? (?:(?<![LNm.])\.)? (?=N) )?
        {_ATOM} (?: (?:[-'_] | (?<=L)\*\*+(?=L) | (?<=[Nm])[.,:/E^](?=N)) {_ATOM} )*
        (?: [+\#]+ (?![LN]) | (?<=[Nm])\ ?% )?
      | Xm*(?:Xm*)*(?:Cm*)? | Cm* | (?:Km*)+
    )
  | (?P<quote> ['"]+ )
  | (?P<dash> [-DE]+ )
  | (?P<emphasis> (?<=[LNm])[*_]+(?=[LN]) | (?<![^\ ])[*_]+(?![^\ ]) )
  | (?P<other> [^\ m*_S] )
    """,
    re.VERBOSE,
)
_NOTE: Final = re.compile(r"\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
_CHANGED_LETTER: Final = re.compile(r"(?<!\w)\[(\w)\](?=\w)")
_TIGHT_HYPHEN: Final = re.compile(r"(?<=[^\W\d])-(?=[^\W\d])")
# What Markdown, HTML and editors write into a quotation: escapes, verse ends, spaces in numbers, [sic].
_ENTITY: Final = re.compile(r"&(?:\#\d{1,6}|[A-Za-z]{2,8});")
_ESCAPED: Final = re.compile(r"\\(?=[!-/:-@\[-`{-~]|$)")
_GROUPED: Final = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_EDITED: Final = re.compile(r"(?<=\s)/\s| ?\[sic!?\]")
# What the answer may add at the ends of a quotation.
_ADDED: Final = frozenset((".", ",", ";", ":", "…", "'", "-"))
_LEAST_PART: Final = 2
# He was … able to write: an ellipsis leaves out no word that denies what follows in the sentence. Words of the second
# kind deny it only from nearby: he had no money at all and kept the light.
_DENIALS: Final = frozenset(
    str.split(
        "not never nor neither hardly barely scarcely rarely seldom cannot unable fail fails failed "
        "refuse refuses refused nicht nie ne pas jamais non nunca не"
    )
)
_NEAR_DENIALS: Final = frozenset(str.split("no none nobody nothing nowhere without kein keine keinen"))
_NEAR: Final = 3
_DENIAL_ENDING: Final = "n't"
# A denial in a clause or between commas denies no more than that; after these signs and words, something else begins.
_CLAUSES: Final = frozenset(str.split("that which who whom whose where when while because if though"))
_OPENING: Final = frozenset((",", "-", "("))
_CLOSING: Final = frozenset((",", "-", ")"))
_ENDS: Final = frozenset((".", ";", ":", "!", "?", "but"))
_JOINED: Final = frozenset(("and", "or", "so", "yet"))


class Token(NamedTuple):
    """A word or a sign in its plain form, and where it stands in the text."""

    plain: str
    start: int
    end: int
    is_word: bool


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text; white space and emphasis are none."""
    found = []
    for match in _TOKEN.finditer(_THOUSANDS.sub(_JOINER, text).translate(_CLASSES)):
        start, end = match.span()
        kind = match.lastgroup
        plain = {"gap": "…", "quote": "'", "dash": "-"}.get(kind or "") or _plain(text[start:end])
        found.append(Token(plain, start, end, kind == "word"))
    return found


def count_words(text: str) -> int:
    """Return the number of words in a text."""
    return sum(token.is_word for token in tokens(text))


class Vocabulary(dict[str, str]):
    """Gives each different token a character of its own."""

    def __missing__(self, plain: str) -> str:
        """Return the character of a new token."""
        self[plain] = letter = chr(len(self))
        return letter

    def spelled(self, sequence: Sequence[Token]) -> str:
        """Return tokens as a string of their characters."""
        return "".join([self[token.plain] for token in sequence])


class Wording:
    """A text in which quotations are looked up. Texts that share a vocabulary can share the work on a quotation."""

    def __init__(self, text: str, vocabulary: Vocabulary | None = None) -> None:
        self._text = text
        self._vocabulary = Vocabulary() if vocabulary is None else vocabulary
        self._tokens = tokens(text)
        self._letters = self._vocabulary.spelled(self._tokens)
        noted = _noted(text)
        self._unnoted = [token for token in self._tokens if token.start not in noted] if noted else []
        self._unnoted_letters = self._vocabulary.spelled(self._unnoted)

    def find(self, quotation: str) -> tuple[int, int] | None:
        """Return the span of the text that a quotation repeats, or None.

        The quotation may leave out the text's note marks, and leave out words where it has an ellipsis; each part then
        has two words or more, and the parts stand in the text's order. Punctuation at its ends may be the answer's.
        """
        quotation = _CHANGED_LETTER.sub(r"\1", quotation)
        shown = _GROUPED.sub(
            "", _EDITED.sub("", _ENTITY.sub(lambda found: unescape(found[0]), _ESCAPED.sub("", quotation)))
        )
        for variant in dict.fromkeys((quotation, shown, _TIGHT_HYPHEN.sub(" - ", shown))):
            whole = tokens(variant)
            for sequence in (whole, _stripped(whole)):
                if sequence:
                    for letters, there in ((self._letters, self._tokens), (self._unnoted_letters, self._unnoted)):
                        span = self._span(sequence, letters, there)
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

    def _span(self, sequence: Sequence[Token], letters: str, there: Sequence[Token]) -> tuple[int, int] | None:
        spelled = self._vocabulary.spelled(sequence)
        at = letters.find(spelled)
        if at >= 0:
            return there[at].start, there[at + len(spelled) - 1].end
        parts = _parts(sequence)
        if len(parts) == 1 or any(sum(token.is_word for token in part) < _LEAST_PART for part in parts):
            return None
        first, end = -1, 0
        for part in map(self._vocabulary.spelled, parts):
            at = letters.find(part, end)
            if at < 0 or (first >= 0 and _turns(there[end:at])):
                return None
            first, end = at if first < 0 else first, at + len(part)
        return there[first].start, there[end - 1].end


def _units(text: str, sequence: Sequence[Token]) -> list[bool] | None:
    """Return for each quotation mark whether it is a single one, if all stand after numbers; otherwise None."""
    marks = [token for token in sequence if token.plain == "'"]
    if not all(token.start and text[token.start - 1].isdigit() for token in marks):
        return None
    return [token.end - token.start == 1 and text[token.start] in _SINGLE_QUOTES for token in marks]


def _turns(left_out: Sequence[Token]) -> bool:
    """Whether leaving out these words turns what follows in the sentence into its opposite."""
    words = [token.plain for token in left_out]
    is_denied = is_closed = False
    for n in range(len(words) - 1, -1, -1):
        word, before = words[n], words[n - 1] if n else ""
        if word in _ENDS or (word in _JOINED and before == ","):
            break
        near = len(words) - n <= _NEAR
        if word in _DENIALS or word.endswith(_DENIAL_ENDING) or (near and word in _NEAR_DENIALS):
            is_denied = True
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


def _stripped(sequence: Sequence[Token]) -> Sequence[Token]:
    first, last = 0, len(sequence)
    while first < last and sequence[first].plain in _ADDED:
        first += 1
    while first < last and sequence[last - 1].plain in _ADDED:
        last -= 1
    return sequence[first:last]


def _noted(text: str) -> frozenset[int]:
    """Return the positions in a text that belong to marks of notes. `[0, 1]` is an interval, and `argv[1]` code."""
    marks = [
        (mark, re.search(r"\w*$", text[max(mark.start() - 64, 0) : mark.start()])) for mark in _NOTE.finditer(text)
    ]
    words = [(mark, word[0] if word else "") for mark, word in marks]
    times = Counter(word for _, word in words)
    notes = [
        mark
        for mark, word in words
        if "0" not in re.findall(r"\d+", mark[0])
        and (not word or (times[word] == 1 and len(word) > 1 and word.isalpha()))
    ]
    return frozenset(at for mark in notes for at in range(*mark.span()))


class _Classes(dict[int, str]):
    """The class of each character, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _class_of(chr(code))
        return found


_MEMBERS: Final = {
    "'": _SINGLE_QUOTES,
    '"': _DOUBLE_QUOTES,
    "-": _HYPHENS,
    "E": _EN_DASHES,
    "D": _DASHES,
    "*": "*`",
    "G": _NUMBER_SIGNS,
    "%": _SHARES,
    "$": _MONEY,
    "p": _OVERRIDES,
    "m": _DAGGERS,
    "S": _RAISED,
}
_CLASSES: Final = _Classes(
    {ord(char): name for name, members in _MEMBERS.items() for char in members}
    | {ord(char): char for char in _SYMBOLS}
    | {ord(char): symbol for char, symbol in _OTHER_SHAPES.items()}
)


def _class_of(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":
        return "m"
    if char.isspace() or category[0] == "Z" or category == "Cc":
        return " "
    if not char.isalnum():
        return "p"
    script = unicodedata.name(char, "").split(" ")
    if "KATAKANA" in unicodedata.name(char, ""):
        return "K"
    if script[0] in _SPACELESS and not char.isdecimal():
        return "X" if char in _NEGATIONS else "C"
    return "N" if char.isnumeric() else "L"


@lru_cache(maxsize=1 << 16)
def _plain(raw: str) -> str:
    """Return the form of a token that is the same however it is written."""
    if raw.isascii():
        return "".join(raw.lower().replace("*", "").split()) or raw
    # ½ alone is 1/2, but 2½ is not 21/2.
    composed = unicodedata.normalize("NFKC" if raw in _FRACTIONS else "NFC", raw)
    plain = "".join(map(_plain_character, composed))
    if plain[:1].isalpha():
        plain = plain.translate(_LOWERED)
    return unicodedata.normalize("NFC", "".join(plain.lower().split())) or raw


@lru_cache(maxsize=1 << 14)
def _plain_character(char: str) -> str:
    if char in _SINGLE_QUOTES:
        return "'"
    if char in _HYPHENS or char in _EN_DASHES:
        return "-"
    if char in _OTHER_SHAPES:
        return _OTHER_SHAPES[char]
    if char in _DAGGERS or unicodedata.category(char) == "Cf" or "VARIATION SELECTOR" in unicodedata.name(char, ""):
        return ""
    shape = unicodedata.decomposition(char).split(" ")[0]
    return unicodedata.normalize("NFKC", char) if shape in _SHAPES else char
