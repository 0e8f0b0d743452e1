"""What the keyword index knows of languages other than English: stemmers, small words, what stands between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from contextual_rag.languages import small_words

__all__ = ["Grammar", "folded", "grammar", "marked"]

_STEMMERS: Final[Mapping[str, str]] = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "es": "spanish",
    "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali",
    "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# Where no spaces stand between words, small words are cut out wherever they stand.
_BETWEEN: Final[Mapping[str, re.Pattern[str]]] = {
    "zh": re.compile(
        "为什么|什么|怎么|怎样|如何|多少|哪(?:一?[年个里儿些天位座种])?|几[年个天次位岁]|[谁的了是吗呢吧着]"
    ),
    "ja": re.compile(
        "どのように|どうして|いくつ|なぜ|どこ|いつ|だれ|です|ます|でした|ました|ません|[誰何のはがをにへともか]"
    ),
}
# Marks above this class are accents, vowel points and tones; those below are parts of letters in India and Japan.
_ACCENTS: Final = 9
# Letters that no decomposition makes plain.
_PLAIN: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
_TATWEEL: Final = "\u0640"


class Grammar(NamedTuple):
    """A language's stemmer, None if there is none; its small words, folded; and what cuts a text without spaces."""

    stemmer: str | None
    small: frozenset[str]
    between: re.Pattern[str] | None


@cache
def grammar(language: str) -> Grammar:
    """Return what is known of a language, by its code."""
    small = frozenset(folded(word.casefold()) for word in small_words(language))
    return Grammar(_STEMMERS.get(language), small, _BETWEEN.get(language))


def marked(text: str) -> str:
    """Return a text with the accents that its stemmer needs, in one form, and without the marks that are left out."""
    text = unicodedata.normalize("NFKC", text)
    if text.isascii():
        return text
    kept = (c for c in text if unicodedata.combining(c) <= _ACCENTS and c != _TATWEEL)
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in kept)


def folded(word: str) -> str:
    """Return a word without accents."""
    if word.isascii():
        return word
    plain = unicodedata.normalize("NFKD", word.translate(_PLAIN))
    return "".join(c for c in plain if not unicodedata.combining(c))
