"""How a turn ends: its answer, checked, or what there is of one and why there is no more, in words for readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contextual_rag.conversation.journal import HaltedError
from contextual_rag.conversation.model import Answer, Citation, Source, Status, ToolUse
from contextual_rag.conversation.progress import Progress
from contextual_rag.errors import (
    CorruptObjectError,
    CredentialsError,
    FatalError,
    ModelError,
    RefusalError,
    RetriableError,
    SettingError,
    StorageFullError,
    UnknownVersionError,
)
from contextual_rag.model import IndexedChunk
from contextual_rag.qa.answer import checked
from contextual_rag.qa.citations import Citation as Checked
from contextual_rag.qa.citations import check
from contextual_rag.qa.prompt import NOTHING_FOUND

__all__ = ["broken_off", "explained", "finished", "unfinished"]

_STOPPED: Final = "The answer was stopped here."
_TIMED_OUT: Final = "The answer took too long and was ended here. Ask again, or ask for less at once."
_BROKEN_OFF: Final = (
    "The work on this answer ended before it was finished: it was cancelled, or failed again and again. Ask again; if "
    "that ends the same way, the person who runs this finds the reason in the worker's log."
)
_UNEXPECTED: Final = (
    "Something went wrong that was not foreseen. Ask again; if that ends the same way, the person who runs this finds "
    "the reason in the worker's log."
)
# What these say was written by us word for word: no key, no prompt, nothing that a service said.
_OURS: Final = (SettingError, UnknownVersionError, CorruptObjectError, StorageFullError)
_BY_KIND: Final[Sequence[tuple[type[Exception], str]]] = (
    (
        CredentialsError,
        "The provider of the model refused the key that this service has, or its account has no credit left. The "
        "person who runs this must set TOGETHER_API_KEY to a valid key; then ask again.",
    ),
    (
        ModelError,
        "The model that should answer cannot be used. The person who runs this must choose another with RAG_CHAT_MODEL "
        "(`rag doctor` says what is wrong); then ask again.",
    ),
    (
        RefusalError,
        "The model refused to answer, or answered nothing. Put the question in other words and ask again.",
    ),
    (
        RetriableError,
        "A service that the answer needs is down or overloaded, also after several tries. Your question is kept: ask "
        "it again in a few minutes.",
    ),
    (FatalError, "The person who runs this must mend something first; the reason is in the worker's log."),
)


def explained(error: Exception) -> str:
    """Say to a reader why an answer failed and what to do: no key, no prompt, no trace, nothing that a service said."""
    if isinstance(error, HaltedError):
        return _STOPPED if error.how == "stopped" else _TIMED_OUT
    if isinstance(error, _OURS):
        return f"The person who runs this must mend something first: {error}"
    return next((words for kind, words in _BY_KIND if isinstance(error, kind)), _UNEXPECTED)


def finished(said: str, sources: Sequence[Source], tools: Sequence[ToolUse]) -> Answer:
    """Return what was said as an answer, checked. What was said from nothing at hand is no answer."""
    text, abstained, citations = checked(said, _chunks(sources))
    if not sources and not tools:
        text, abstained, citations = NOTHING_FOUND, True, []
    return Answer(
        status="abstained" if abstained else "answered",
        text=text,
        said=said,
        sources=tuple(sources),
        citations=_stored(citations),
        tools=tuple(tools),
    )


def unfinished(seen: Progress, failure: Exception) -> Answer:
    """Return what was seen of an answer that came to no good end, with an explanation."""
    return _ended(seen, failure.how if isinstance(failure, HaltedError) else "failed", explained(failure))


def broken_off(seen: Progress) -> Answer:
    """Return the answer of a turn whose workflow ended without leaving one."""
    return _ended(seen, "failed", _BROKEN_OFF)


def _ended(seen: Progress, status: Status, explanation: str) -> Answer:
    text, citations = check(seen.text, _chunks(seen.sources))
    return Answer(
        status=status,
        text=text,
        said=seen.text,
        explanation=explanation,
        sources=seen.sources,
        citations=_stored(citations),
        tools=tuple(_over(use) for use in seen.tools),
    )


def _over(use: ToolUse) -> ToolUse:
    is_over = use.result is not None or use.error is not None
    return use if is_over else use.model_copy(update={"error": "It was not finished."})


def _chunks(sources: Sequence[Source]) -> list[IndexedChunk]:
    """The passages, so that the one cited as `[n]` is the nth."""
    return [source.chunk for source in sorted(sources, key=lambda source: source.n)]


def _stored(citations: Sequence[Checked]) -> tuple[Citation, ...]:
    return tuple(Citation(n=c.n, quote=c.quote, start=c.start, end=c.end, verified=c.verified) for c in citations)
