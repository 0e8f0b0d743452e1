"""A question → an answer whose every citation was checked, or the word that nothing was found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from contextual_rag.model import IndexedChunk
from contextual_rag.ports import ChatModel, EmbeddingModel, Index, RerankModel, VectorStore
from contextual_rag.qa.citations import Citation, check
from contextual_rag.qa.prompt import NOTHING_FOUND, messages
from contextual_rag.qa.quotes import quote
from contextual_rag.qa.retrieve import Hit, retrieve

__all__ = ["MAX_TOKENS", "Answer", "Checked", "answer", "checked", "find", "quoted"]

MAX_TOKENS: Final = 1024
_PASSAGES: Final = 8
# Offline, what is found answers a question only if it is near to it in meaning and says its words. A passage's evidence
# is the cosine of its nearest sentence, its own, and its weighed coverage; their mean, the nth best by 1/n, comes to
# this. Set on the sample site; docs/quality.md says how many of the questions that its essays answer come to more, and
# how many to less of those that they do not.
_LEAST_EVIDENCE: Final = 0.9
_COVERAGE_WEIGHT: Final = 1.5


class Checked(NamedTuple):
    """What an answer comes to: its text without marks that lead nowhere, and its citations; none where it abstained."""

    text: str
    abstained: bool
    citations: list[Citation]


class Answer(NamedTuple):
    """`text` cites `hits` by number, counted from 1; `milliseconds` says what each step took."""

    text: str
    abstained: bool
    citations: list[Citation]
    hits: list[Hit]
    version: str
    milliseconds: dict[str, float]


def answer(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: str,
    *,
    chat: ChatModel | None,
    reranker: RerankModel | None = None,
) -> Answer:
    """Answer from one index version: by the chat model, or by quoting sentences where it is None."""
    started = time.perf_counter()
    hits = find(index, vectors, embedder, question, reranker=reranker)
    passages = [hit.chunk for hit in hits]
    retrieved = time.perf_counter()
    if not hits:
        said = NOTHING_FOUND
    elif chat is None:
        said = quoted(question, hits, embedder)
    else:
        said = chat.complete(messages(question, passages), max_tokens=MAX_TOKENS).text
    answered = time.perf_counter()
    text, abstained, citations = checked(said, passages)
    milliseconds = {
        "retrieve": retrieved - started,
        "answer": answered - retrieved,
        "check": time.perf_counter() - answered,
    }
    rounded = {step: round(1000 * seconds, 1) for step, seconds in milliseconds.items()}
    return Answer(text, abstained, citations, hits, index.version, rounded)


def find(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: str,
    *,
    reranker: RerankModel | None = None,
) -> list[Hit]:
    """Return the passages that an answer may cite, best first: few."""
    return retrieve(index, vectors, embedder, question, k=_PASSAGES, reranker=reranker)


def quoted(question: str, hits: Sequence[Hit], embedder: EmbeddingModel) -> str:
    """Answer without a chat model: sentences of the passages, or the word that there are none to the point."""
    quotes = quote(question, [hit.chunk for hit in hits], embedder)
    if not quotes.text:
        return NOTHING_FOUND
    evidence = [
        nearness + (hit.cosine or 0.0) + _COVERAGE_WEIGHT * hit.coverage
        for hit, nearness in zip(hits, quotes.nearness, strict=True)
    ]
    told = np.average(sorted(evidence, reverse=True), weights=1 / np.arange(1, len(hits) + 1))
    return quotes.text if told >= _LEAST_EVIDENCE else NOTHING_FOUND


def checked(said: str, passages: Sequence[IndexedChunk]) -> Checked:
    """Check an answer's citations, and see whether it says that the essays do not answer."""
    text, citations = check(said, passages)
    # A model that begins so may yet go on to quote what the essays do say.
    if text.strip().startswith(NOTHING_FOUND.rstrip(".")) and not any(c.verified for c in citations):
        return Checked(NOTHING_FOUND, True, [])
    return Checked(text, False, citations)
