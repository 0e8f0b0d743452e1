"""How a turn ends: with a checked answer, or with its text so far and an explanation for the reader."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from contextual_rag.conversation.journal import HaltedError
from contextual_rag.conversation.model import Answer, Citation, CitedMark, Source, Status, ToolUse
from contextual_rag.conversation.progress import Progress
from contextual_rag.errors import (
    CorruptObjectError,
    CredentialsError,
    FatalError,
    ModelError,
    RagError,
    RefusalError,
    RetriableError,
    SettingError,
    StorageFullError,
    UnknownDocumentError,
    UnknownVersionError,
)
from contextual_rag.model import IndexedChunk
from contextual_rag.qa.answer import checked
from contextual_rag.qa.citations import Citation as Checked
from contextual_rag.qa.citations import Cited, Reading, read
from contextual_rag.qa.numbers import in_order
from contextual_rag.qa.prompt import nothing_found
from contextual_rag.qa.verdicts import CUT_OFF

__all__ = ["broken_off", "chunks_of", "explained", "finished", "log_failure", "named", "unfinished"]

_log = logging.getLogger(__name__)

_STOPPED: Final = "The answer was stopped here."
_TIMED_OUT: Final = "The answer took too long and was stopped here. Ask again, or ask a narrower question."
_BROKEN_OFF: Final = (
    "The answer was cancelled, or failed several times. Ask again. If it fails again, the administrator finds the "
    "reason in the worker's log."
)
_UNEXPECTED: Final = (
    "An unexpected error occurred. Ask again. If it occurs again, the administrator finds the reason in the worker's "
    "log."
)
# The messages of these errors are safe to show: they contain no key, no prompt, and no text from a service.
_SAFE_TO_SHOW: Final = (SettingError, UnknownVersionError, CorruptObjectError, StorageFullError)
_BY_KIND: Final[Sequence[tuple[type[Exception], str]]] = (
    (
        CredentialsError,
        "The server of a model refused our key, or the account has no credit left. The administrator must set another "
        "key (TOGETHER_API_KEY, or that of the role); `rag doctor` names the setting. Then ask again.",
    ),
    (
        ModelError,
        "The chat model cannot be used. The administrator must choose another with RAG_CHAT_MODEL; `rag doctor` shows "
        "the reason. Then ask again.",
    ),
    (
        RefusalError,
        "The model refused to answer, or its answer was empty. Ask again in other words.",
    ),
    (
        RetriableError,
        "A required service is down or overloaded, even after several attempts. Your question is saved. Ask it again "
        "in a few minutes.",
    ),
    (FatalError, "The administrator must fix a problem first. The reason is in the worker's log."),
)


def explained(error: Exception) -> str:
    """Tell a reader why an answer failed and what to do, without keys, prompts, traces or text from a service."""
    if isinstance(error, HaltedError):
        return _STOPPED if error.how == "stopped" else _TIMED_OUT
    if isinstance(error, UnknownDocumentError):
        return str(error)  # of the reader's own filter
    if isinstance(error, _SAFE_TO_SHOW):
        return f"The administrator must fix a problem first: {error}"
    return next((words for kind, words in _BY_KIND if isinstance(error, kind)), _UNEXPECTED)


def finished(
    reply: str,
    sources: Sequence[Source],
    tools: Sequence[ToolUse],
    *,
    cut_off: bool = False,
    note: str | None = None,
) -> Answer:
    """Return a model's reply as a checked answer. Without sources and tools, the answer abstains.

    `note` is what a reader must know of how the question was understood.
    """
    text, abstained, citations, marks = checked(reply, chunks_of(sources))
    if not sources and not tools:
        text, abstained, citations, marks = nothing_found(), True, [], []
    (text, citations, marks), sources = _in_order(Reading(text, citations, marks), sources)
    cut_off = cut_off and not abstained
    return Answer(
        status="abstained" if abstained else "answered",
        text=text,
        said=reply,
        explanation=CUT_OFF if cut_off else note,
        cut_off=cut_off,
        sources=sources,
        citations=_stored(citations),
        marks=_stored_marks(marks),
        tools=tuple(tools),
    )


def unfinished(seen: Progress, failure: Exception) -> Answer:
    """Return the text so far of an answer that failed or was stopped, with an explanation."""
    return _ended(seen, failure.how if isinstance(failure, HaltedError) else "failed", explained(failure))


def broken_off(seen: Progress) -> Answer:
    """Return an answer for a turn whose workflow ended without one."""
    return _ended(seen, "failed", _BROKEN_OFF)


def _ended(seen: Progress, status: Status, explanation: str) -> Answer:
    (text, citations, marks), sources = _in_order(read(seen.text, chunks_of(seen.sources)), seen.sources)
    return Answer(
        status=status,
        text=text,
        said=seen.text,
        explanation=explanation,
        sources=sources,
        citations=_stored(citations),
        marks=_stored_marks(marks),
        tools=tuple(_over(use) for use in seen.tools),
    )


def _in_order(reading: Reading, sources: Sequence[Source]) -> tuple[Reading, tuple[Source, ...]]:
    """Number the sources in the order in which the text names them. What was streamed keeps its numbers."""
    reading, order = in_order(reading, len(sources))
    former = {source.n: source for source in sources}
    return reading, tuple(former[was].model_copy(update={"n": n}) for n, was in enumerate(order, 1))


def _over(use: ToolUse) -> ToolUse:
    is_over = use.result is not None or use.error is not None
    return use if is_over else use.model_copy(update={"error": "It did not finish."})


def chunks_of(sources: Sequence[Source]) -> list[IndexedChunk]:
    """Return the passages in the order of their numbers: `[n]` cites the nth."""
    return [source.chunk for source in sorted(sources, key=lambda source: source.n)]


def _stored(citations: Sequence[Checked]) -> tuple[Citation, ...]:
    fields = ("n", "quote", "start", "end", "verified", "found_in", "where")
    return tuple(Citation(**{name: getattr(citation, name) for name in fields}) for citation in citations)


def _stored_marks(marks: Sequence[Cited]) -> tuple[CitedMark, ...]:
    return tuple(CitedMark(start=mark.start, end=mark.end, states=dict(mark.states)) for mark in marks)


def log_failure(turn_id: str, failure: Exception) -> None:
    """Log a failure that the reader does not see: by its code, because a provider's message may quote the question."""
    if isinstance(failure, HaltedError):
        _log.info("Turn %s %s", turn_id, failure.how)
    elif isinstance(failure, RagError):
        _log.warning("Turn %s failed (%s)", turn_id, named(failure))
    else:
        _log.error("Turn %s failed", turn_id, exc_info=failure)


def named(error: Exception) -> str:
    """Return the class and the code of an error, without its message."""
    return f"{type(error).__name__}, {error.code}" if isinstance(error, RagError) else type(error).__name__
