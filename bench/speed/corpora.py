"""Synthetic corpora: words as often as in English prose, always the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contextual_rag.model import IndexedChunk
from contextual_rag.ports import Matrix

__all__ = ["DIMENSION", "questions", "rows", "texts", "vectors"]

DIMENSION = 384
_VOCABULARY = 60_000
# Zipf's exponent of English prose, about.
_EXPONENT = 1.07
# So many of the most frequent words a question has none of: they are stop words.
_STOPPED = 40
_WORDS = 45
_ASKED = 6
_AN_ESSAY = 50
_AT_ONCE = 20_000
_CONSONANTS, _VOWELS = "bcdfgklmnprstvz", "aeiou"
_SYLLABLES = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]


def texts(count: int, seed: int) -> Iterator[str]:
    """Yield the texts of so many chunks, 45 words each on average.

    The smaller of two sizes is how the larger begins.
    """
    chance, words, frequencies = np.random.default_rng(seed), _words(), _frequencies()
    for start in range(0, count, _AT_ONCE):
        lengths = chance.poisson(_WORDS, _AT_ONCE)
        ends = np.cumsum(lengths)
        chosen = words[chance.choice(_VOCABULARY, ends[-1], p=frequencies)].tolist()
        for begin, end in zip(ends - lengths, ends[: count - start], strict=False):
            yield " ".join(chosen[begin:end])


def questions(count: int, seed: int) -> list[str]:
    """Return questions of six words, which are as often asked for as they are written."""
    chance, likely = np.random.default_rng(seed + 1), _frequencies()[_STOPPED:]
    chosen = chance.choice(_VOCABULARY - _STOPPED, (count, _ASKED), p=likely / likely.sum())
    return [" ".join(words) for words in _words()[chosen + _STOPPED].tolist()]


def vectors(count: int, seed: int) -> Matrix:
    """Return so many random directions."""
    matrix = np.random.default_rng(seed + 2).standard_normal((count, DIMENSION), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix


def rows(file: Path) -> Iterator[IndexedChunk]:
    """Yield the lines of a file as the rows of a chunk table, fifty an essay."""
    with file.open(encoding="utf-8") as lines:
        for n, line in enumerate(lines):
            essay = f"essay-{n // _AN_ESSAY}"
            yield IndexedChunk(
                chunk_id=f"{n:032x}",
                slug=essay,
                title=essay,
                url=f"http://essays.example/{essay}.html",
                date=None,
                start=n % _AN_ESSAY,
                end=n % _AN_ESSAY,
                text=line.rstrip("\n"),
                context="",
            )


def _frequencies() -> NDArray[np.float64]:
    weights = np.power(np.arange(1, _VOCABULARY + 1, dtype=np.float64), -_EXPONENT)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _words() -> NDArray[np.object_]:
    """Words of three syllables, all different."""
    size = len(_SYLLABLES)
    spelt = (_SYLLABLES[n % size] + _SYLLABLES[n // size % size] + _SYLLABLES[n // size**2] for n in range(_VOCABULARY))
    return np.array(list(spelt), dtype=object)
