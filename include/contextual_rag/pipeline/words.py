"""Text → the words that the keyword index counts, for prose and for source code alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from Stemmer import Stemmer

from contextual_rag.recipe import Recipe

__all__ = ["STOP_WORDS", "tokenise"]

_WORD = re.compile(r"\w+")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b")
# The parts of an identifier: HTTPServer → HTTP, Server; snake_case2 → snake, case, 2.
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana and ideographs.
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
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


def tokenise(text: str, recipe: Recipe) -> list[str]:
    """Return the words of a text as the keyword index counts them: without accents, in lower case, stemmed.

    Depending on the recipe, an identifier counts as a whole and as its parts, and stop words are removed. Where words
    have no spaces between them, each two characters that follow each other count as one.
    """
    plain = text
    if not text.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    words = []
    for word in _WORD.findall(_POSSESSIVE.sub(" ", plain)):
        if not word.isascii() and _SPACELESS.search(word):
            words += [pair for run in _SPACELESS.findall(word) for pair in _pairs(run)]
            words += _SPACELESS.sub(" ", word).split()
            continue
        parts = _PART.findall(word) if recipe.split_identifiers and word.isascii() else []
        if len(parts) > 1:
            words.append(word.replace("_", ""))
            words += parts
        else:
            words.append(word)
    words = [word.casefold() for word in words]
    stop_words = _LISTS[recipe.stop_words]
    words = [word for word in words if word not in stop_words]
    if recipe.stemmer == "none":
        return words
    # A stemmer must not be shared between threads, and a new one costs microseconds.
    stemmed: list[str] = Stemmer(recipe.stemmer).stemWords(words)
    return stemmed


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(max(len(run) - 1, 1))]
