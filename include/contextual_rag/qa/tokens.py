"""Cuts a text into words and signs, in a form that is the same however they are written.

What stands between two spaces is one word, whatever is inside: an address, a path, "and/or", "-$5". It begins and ends
at what can surround a word, and at dashes, ellipses and double quotation marks.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from contextual_rag.languages import ENGLISH

__all__ = ["NEARLY", "Token", "count_words", "denies", "is_single_mark", "tokens", "without_quotes"]

# Words without spaces between them cannot be told apart without a dictionary: each character counts as a word. But a
# negation belongs to what follows or comes before, like the "un" of "unable", and a run of katakana is one word.
_SPACELESS: Final = frozenset({"CJK", "IDEOGRAPHIC", "HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR"})
_NEGATION: Final = re.compile("(?P<X>[不没沒未无無非]|ไม่|ບໍ່|មិន)|(?P<Y>ない|なか|なく|なけ|ませ|[ずぬ])")
_SINGLE_QUOTES: Final = frozenset("'’‘‚‛ʼ′‵´ʹ＇‹›׳")
_DOUBLE_QUOTES: Final = frozenset('"“”„‟″‶«»「」『』｢｣〝〞〟״＂')
_HYPHENS: Final = frozenset("-‐‑−﹣－")
_EN_DASHES: Final = frozenset("–‒")
_DASHES: Final = frozenset("—―⸺⸻﹘")
# Compatibility forms that are only another shape of the same characters. Others have a meaning: 10² is not 102.
_SHAPES: Final = frozenset(str.split("<compat> <wide> <narrow> <noBreak> <font> <initial> <medial> <final> <isolated>"))
# They belong to what they touch: an exponent (m², 10²), the mark of a note (lit²), or a part of a name (A†, C*).
_RAISED: Final = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹†‡")
_STARRED: Final = re.compile(r"(?<![\w*])\*(?=\w)[^*\n]{1,200}\*|(?<![\w*])(?P<letter>[^\W\d_])\*(?![\w*])")
# After a letter, they are another way to write the same: CO₂. After a digit they have a meaning.
_LOWERED: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_OTHER_SHAPES: Final = {"⁄": "/", "∕": "/", "∶": ":", "·": ".", "‧": ".", "٫": ".", "٬": ","}
# Signs that belong to the word or number that they touch, and those that change a number across a space.
_TOUCHING: Final = frozenset("&@#=|\\№§\ufffd")
_NUMBER_SIGNS: Final = frozenset("≤≥≠±∓~≈≃≲≳×÷+¬")
_UNITS: Final = frozenset("%‰‱٪°℃℉")
# They turn the direction of what follows: a reader would see other words than the essay's.
_OVERRIDES: Final = frozenset("\u202d\u202e")
# White space inside of a word: 1 200, and a hyphen at the end of a line.
_SPACED: Final = re.compile(
    r"(?<![\d.,:/])\d{1,3}(?:[ \u00a0\u2007\u2009\u202f]\d{3})+(?!\d)|(?<=[^\W\d][-\u2010])\n(?=[^\W\d])"
)
_BULLET: Final = re.compile(r"^([ \t]*)[*+•‣◦▪·](?=[ \t]+[^\W\d])", re.MULTILINE)
_AUTOLINK: Final = re.compile(r"<([^\s<>@]{1,64}@[^\s<>@]+|https?://[^\s<>]+)>")
# Expressions for the classes of characters, as `_class_of` names them, one letter each. A number also goes on across
# the spaces of "≥ 5", "3 × 5", "50 %", "40 €" and "2 1/2".
_DOTS: Final = r"(?:…+|\.{2,}|\.(?:\ \.){2,})"
_INNER: Final = r"(?:[LNTG%$/^]|(?<=[LNmS)\]-])S)m*"
_TOKEN: Final = re.compile(
    rf"""
    (?P<gap> [\[({{<]\ *{_DOTS}\ *[\])}}<] | {_DOTS} )
  | (?P<word>
        (?: (?:(?:[G<]|!(?=T))T{{0,2}}\ ?){{0,3}} (?:(?<![LNm])[-E])? (?:\$\ ?)? (?:(?<![LNm.])\.)? (?=N)
          | (?<![^\ '"(\[])[.!](?=L) )?
        (?:[TG%$/^]m*)* (?:[LN]|(?<![^\ ])S)m*
        (?: (?: '(?=[LN]) | (?<=[Lm])"(?=L) | (?:(?!--|\.\.)[.:!?()\[\]{{}}<_*-])+ (?:(?<=[(\[])['"])?
              | (?<=[Nm])(?:,(?=N)|E(?=[N$]))
              | (?<=[NSm])\ (?: [-EG*/^<]T?\ (?=[N$]) | (?=%|\$(?!\ ?N)|N{{1,2}}/N{{1,2}}(?![N/])) )
            )? m* {_INNER} )*
      | (?=[XCY])(?:Xm*)*(?:[CY]m*)?(?:Ym*)* | (?:Km*)+
    )
  | (?P<quote> ['"]+ )
  | (?P<sign> [!:-]?(?:[TG%$/^<]m*)+ | (?<![^\ ])[*_]+(?![^\ ]) )
  | (?P<dash> [-DE]+ )
  | (?P<other> [^\ m*_S] )
    """,
    re.VERBOSE,
)
_JOINER: Final = "\u2060"
# All spaces, but not the one of 2 1/2.
_WITHIN_WORD: Final = re.compile(r"\s(?!(?<=\d\s)\d{1,2}/)")
_POWER: Final = re.compile("(?<=[^\\W_])[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PARAGRAPH: Final = re.compile(r"\n\s*\n")
# Words that deny what follows, and words that do so only nearby: he had no money at all and kept the light. A quotation
# does not begin just after them. It may begin after the others: he failed “to light the lamp”.
_NOT: Final = frozenset(
    str.split(
        "not never nor neither hardly barely scarcely rarely seldom cannot nicht nie niemals ne pas jamais non nunca "
        "não niet nooit inte aldrig ikke ikkje aldri nem soha nincs ei eivät emme pole ez nav nėra nije nisu není "
        "nejsou nebyl nebyla nebylo nebyly nigdy tidak bukan jangan không chẳng chưa не ни нет никогда ні немає няма "
        "није нису δεν δε μην όχι לא אין لا لم لن ليس ليست نیست नहीं छैन இல்லை 안 못"
    )
)
# Words that deny in one language, and in others say something else.
_NOT_IN: Final = {
    "ca": frozenset(("mai",)),
    "fi": frozenset(("en", "et")),
    "it": frozenset(("mai",)),
    "ro": frozenset(("nu",)),
    "sl": frozenset(("ni",)),
    "sv": frozenset(("ej",)),
}
_NO: Final = frozenset(str.split("no none nobody nothing nowhere kein keine keinen keiner geen ingen inget"))
# They may also deny what they follow: er traute dem Motor nicht. Some have endings.
_AFTER: Final = frozenset(str.split("not nicht niet inte ikke ikkje pas नहीं छैन இல்லை نیست"))
_AFTER_WITH_ENDINGS: Final = ("değil", "않", "못하", "못했")
_OTHER_DENIALS: Final = frozenset(
    str.split("unable without fail fails failed refuse refuses refused forget forgets forgot decline declines declined")
)
NEARLY: Final = frozenset(("almost", "nearly"))
"""What follows these words was not so: nearly 200 boats."""

# Before these, "little" is no size; and after those, "few" are some.
_VERBS: Final = frozenset(str.split("is was has had can could did does remains remained"))
_SOME: Final = frozenset(
    str.split("a the an these those his her its their our my your first last next past other every some quite")
)
_SCALES: Final = frozenset(str.split("hundred thousand million billion trillion percent per"))


class Token(NamedTuple):
    """A word or a sign in its plain form, and where it stands in the text.

    Its `sense` is what is compared: the plain form, with a space on the side where a word belongs to it.
    """

    plain: str
    start: int
    end: int
    is_word: bool
    sense: str

    @property
    def continuing(self) -> Token:
        """The same word, if the one before belongs to it."""
        return self._replace(sense=f" {self.sense}")


def tokens(text: str, language: str = ENGLISH) -> list[Token]:
    """Return the tokens of a text; white space and emphasis are none, and each bullet of a list is a dash.

    A denial belongs to the word after it, "not" also to the one before, and "5 million" is one number.
    """
    found: list[Token] = []
    further = _NOT_IN.get(language, frozenset())
    joined = _SPACED.sub(lambda word: re.sub(r"\s", _JOINER, word[0]), _AUTOLINK.sub(r" \1 ", text))
    joined = _BULLET.sub(_as_dash, joined)
    joined = _STARRED.sub(lambda found: f"{found['letter']}†" if found["letter"] else found[0], joined)
    joined = _NEGATION.sub(lambda word: _NEGATIONS[word.lastgroup or ""] * len(word[0]), joined)
    for match in _TOKEN.finditer(joined.translate(_CLASSES)):
        start, end = match.span()
        kind = match.lastgroup
        plain = {"gap": "…", "quote": "'", "dash": "-"}.get(kind or "") or _plain(text[start:end])
        token = Token(plain, start, end, kind == "word", plain)
        # A mark beside a denial changes nothing: not “lit by hand”, he “did not” light it; but he said “no” twice.
        is_past_mark = (
            len(found) > 1 and found[-1].plain == "'" and (found[-2].end < found[-1].start or found[-3:][0].is_word)
        )
        before = found[-2] if is_past_mark else found[-1] if found else token
        if kind == "word" and before.is_word and found and not _PARAGRAPH.search(text, before.end, start):
            is_number = plain in _SCALES and before.plain[-1].isdigit()
            is_denied = before.plain in NEARLY or (denies(before.plain) and before.plain not in _OTHER_DENIALS)
            if is_number or is_denied or before.plain in further or _are_few(found, plain):
                token = token.continuing
            if not is_past_mark and (is_number or plain in _AFTER or plain.startswith(_AFTER_WITH_ENDINGS)):
                found[-1] = before._replace(sense=f"{before.sense} ")
        found.append(token)
    return found


def without_quotes(text: str) -> str:
    """Return a text of the same length with spaces for its quotation marks, but not for the sign of feet or inches."""
    marks = [
        token for token in tokens(text) if token.plain == "'" and not text[token.start - 1 : token.start].isdigit()
    ]
    parts, at = [], 0
    for mark in marks:
        parts += [text[at : mark.start], " " * (mark.end - mark.start)]
        at = mark.end
    return "".join([*parts, text[at:]])


def denies(word: str, *, near: bool = True) -> bool:
    """Whether a word in its plain form denies what follows it, nearby or in the same sentence."""
    return word in _NOT or word in _OTHER_DENIALS or word.endswith("n't") or (near and word in _NO)


def _are_few(before: list[Token], word: str) -> bool:
    """Whether what stands before a word says that it is hardly so: few keepers, little was known; not: a few."""
    last = before[-1].plain
    if last == "few":
        return len(before) < 2 or before[-2].plain not in _SOME  # noqa: PLR2004
    return last == "little" and word in _VERBS


def is_single_mark(text: str) -> bool:
    """Whether a text is one single quotation mark, apostrophe or prime."""
    return text in _SINGLE_QUOTES


def count_words(text: str) -> int:
    """Return the number of words in a text."""
    return sum(token.is_word for token in tokens(text))


def _as_dash(bullet: re.Match[str]) -> str:
    return f"{bullet[1]}-"


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
    "T": _TOUCHING,
    "G": _NUMBER_SIGNS,
    "<": "<>",
    "%": _UNITS,
    "p": _OVERRIDES,
    "m": "`\u0640",
    "S": _RAISED,
}
_NEGATIONS: Final = {"X": "\ue000", "Y": "\ue001"}
_CLASSES: Final = _Classes(
    {ord(char): name for name, members in _MEMBERS.items() for char in members}
    | {ord(char): char for char in ".,:!?/[](){}*_…^"}
    | {ord(char): symbol for char, symbol in _OTHER_SHAPES.items()}
    | {ord(char): name for name, char in _NEGATIONS.items()}
)


def _class_of(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":
        return "m"
    if char.isspace() or category[0] == "Z" or category == "Cc":
        return " "
    shape = unicodedata.normalize("NFKC", char)
    if len(shape) == 1 and shape != char:
        return _CLASSES[ord(shape)]
    if not char.isalnum():
        return {"Sc": "$", "Sm": "T"}.get(category, "p")
    name = unicodedata.name(char, "")
    if "KATAKANA" in name:
        return "K"
    is_spaceless = name.split(" ")[0] in _SPACELESS and not char.isdecimal()
    return "C" if is_spaceless else "N" if char.isnumeric() else "L"


@lru_cache(maxsize=1 << 16)
def _plain(raw: str) -> str:
    """Return the form of a token that is the same however it is written."""
    plain = raw.lower()
    if not raw.isascii():
        plain = _POWER.sub(
            lambda power: "^" + unicodedata.normalize("NFKC", power[0]), unicodedata.normalize("NFC", raw)
        )
        plain = "".join(map(_plain_character, plain)).lower()
        plain = unicodedata.normalize("NFC", plain.translate(_LOWERED) if plain[:1].isalpha() else plain)
    return _WITHIN_WORD.sub("", plain.replace("`", "").replace("\u0640", "")).strip() or raw


@lru_cache(maxsize=1 << 14)
def _plain_character(char: str) -> str:
    if char in _SINGLE_QUOTES:
        return "'"
    if char in _HYPHENS or char in _EN_DASHES:
        return "-"
    if char in _OTHER_SHAPES:
        return _OTHER_SHAPES[char]
    if unicodedata.category(char) == "Cf" or "VARIATION SELECTOR" in unicodedata.name(char, ""):
        return ""
    shape = unicodedata.decomposition(char).split(" ")[0]
    if shape == "<fraction>":
        return " " + unicodedata.normalize("NFKC", char).replace("⁄", "/")
    return unicodedata.normalize("NFKC", char) if shape in _SHAPES else char
