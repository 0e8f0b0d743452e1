"""Text → the words that the keyword index counts, for prose in many languages and for source code alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain

from Stemmer import Stemmer

from contextual_rag.languages import ENGLISH
from contextual_rag.pipeline.grammar import folded, grammar, marked
from contextual_rag.recipe import Recipe

__all__ = ["STOP_WORDS", "tokenise", "tokenise_question"]

_WORD = re.compile(r"\w+")
# Python counts the vowel signs of Indian scripts as no part of a word.
_ANY_WORD = re.compile(r"(?:\w|[\u0900-\u0963\u0966-\u0dff])+")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b")
# The parts of an identifier: HTTPServer → HTTP, Server; snake_case2 → snake, case, 2.
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana and ideographs. Korean has spaces, but other
# words stand glued to a word.
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_OR_KOREAN = re.compile(f"{_SPACELESS.pattern[:-2]}\uac00-\ud7a3]+")
# Words without content. They are rare in source code, so without this list a question would match by its "does" and
# "what".
STOP_WORDS = frozenset({
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at",
    "be", "because", "been", "before", "being", "but", "by", "can", "could", "did", "do", "does",
    "doing", "for", "from", "had", "has", "have", "having", "he", "her", "here", "hers", "him",
    "his", "how", "i", "if", "in", "into", "is", "it", "its", "itself", "just", "me",
    "more", "most", "my", "no", "nor", "not", "of", "off", "on", "once", "only", "or",
    "other", "our", "out", "over", "own", "same", "she", "should", "so", "some", "such",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "through",
    "to", "too", "under", "until", "up", "very", "was", "we", "were", "what", "when", "where",
    "which", "while", "who", "whom", "why", "will", "with", "would", "you", "your",
})  # fmt: skip
# So many words are kept, and none that is longer: a text may be one word.
_KEPT, _LONGEST_KEPT = 100_000, 40
# The lists that a recipe can name; "english" is that of release 0.1.0, by which its versions go on being asked.
_LISTS: Mapping[str, frozenset[str]] = {
    "english": STOP_WORDS | {"purpose"},
    "english-2": STOP_WORDS,
    "none": frozenset(),
}


def tokenise(text: str, recipe: Recipe, language: str = ENGLISH) -> list[str]:
    """Return the words of a text as the keyword index counts them: without accents, in lower case, stemmed.

    Depending on the recipe, an identifier counts as a whole and as its parts, and the language's small words are
    removed. Where words have no spaces between them, each two characters that follow each other count as one.
    """
    if language != ENGLISH:
        return _in_other_language(text, recipe, language)
    plain = text
    if not text.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    known = _counted(recipe.split_identifiers, recipe.stop_words, recipe.stemmer)
    if "'s" in plain or "’s" in plain:
        plain = _POSSESSIVE.sub(" ", plain)
    return list(chain.from_iterable(map(known.__getitem__, _WORD.findall(plain))))


def tokenise_question(
    question: str, recipe: Recipe, language: str, among: Sequence[str], known: Callable[[str], bool]
) -> list[str]:
    """Return the words of a question about texts in these languages, one for each of its own.

    Small words of the question's language are left out. What is left is stemmed as the texts of its language are; a
    word that is not known this way is stemmed by another language that knows it, since names are alike in all.
    """
    if list(among) == [language]:
        return tokenise(question, recipe, language)
    words: list[str] = []
    ordered = sorted(among, key=lambda one: one != language)
    for piece in question.split():
        if own := tokenise(piece, recipe, language):
            ways = (own if one == language else tokenise(piece, recipe, one) for one in ordered)
            first = next(ways)
            words += next((way for way in chain([first], ways) if any(map(known, way))), first)
    return words


def _in_other_language(text: str, recipe: Recipe, language: str) -> list[str]:
    own, plain = grammar(language), marked(text)
    if own.between and recipe.stop_words != "none":
        plain = own.between.sub(" ", plain)
    spaceless = _OR_KOREAN if language == "ko" else _SPACELESS
    parts = (_parts(word, spaceless, split=recipe.split_identifiers) for word in _ANY_WORD.findall(plain))
    words = [part.casefold() for part in chain.from_iterable(parts)]
    if recipe.stop_words != "none":
        words = [word for word in words if folded(word) not in own.small]
    if own.stemmer and recipe.stemmer != "none":
        words = Stemmer(own.stemmer).stemWords(words)
    return [folded(word) for word in words]


class _Counted(dict[str, tuple[str, ...]]):
    """What each word of a text counts as. Few words make up most of any text, so it is worked out once for each."""

    def __init__(self, *, split: bool, stop_words: str, stemmer: str) -> None:
        self._split, self._stop_words, self._stemmer = split, _LISTS[stop_words], stemmer

    def __missing__(self, word: str) -> tuple[str, ...]:
        words = [part.casefold() for part in _parts(word, _SPACELESS, split=self._split)]
        words = [part for part in words if part not in self._stop_words]
        if self._stemmer != "none":
            # A stemmer must not be shared between threads, and a new one costs microseconds.
            words = Stemmer(self._stemmer).stemWords(words)
        if len(word) <= _LONGEST_KEPT:
            if len(self) >= _KEPT:
                self.clear()
            self[word] = tuple(words)
        return tuple(words)


@cache
def _counted(split: bool, stop_words: str, stemmer: str) -> _Counted:
    return _Counted(split=split, stop_words=stop_words, stemmer=stemmer)


def _parts(word: str, spaceless: re.Pattern[str], *, split: bool) -> list[str]:
    """Return what a word counts as: the parts of identifiers too, and pairs where there are no spaces."""
    if not word.isascii() and spaceless.search(word):
        pairs = [pair for run in spaceless.findall(word) for pair in _pairs(run)]
        return pairs + spaceless.sub(" ", word).split()
    parts = _PART.findall(word) if split and word.isascii() else []
    return [word.replace("_", ""), *parts] if len(parts) > 1 else [word]


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(max(len(run) - 1, 1))]
