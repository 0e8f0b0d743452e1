"""Questions made from the essays themselves: known-item search, where somebody looks for a place they have read before.

What they remember of it is a few words, here the rarest ones of a sentence, and only that sentence is the answer. Such
questions cost nobody anything, so that an index has figures even where nobody keeps questions (Azzopardi, de Rijke &
Balog, "Building simulated queries for known-item topics", SIGIR 2007, whose discriminative term selection this is,
without its noise).

Sentences and words are chosen by what they say and not by where they stand, so that a new or edited essay changes as
little as can be of what is asked about the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from operator import itemgetter

from contextual_rag.evaluation.datasets import Question, Reference
from contextual_rag.keys import digest

__all__ = ["FEWEST", "known_items"]

# Figures over fewer say more of chance than of the index.
FEWEST = 20
_MOST = 50
_QUERY_WORDS = 4
# In fewer characters no four words are remarkable; more are cut apart by any chunker.
_CHARACTERS = range(60, 301)
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])[\"”’)\]]*\s+|\n")
_WORD = re.compile(r"[^\W\d_]{4,}")


def known_items(texts: Mapping[str, str], *, most: int = _MOST) -> list[Question]:
    """Return up to `most` questions, each with the sentence that answers it, about essays given by their slugs.

    Every essay has its first question before any has its second. There are none at all where fewer than `FEWEST` can
    be made. The same texts give the same questions, in whatever order they come.
    """
    sentences = {slug: _sentences(text) for slug, text in texts.items()}
    found: list[tuple[str, Reference]] = []
    for turn in zip_longest(*(_answers(slug, sentences[slug], text) for slug, text in texts.items())):
        found += sorted(filter(None, turn), key=itemgetter(0))
        if len(found) >= most:
            break
    if len(found) < FEWEST:
        return []
    frequency = Counter(word for of_one in sentences.values() for sentence in of_one for word in _words(sentence))
    return [Question(question=_query(answer.content, frequency), references=(answer,)) for _, answer in found[:most]]


def _sentences(text: str) -> set[str]:
    """The different sentences of a text, without quotation marks after their ends."""
    pieces = (piece.strip() for piece in _BETWEEN_SENTENCES.split(f"{text}\n"))
    return {piece for piece in pieces if piece.endswith((".", "!", "?"))}


def _answers(slug: str, sentences: Iterable[str], text: str) -> Iterator[tuple[str, Reference]]:
    """Yield the sentences of an essay that can be asked for, with their digests and in the order of these."""
    folded = text.casefold()
    for order, sentence in sorted((digest(slug, sentence), sentence) for sentence in sentences):
        once = folded.count(sentence.casefold()) == 1  # in any letter case, as references are looked for
        if once and len(sentence) in _CHARACTERS and len(_words(sentence)) >= _QUERY_WORDS:
            yield order, Reference(slug=slug, content=sentence)


def _words(sentence: str) -> dict[str, None]:
    """The different words of a sentence, in its order."""
    return dict.fromkeys(word.casefold() for word in _WORD.findall(sentence))


def _query(sentence: str, frequency: Mapping[str, int]) -> str:
    """The rarest words of a sentence, in its order; of equally rare ones the longest.

    How rare a word is counts by powers of two, which another essay seldom changes.
    """
    words = _words(sentence)
    rarest = sorted(words, key=lambda word: (frequency[word].bit_length(), -len(word), word))[:_QUERY_WORDS]
    return " ".join(word for word in words if word in rarest)
