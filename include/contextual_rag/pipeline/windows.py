"""Scores a question's words in the windows of a chunk: words close together count more than words far apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from contextual_rag.pipeline.pieces import pieces
from contextual_rag.pipeline.words import tokenise
from contextual_rag.recipe import Recipe

__all__ = ["best_windows", "windows"]

_WINDOW_CHARACTERS = 300


def windows(text: str, recipe: Recipe) -> list[Counter[str]]:
    """Return the words of each window of a text: up to 300 characters, whole sentences if they fit."""
    return [Counter(tokenise(window, recipe)) for _, window in pieces(text, _WINDOW_CHARACTERS)]


def best_windows(
    words: Sequence[str], texts: Sequence[Sequence[Counter[str]]], rarity: Mapping[str, float], recipe: Recipe
) -> list[float]:
    """Return for each text, given by its windows, the BM25 score of its best window.

    `words` are the question's, tokenised by the same recipe; `rarity` is their inverse document frequency. Contexts are
    ignored: of two chunks with the same context, the one that contains the words itself comes first.
    """
    lengths = [counts.total() for windows in texts for counts in windows]
    average = sum(lengths) / len(lengths) if lengths else 0.0

    def score(counts: Counter[str]) -> float:
        norm = recipe.bm25_k1 * (1 - recipe.bm25_b + recipe.bm25_b * counts.total() / (average or 1.0))
        return sum(rarity.get(word, 0.0) * counts[word] / (counts[word] + norm) for word in words if counts[word])

    return [max(map(score, windows), default=0.0) for windows in texts]
