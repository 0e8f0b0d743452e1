"""A question → an answer whose every citation was checked, or the word that nothing was found."""

from __future__ import annotations

import time
from typing import NamedTuple

from contextual_rag.ports import ChatModel, EmbeddingModel, Index, RerankModel, VectorStore
from contextual_rag.qa.citations import Citation, check
from contextual_rag.qa.prompt import NOTHING_FOUND, messages
from contextual_rag.qa.quotes import quoting_answer
from contextual_rag.qa.retrieve import Hit, retrieve

__all__ = ["Answer", "answer"]

_PASSAGES = 6
_PER_ESSAY = 3
_MAX_TOKENS = 1024
# Below this cosine between question and nearest passage, the offline embedding model has found nothing: unrelated
# English texts come to 0.0-0.2, questions about a passage to 0.35 and more.
_LEAST_COSINE = 0.25


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
    hits = retrieve(index, vectors, embedder, question, k=_PASSAGES, reranker=reranker, per_essay=_PER_ESSAY)
    passages = [hit.chunk for hit in hits]
    retrieved = time.perf_counter()
    if not hits or (chat is None and max(hit.cosine or 0.0 for hit in hits) < _LEAST_COSINE):
        text = NOTHING_FOUND
    elif chat is None:
        text = quoting_answer(question, passages, embedder) or NOTHING_FOUND
    else:
        text = chat.complete(messages(question, passages), max_tokens=_MAX_TOKENS).text
    answered = time.perf_counter()
    text, citations = check(text, passages)
    # A model that begins so may yet go on to quote what the essays do say.
    abstained = text.strip().startswith(NOTHING_FOUND.rstrip(".")) and not any(c.verified for c in citations)
    if abstained:
        text, citations = NOTHING_FOUND, []
    milliseconds = {
        "retrieve": retrieved - started,
        "answer": answered - retrieved,
        "check": time.perf_counter() - answered,
    }
    rounded = {step: round(1000 * seconds, 1) for step, seconds in milliseconds.items()}
    return Answer(text, abstained, citations, hits, index.version, rounded)
