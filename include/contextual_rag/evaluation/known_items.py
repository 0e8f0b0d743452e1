"""Makes questions from the essays themselves, for known-item search: a reader looks for a passage they know.

The reader remembers a few words of a sentence, here the rarest ones, and only that sentence is the answer. Such
questions cost nothing, so an index can be measured even without written questions. The method is the discriminative
term selection of Azzopardi, de Rijke & Balog, "Building simulated queries for known-item topics", SIGIR 2007, without
its noise.

Sentences and words are chosen by their content, not by their position, so that a new or edited essay changes few
questions about the other essays.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from operator import itemgetter

from contextual_rag.evaluation.datasets import Question, Reference
from contextual_rag.keys import digest
from contextual_rag.languages import language_of
from contextual_rag.qa.prose import units

__all__ = ["FEWEST", "known_items"]

# Figures over fewer questions are mostly chance.
FEWEST = 20
_MOST = 50
_QUERY_WORDS = 4
_TRIED = 500
# Shorter sentences have no four distinctive words; chunkers cut longer ones apart.
_CHARACTERS = range(60, 301)
_WORD = re.compile(r"[^\W\d_]{4,}")


def known_items(texts: Mapping[str, str], *, most: int = _MOST) -> list[Question]:
    """Return up to `most` questions, each with the sentence that answers it. The keys of `texts` are slugs.

    Each essay gets its first question before any essay gets its second. If fewer than `FEWEST` can be made, the list is
    empty. The same texts give the same questions, in any order.
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
    """Return the different sentences of a text's prose, without quotation marks after their ends."""
    prose = (one for one in units(text, language_of(text)) if one.kind == "sentence")
    found = (text[one.start : one.end].rstrip('"”’)]') for one in prose)
    return {sentence for sentence in found if sentence.endswith((".", "!", "?"))}


def _answers(slug: str, sentences: Iterable[str], text: str) -> Iterator[tuple[str, Reference]]:
    """Yield the sentences of an essay that suit a question, with their digests, ordered by digest."""
    folded = text.casefold()
    fit = (one for one in sentences if len(one) in _CHARACTERS and len(_words(one)) >= _QUERY_WORDS)
    # Each costs a search of the whole text.
    for order, sentence in sorted((digest(slug, sentence), sentence) for sentence in fit)[:_TRIED]:
        if folded.count(sentence.casefold()) == 1:  # in any letter case, like the search for references
            yield order, Reference(slug=slug, content=sentence)


def _words(sentence: str) -> dict[str, None]:
    """Return the different words of a sentence, in order."""
    return dict.fromkeys(word.casefold() for word in _WORD.findall(sentence))


def _query(sentence: str, frequency: Mapping[str, int]) -> str:
    """Return the rarest words of a sentence, in order; of equally rare ones the longest.

    Frequencies are compared by powers of two, which a new essay seldom changes.
    """
    words = _words(sentence)
    rarest = sorted(words, key=lambda word: (frequency[word].bit_length(), -len(word), word))[:_QUERY_WORDS]
    return " ".join(word for word in words if word in rarest)
