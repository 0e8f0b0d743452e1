"""Text → the words that the keyword index counts, for prose in many languages and for source code alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

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
    stop_words = _LISTS[recipe.stop_words]
    words = [word for word in _cut(_POSSESSIVE.sub(" ", plain), _WORD, _SPACELESS, recipe) if word not in stop_words]
    return words if recipe.stemmer == "none" else _stemmed(words, recipe.stemmer)


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
    for piece in question.split():
        if tokenise(piece, recipe, language):
            ways = [tokenise(piece, recipe, one) for one in sorted(among, key=lambda one: one != language)]
            words += next((way for way in ways if any(map(known, way))), ways[0])
    return words


def _in_other_language(text: str, recipe: Recipe, language: str) -> list[str]:
    own, plain = grammar(language), marked(text)
    if own.between and recipe.stop_words != "none":
        plain = own.between.sub(" ", plain)
    words = _cut(plain, _ANY_WORD, _OR_KOREAN if language == "ko" else _SPACELESS, recipe)
    if recipe.stop_words != "none":
        words = [word for word in words if folded(word) not in own.small]
    if own.stemmer and recipe.stemmer != "none":
        words = _stemmed(words, own.stemmer)
    return [folded(word) for word in words]


def _cut(text: str, pattern: re.Pattern[str], spaceless: re.Pattern[str], recipe: Recipe) -> list[str]:
    """Return the words of a text in lower case, with the parts of identifiers and of what has no spaces."""
    words = []
    for word in pattern.findall(text):
        if not word.isascii() and spaceless.search(word):
            words += [pair for run in spaceless.findall(word) for pair in _pairs(run)]
            words += spaceless.sub(" ", word).split()
            continue
        parts = _PART.findall(word) if recipe.split_identifiers and word.isascii() else []
        if len(parts) > 1:
            words.append(word.replace("_", ""))
            words += parts
        else:
            words.append(word)
    return [word.casefold() for word in words]


def _stemmed(words: list[str], stemmer: str) -> list[str]:
    # A stemmer must not be shared between threads, and a new one costs microseconds.
    stemmed: list[str] = Stemmer(stemmer).stemWords(words)
    return stemmed


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(max(len(run) - 1, 1))]
