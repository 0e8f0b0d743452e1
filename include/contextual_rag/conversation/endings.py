"""How a turn ends: its answer, checked, or what there is of one and why there is no more, in words for readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contextual_rag.conversation.model import Answer, Citation, Source, Status
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
from contextual_rag.qa.citations import Citation as Checked
from contextual_rag.qa.citations import check

__all__ = ["STOPPED", "TIMED_OUT", "broken_off", "cited", "explained", "unfinished"]

STOPPED: Final = "The answer was stopped here."
TIMED_OUT: Final = "The answer took too long and was ended here. Ask again, or ask for less at once."
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
    if isinstance(error, _OURS):
        return f"The person who runs this must mend something first: {error}"
    return next((words for kind, words in _BY_KIND if isinstance(error, kind)), _UNEXPECTED)


def cited(said: str, sources: Sequence[Source]) -> tuple[str, tuple[Citation, ...]]:
    """Return a text without marks that lead nowhere, and its citations, checked. Sources are numbered from 1 on."""
    text, citations = check(said, [source.chunk for source in sources])
    return text, as_records(citations)


def as_records(citations: Sequence[Checked]) -> tuple[Citation, ...]:
    """Return checked citations as they are stored."""
    return tuple(Citation(n=c.n, quote=c.quote, start=c.start, end=c.end, verified=c.verified) for c in citations)


def unfinished(progress: Progress, status: Status, explanation: str) -> Answer:
    """Return what was seen of an answer that came to no good end, with its explanation."""
    text, citations = cited(progress.text, progress.sources)
    return Answer(
        status=status,
        text=text,
        said=progress.text,
        explanation=explanation,
        sources=progress.sources,
        citations=citations,
        tools=tuple(
            use if use.result is not None or use.error is not None else use.model_copy(update={"error": "not finished"})
            for use in progress.tools
        ),
    )


def broken_off(progress: Progress) -> Answer:
    """Return the answer of a turn whose workflow ended without leaving one."""
    return unfinished(progress, "failed", _BROKEN_OFF)
