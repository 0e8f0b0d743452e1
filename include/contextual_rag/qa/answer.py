"""A question → an answer with checked citations, or the statement that the essays do not answer it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from contextual_rag.errors import RagError
from contextual_rag.languages import strangeness
from contextual_rag.model import IndexedChunk
from contextual_rag.ports import ChatModel, Completion, EmbeddingModel, Index, Message, RerankModel, Usage, VectorStore
from contextual_rag.qa.asked import plain
from contextual_rag.qa.citations import Citation, Cited, Reading, read
from contextual_rag.qa.collection import about_collection
from contextual_rag.qa.evidence import names_known, scale
from contextual_rag.qa.filters import Filter, narrowed
from contextual_rag.qa.numbers import in_order
from contextual_rag.qa.prompt import cite_message, messages, nothing_found
from contextual_rag.qa.query import rewrite
from contextual_rag.qa.quotes import quote
from contextual_rag.qa.retrieve import Hit, retrieve
from contextual_rag.qa.silence import silence
from contextual_rag.qa.spelling import respelled

__all__ = ["MAX_TOKENS", "Answer", "Checked", "answer", "checked", "cites_nothing", "find", "quoted"]

MAX_TOKENS: Final = 1024
_PASSAGES: Final = 10
_NEAREST: Final = 3


class Checked(NamedTuple):
    """An answer's text without invalid marks, its citations and its marks; there are none if it abstained."""

    text: str
    abstained: bool
    citations: list[Citation]
    marks: list[Cited]


class Answer(NamedTuple):
    """`text` cites `hits` by number, counted from 1, in the order in which it names them.

    `milliseconds` is the duration of each step.

    `cut_off` means that the model reached the number of tokens allowed, so that the text ends unfinished. `usage` is
    what all model calls took, if whoever asks has metered them. `corrected` is the question as it was understood, if it
    has misspelt words or was translated. `note` says what else a reader must know of how it was understood. An answer
    that abstains offers the `nearest` passages. `where` is the filter that was asked by.
    """

    text: str
    abstained: bool
    citations: list[Citation]
    hits: list[Hit]
    version: str
    milliseconds: dict[str, float]
    cut_off: bool = False
    usage: Usage = Usage()
    corrected: str | None = None
    note: str | None = None
    nearest: tuple[Hit, ...] = ()
    where: Filter | None = None


def answer(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: str,
    *,
    chat: ChatModel | None,
    reranker: RerankModel | None = None,
    reader: RerankModel | None = None,
    where: Filter | None = None,
) -> Answer:
    """Answer from one index version: with the chat model, or with quoted sentences if it is None.

    The reader, if there is one, has a say in which quotation comes first.
    With a filter, only the documents that match are searched; see `filters.narrowed` for what it raises.
    """
    started = time.perf_counter()
    index = narrowed(index, where)
    understood = rewrite(question, [], chat, lambda: index.languages).question
    corrected = respelled(index, understood) or (understood if understood != question.strip() else None)
    hits = find(index, vectors, embedder, corrected or question, reranker=reranker)
    passages = [hit.chunk for hit in hits]
    retrieved = time.perf_counter()
    if not hits:
        reply = Completion(nothing_found(), Usage())
    elif chat is None:
        reply = Completion(quoted(index, vectors, embedder, corrected or question, hits, reader), Usage())
    else:
        reply = _written(chat, messages(question, passages), passages)
    answered = time.perf_counter()
    text, abstained, citations, marks = checked(reply.text, passages)
    (text, citations, _), order = in_order(Reading(text, citations, marks), len(hits))
    hits = [hits[n - 1] for n in order]
    milliseconds = {
        "retrieve": retrieved - started,
        "answer": answered - retrieved,
        "check": time.perf_counter() - answered,
    }
    rounded = {step: round(1000 * seconds, 1) for step, seconds in milliseconds.items()}
    return Answer(
        silence(index, corrected or question, hits, where) if abstained else text,
        abstained,
        citations,
        hits,
        index.version,
        rounded,
        bool(reply.usage.cut_off) and not abstained,
        corrected=corrected,
        note=None if chat else strangeness(question, index.languages),
        nearest=tuple(hits[:_NEAREST]) if abstained else (),
        where=where,
    )


def _written(chat: ChatModel, asked: list[Message], passages: Sequence[IndexedChunk]) -> Completion:
    """Let the model answer, and ask once more if it cites nothing."""
    reply = chat.complete(asked, max_tokens=MAX_TOKENS)
    if not cites_nothing(reply.text, passages):
        return reply
    try:
        return chat.complete([*asked, Message("assistant", reply.text), cite_message()], max_tokens=MAX_TOKENS)
    except RagError:
        # The first answer is still one; each of its claims is shown without a source.
        return reply


def find(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: str,
    *,
    reranker: RerankModel | None = None,
) -> list[Hit]:
    """Return the few passages that an answer may cite, best first."""
    return retrieve(index, vectors, embedder, question, k=_PASSAGES, reranker=reranker)


def quoted(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: str,
    hits: Sequence[Hit],
    reader: RerankModel | None = None,
) -> str:
    """Answer without a chat model: quote sentences of the passages, or state that the essays do not answer.

    A question about the collection is answered from its list of essays.
    """
    if about := about_collection(index, question):
        return about
    quotes = quote(index, plain(question), hits, embedder, reader)
    if quotes.text and (scale(index, vectors, embedder).answers(quotes.evidence) or names_known(index, question, hits)):
        return quotes.text
    return nothing_found()


def checked(reply: str, passages: Sequence[IndexedChunk]) -> Checked:
    """Check the citations of a reply, and whether it says that the essays do not answer."""
    text, citations, marks = read(reply, passages)
    # A model may start with this sentence and then still quote an essay.
    if text.strip().startswith(nothing_found().rstrip(".")) and not any(c.verified for c in citations):
        return Checked(nothing_found(), True, [], [])
    return Checked(text, False, citations, marks)


def cites_nothing(reply: str, passages: Sequence[IndexedChunk]) -> bool:
    """Whether a reply neither abstains nor cites a passage, nor quotes words that one contains."""
    found = checked(reply, passages)
    return bool(passages) and not found.abstained and not any(c.n or c.verified for c in found.citations)
