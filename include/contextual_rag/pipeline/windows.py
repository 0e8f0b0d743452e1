"""Scores a question's words in the windows of a chunk: words close together count more than words far apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from contextual_rag.languages import ENGLISH
from contextual_rag.model import IndexedChunk, Words, contextual_text
from contextual_rag.pipeline.pieces import pieces
from contextual_rag.pipeline.words import tokenise
from contextual_rag.recipe import Recipe

__all__ = ["Window", "best_windows", "counted", "windows", "words_of"]

_WINDOW_CHARACTERS = 300


class Window(NamedTuple):
    """How often each word occurs in a window, and the number of all its words."""

    counts: Mapping[str, int]
    length: int


def windows(text: str, recipe: Recipe, language: str = ENGLISH) -> list[Window]:
    """Return the windows of a text: up to 300 characters each, whole sentences if they fit."""
    return [Window(Counter(words), len(words)) for words in counted("", text, recipe, language)[1]]


def counted(context: str, text: str, recipe: Recipe, language: str = ENGLISH) -> tuple[list[str], list[list[str]]]:
    """Return the words that a chunk is found by, and those of each window of its text."""
    cut = list(pieces(text, _WINDOW_CHARACTERS))
    in_windows = [tokenise(window, recipe, language) for _, window in cut]
    # No word goes on across white space. Without it, as within a long word, the whole has other words than its windows.
    if all(at + len(window) < after for (at, window), (after, _) in pairwise(cut)):
        return tokenise(context, recipe, language) + list(chain.from_iterable(in_windows)), in_windows
    return tokenise(contextual_text(context, text), recipe, language), in_windows


def words_of(rows: Iterable[IndexedChunk], recipe: Recipe) -> Words:
    """Return the words of chunks for a store that searches by them."""
    of_each = [counted(row.context, row.text, recipe, row.language)[0] for row in rows]
    return Words(of_each, recipe.bm25_k1, recipe.bm25_b)


def best_windows(
    words: Sequence[str], texts: Sequence[Sequence[Window]], rarity: Mapping[str, float], recipe: Recipe
) -> list[float]:
    """Return for each text, given by its windows, the BM25 score of its best window.

    `words` are the question's, tokenised by the same recipe; `rarity` is their inverse document frequency. Contexts are
    ignored: of two chunks with the same context, the one that contains the words itself comes first.
    """
    lengths = [window.length for windows in texts for window in windows]
    average = sum(lengths) / len(lengths) if lengths else 0.0

    def score(window: Window) -> float:
        counts, length = window
        found = [word for word in words if word in counts]
        if not found:
            return 0.0
        norm = recipe.bm25_k1 * (1 - recipe.bm25_b + recipe.bm25_b * length / (average or 1.0))
        return sum(rarity.get(word, 0.0) * counts[word] / (counts[word] + norm) for word in found)

    return [max(map(score, windows), default=0.0) for windows in texts]
