"""Which language a text is in, by the codes of ISO 639.

Documents and questions are in English unless they clearly are not, so that source code, tables and names stay what they
were. py3langid decides, which knows some 140 languages by their bytes; here it may choose between those below.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from contextual_rag.noun import noun

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

__all__ = ["ENGLISH", "NAMES", "asked_in", "language_of", "listed", "small_words", "strangeness"]

ENGLISH: Final = "en"
NAMES: Final[Mapping[str, str]] = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "hy": "Armenian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian",
    "lv": "Latvian", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish",
    "ta": "Tamil", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""The languages that are told apart, and what they are called in English."""
_ALSO: Final = {"nn": "no"}
# The lists of bm25s, and words that they lack: those that ask above all.
_LISTS: Final = {
    "da": "DANISH", "de": "GERMAN", "es": "SPANISH", "fr": "FRENCH", "it": "ITALIAN", "nl": "DUTCH", "no": "NORWEGIAN",
    "pt": "PORTUGUESE", "ru": "RUSSIAN", "sv": "SWEDISH", "tr": "TURKISH",
}  # fmt: skip
_FURTHER: Final = {
    "ar": "ما ماذا متى من ممن أين كيف كم لماذا لم هل أي أية بماذا عن عما في على إلى مع هذا هذه ذلك تلك التي الذي كان "
    "كانت هو هي هم أن إن قد لا لن ثم أو و كل بعد قبل عند حين منذ حتى بين لدى كما"
    " به له لها فيه فيها منه منها عليه عليها",
    "cs": "a i o u v ve na se si je jsou byl byla bylo byly že to ten ta co kdo kdy kde jak proč kolik který která "
    "které do od po pro za s z k",
    "da": "hvem hvad hvornår hvor hvordan hvorfor hvilken hvilket hvilke mange",
    "de": "wann wer wem wen wessen wie warum wieso weshalb woher wohin wodurch womit woran wofür wovon welchen welchem "
    "wieviel wieviele viele wurde wurden seit bis ab beim mehr gibt gab wegen",
    "es": "quién quiénes cuándo dónde cómo cuánto cuánta cuántos cuántas cuál cuáles "
    "más menos cada hacer hace hizo ser sido puede pueden",
    "fr": "quand où comment pourquoi combien quel quelle quels quelles lequel laquelle quoi a ont cette cet "
    "fait faire faut tout tous toute toutes très sans sous entre avant après depuis contre plus moins aussi bien si "
    "comme donc car chez dont cela ça ceux celle celui ici là peut alors encore toujours jamais",
    "he": "מה מי מתי איפה היכן איך כיצד כמה למה מדוע האם של על את עם הוא היא זה זו לא כי גם או אל",
    "it": "quando come perché quali cosa essere fare fa molto ancora poi può",
    "nl": "wanneer waar hoeveel waarom welke welk hoe",
    "pl": "i w we na z ze do od po za o u się jest są był była było były że to ten ta co kto kiedy gdzie jak dlaczego "
    "ile który która które czy nie",
    "pt": "onde porque quais quanto quanta quantos quantas fazer faz pode",
    "ru": "почему сколько где кто какие какую какого каком каким чём откуда куда самый самая самое самые который "
    "которая которое которые нужно нужен нужна нужны",
    "sv": "när varför vilka hur många",
}  # fmt: skip
# A long text is read at its beginning, in its middle and at its end.
_READ: Final = 2000
# Of the words of English prose, 18 % and more are these; of prose in other languages 5 % at most.
_SMALL: Final = frozenset(
    str.split(
        "the of and to is are were what which who whom whose why how when where did does do has have had with from by "
        "for that this it they you he she his can could should would about there"
    )
)
_MANY: Final = 0.12
# Without those that are also small words of Portuguese, Dutch, Danish or Spanish.
_ENGLISH_ALONE: Final = _SMALL - {"do", "is", "of", "had", "has", "have", "he", "to", "by", "for"}
_WORD: Final = re.compile(r"[^\W\d_]+")
_OTHER_SCRIPT: Final = re.compile(r"[^\W\d_\x00-\u024f\u1e00-\u1eff]{2}")
# A document's language must be as probable as this, a question's as that: it is short, and little depends on it.
_SURE, _LIKELY = 0.6, 0.3
# Fewer letters are a name or a number, unless their script tells.
_LETTERS: Final = 40
_FEW: Final = 4


@lru_cache(maxsize=256)
def language_of(text: str) -> str:
    """Return the language of a document; English if that is not clear."""
    if len(text) > 3 * _READ:
        middle = len(text) // 2
        text = "\n".join((text[:_READ], text[middle : middle + _READ], text[-_READ:]))
    words = _WORD.findall(text)
    small = sum(word.lower() in _SMALL for word in words)
    if small >= _MANY * len(words) or (text.isascii() and sum(map(len, words)) < _LETTERS):
        return ENGLISH
    best, probable = _most_probable(text)
    return best if probable >= _SURE else ENGLISH


@lru_cache(maxsize=256)
def asked_in(question: str, languages: frozenset[str]) -> str:
    """Return the language of a question about essays in these languages: one of them, unless it seems another.

    Words of English that few other languages have show that it is in English. A few words in Latin letters, as in a
    search box, may be names: then it is none but these languages.
    """
    words = _WORD.findall(question)
    if not _ENGLISH_ALONE.isdisjoint(map(str.lower, words)):
        return ENGLISH
    is_short = len(words) < _FEW and not _OTHER_SCRIPT.search(question)
    if is_short and len(languages) == 1:
        return next(iter(languages))
    best, probable = _most_probable(question)
    if probable >= _LIKELY and not is_short:
        return best
    if len(languages) == 1:
        return next(iter(languages))
    return next(language for language in _ranked(question) if language in languages)


def strangeness(question: str, languages: frozenset[str]) -> str | None:
    """Return what a reader must know whose question is in a language that none of the essays is in; None if one is."""
    language = asked_in(question, languages)
    if language in languages:
        return None
    return (
        f"The question seems to be in {NAMES[language]}; the {noun().many} are in {listed(languages)}. Without a "
        "language model, questions are searched as they stand."
    )


@cache
def small_words(language: str) -> frozenset[str]:
    """Return the words of a language that tell nothing of what a text is about; none where no list is known."""
    from bm25s import stopwords

    known = getattr(stopwords, f"STOPWORDS_{_LISTS[language]}") if language in _LISTS else ()
    return frozenset((*known, *_FURTHER.get(language, "").split()))


def listed(languages: Collection[str]) -> str:
    """Return the names of languages: "English, French and German"."""
    *first, last = sorted(NAMES[language] for language in languages)
    return f"{', '.join(first)} and {last}" if first else last


def _most_probable(text: str) -> tuple[str, float]:
    language, probable = _identifier().classify(text)
    return _ALSO.get(language, language), probable


def _ranked(text: str) -> list[str]:
    """Return the languages, the most probable first."""
    return [_ALSO.get(language, language) for language, _ in _identifier().rank(text)]


@cache
def _identifier() -> LanguageIdentifier:
    # It takes a second or two to load, and English texts do not need it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*NAMES, *_ALSO])
    return identifier
