"""Whether passages answer a question: by evidence, compared with what unrelated questions find in this version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log1p
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from contextual_rag.languages import asked_in
from contextual_rag.ports import EmbeddingModel, Index, VectorStore
from contextual_rag.qa.retrieve import Hit

__all__ = ["Evidence", "Scale", "known_words", "names_known", "scale"]

# What each part of the evidence counts beside the nearest sentence's cosine, and how much a version's background raises
# what is needed. They were fitted to 485 questions that collections of 17 to 117 documents answer, and 107 that they do
# not. What is needed is the most at which 95 % of the sample site's questions still get an answer.
_PASSAGE, _MATCHED = 1.4, 0.45
_LEAST, _BY_BACKGROUND = 1.03, 1.5
# A name that the version does not have at all.
_STRANGE: Final = 0.5
# In other languages than English, the offline model's cosines say hardly anything: related or not, sentences of one
# language are near each other. So this share of the words must stand near each other in an essay of that language.
# It was chosen on 36 questions of six languages that small collections answer, and 18 that they do not.
_IN_OTHER_WORDS: Final = 0.2
# With one or two words, as in a search box, a reader wants whatever has them.
_SEARCHED: Final = 1.0
# Texts that have nothing to do with each other: their mean cosine is the embedding model's zero.
_UNRELATED: Final = (
    "The recipe needs two eggs and a little salt.",
    "Parliament passed the law in the spring of that year.",
    "My sister learned to play the violin.",
    "The river freezes over every winter.",
)
# Questions that few collections answer. Most of them find in the rest what is near nothing in particular: the more
# passages a version has, and the more it treats, the nearer.
_UNASKED: Final = (
    "How do volcanoes erupt?",
    "What do pandas eat?",
    "How is cheese made?",
    "Who discovered penicillin?",
    "How does a steam engine work?",
    "What is the capital of Peru?",
    "How do I remove a tick?",
    "When did the Roman Empire fall?",
    "What causes thunder?",
    "How do you knit a scarf?",
    "Which planets have rings?",
    "What are the symptoms of diabetes?",
)


# A word with a capital that is not the question's first, or a word in another script.
_NO_WORD: Final = ""
_NAMES: Final = re.compile(
    r"(?<=\w )[A-ZÀ-ÖØ-Þ][\w’'-]+|(?<![A-Za-z])[A-Za-z]++(?=[^\x00-\u02ff])|"
    r"[^\W\d_\x00-\u02ff]+|(?<=[^\x00-\u02ff] )[A-Za-z]+"
)


class Evidence(NamedTuple):
    """What speaks for an answer.

    The cosines of the question and the nearest sentence, and of it and the nearest passage; the share of its words, by
    rarity, that stand near each other, and how many words it has; whether it is only a word or two; whether it has a
    name that the version does not have. If it asks for a measure (see `measured`), only quotations that have one count.
    Only words count where the question and essays are in another language than English; `near` is of those essays.
    """

    sentence: float = 0.0
    passage: float = 0.0
    near: float = 0.0
    words: int = 0
    is_short: bool = False
    is_strange: bool = False
    only_words: bool = False


class Scale(NamedTuple):
    """A version's scale: the cosine of unrelated texts, and that of unrelated questions and their best passages."""

    zero: float
    background: float

    def answers(self, found: Evidence) -> bool:
        """Whether there is enough evidence for an answer."""
        if found.only_words:
            return found.near >= _IN_OTHER_WORDS
        cosines = self._scaled(found.sentence) + _PASSAGE * self._scaled(found.passage)
        words = _MATCHED * log1p(found.near * found.words) + _SEARCHED * found.near * found.is_short
        needed = _LEAST + _BY_BACKGROUND * self._scaled(self.background)
        return cosines + words - _STRANGE * found.is_strange >= needed

    def _scaled(self, cosine: float) -> float:
        return (cosine - self.zero) / (1 - self.zero)


_SCALES: WeakKeyDictionary[Index, Scale] = WeakKeyDictionary()


def scale(index: Index, vectors: VectorStore, embedder: EmbeddingModel) -> Scale:
    """Return the scale of an open version; it is measured once, by a dozen searches."""
    if index not in _SCALES:
        unrelated = embedder.embed(_UNRELATED, kind="passage")[0]
        questions = embedder.embed(_UNASKED, kind="query")[0]
        found = [vectors.search(index.collection, one, 1, among=index.rows) for one in questions]
        zero = float((unrelated @ unrelated.T)[np.triu_indices(len(unrelated), 1)].mean())
        _SCALES[index] = Scale(zero, float(np.median([hits[0][1] if hits else 0.0 for hits in found])))
    return _SCALES[index]


def names_known(index: Index, question: str, hits: Sequence[Hit]) -> bool:
    """Whether a passage has all the names of a question in a language that no essay is in, which cosines do not tell.

    In a script without capitals, each word of the question that the version knows counts as a name.
    """
    language = asked_in(question, index.languages)
    if language in index.languages:
        return False
    known = {word for name in _NAMES.findall(question) for word in known_words(index, name, language)}
    return bool(known) and any(known <= set(index.words(hit.chunk.contextual_text, hit.chunk.language)) for hit in hits)


def known_words(index: Index, text: str, language: str) -> list[str]:
    """Return the words of a question, or of a part of one, that stand somewhere in the version."""
    return [word for word in index.asked(text, language) if index.rarity(word) < index.rarity(_NO_WORD)]
