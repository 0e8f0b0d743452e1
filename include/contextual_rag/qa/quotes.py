"""Answers without a model: quotes the sentences of the passages that are nearest to the question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from semantic_text_splitter import TextSplitter

from contextual_rag.model import IndexedChunk
from contextual_rag.ports import EmbeddingModel
from contextual_rag.qa.citations import without_notes
from contextual_rag.qa.tokens import count_words

__all__ = ["Quotes", "quote"]

_MAX_QUOTES = 3
_QUOTE_CHARACTERS = 320
# A shorter sentence says little. With fewer than two words, the citation check would ignore it.
_MIN_WORDS = (5, 3)
# Each further quote must be nearly as close to the question as the first; otherwise it is noise.
_NEAR_BEST = 0.85
# The nth passage adds this value, divided by n, to the cosines of its sentences, because the search also weighed words
# and contexts. On the sample site, the first quote then answers 25 of 100 questions, and 20 without it.
_FOUND_FIRST = 0.2
_SENTENCE = re.compile(r"(?<=[.!?])[\"”’)\]]*\s+(?=[\"“‘(\[]?[A-Z0-9])")


class Quotes(NamedTuple):
    """Quoted sentences, each with its passage's number.

    `nearness` is, for each passage, the cosine of its nearest sentence and the question; 0 for none.
    """

    text: str
    nearness: list[float]


def quote(question: str, passages: Sequence[IndexedChunk], embedder: EmbeddingModel) -> Quotes:
    """Return up to three sentences, nearest to the question in meaning. The passages come best first."""
    found: dict[str, int] = {}
    for n, passage in enumerate(passages, 1):
        for sentence in _sentences(passage.text):
            found.setdefault(sentence, n)
    # A question in an essay resembles the reader's question most, but answers nothing.
    sentences = [sentence for sentence in found if not sentence.endswith("?")] or list(found)
    if not sentences:
        return Quotes("", [0.0] * len(passages))
    query = embedder.embed([question], kind="query")[0][0]
    cosines = embedder.embed(sentences, kind="passage")[0] @ query
    scores = cosines + _FOUND_FIRST / np.array([found[sentence] for sentence in sentences])
    order = np.argsort(-scores, kind="stable")[:_MAX_QUOTES]
    best = [sentences[i] for i in order if cosines[i] >= _NEAR_BEST * cosines[order[0]]]
    text = " ".join(f"“{_inner(sentence)}” [{found[sentence]}]" for sentence in best)
    nearness = [0.0] * len(passages)
    for sentence, cosine in zip(sentences, cosines.tolist(), strict=True):
        nearness[found[sentence] - 1] = max(nearness[found[sentence] - 1], cosine)
    return Quotes(text, nearness)


def _sentences(text: str) -> list[str]:
    pieces = [piece.strip() for line in text.split("\n\n") for piece in _SENTENCE.split(line)]
    short = [_cut(piece) for piece in pieces if piece]
    kept = ([piece for piece in short if count_words(without_notes(piece)) >= words] for words in _MIN_WORDS)
    return next(filter(None, kept), [])


def _cut(sentence: str) -> str:
    """Return the start of a sentence, up to the end of a word."""
    start = str(TextSplitter(_QUOTE_CHARACTERS).chunks(sentence)[0])
    is_whole = len(start) == len(sentence) or sentence[len(start)].isspace()
    return start if is_whole else start[: len(start) - len(start.rsplit(maxsplit=1)[-1])].rstrip()


def _inner(sentence: str) -> str:
    """Write a quotation on one line, with single quotation marks inside, so that nothing in it ends it."""
    return " ".join(re.sub(r"[“”„‟«»\"]", "'", sentence).split())
