"""The nouns of a conversation: thread, turn, answer, and the events by which an answer appears.

All are immutable and say what they hold in JSON exactly as it is stored.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from contextual_rag.model import IndexedChunk
from contextual_rag.record import Record

__all__ = [
    "LONGEST_QUESTION",
    "Answer",
    "AttemptEvent",
    "Citation",
    "Event",
    "Source",
    "SourcesEvent",
    "StageEvent",
    "Status",
    "TextEvent",
    "Thread",
    "ToolEvent",
    "ToolUse",
    "Turn",
]

LONGEST_QUESTION: Final = 2000

# How a turn ended. All but "answered" and "abstained" carry an explanation; "stopped" keeps what had been said.
Status = Literal["answered", "abstained", "stopped", "timed_out", "failed"]


class Source(Record):
    """A passage that an answer may cite as `[n]`, with what the search said of it (see `qa.retrieve.Hit`)."""

    n: int
    chunk: IndexedChunk
    score: float
    bm25_rank: int | None
    vector_rank: int | None
    cosine: float | None
    coverage: float = 0.0


class Citation(Record):
    """One `[n]` of an answer, as `qa.citations.Citation`: the span is in the essay's text."""

    n: int
    quote: str
    start: int
    end: int
    verified: bool


class ToolUse(Record):
    """A tool that was called: what with, and what it gave or why it failed."""

    id: str
    name: str
    arguments: dict[str, Any]
    result: str | None = None
    error: str | None = None
    seconds: float | None = None


class Answer(Record):
    """What a turn came to. `text` cites `sources`; `asked` is the standalone question that was searched for.

    `said` is the text as the model wrote it, before marks that lead nowhere were taken out. Times in milliseconds since
    the worker began the turn.
    """

    status: Status
    text: str
    said: str = ""
    explanation: str | None = None
    asked: str = ""
    version: str | None = None
    model: str = ""
    sources: tuple[Source, ...] = ()
    citations: tuple[Citation, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    first_token_ms: float | None = None
    total_ms: float = 0.0


class Thread(Record):
    """A conversation. Whoever knows its id may read it, unless it has an owner; ids cannot be guessed."""

    id: str
    owner: str | None
    title: str
    city: str | None
    created_at: datetime
    asked_at: datetime
    turns: int


class Turn(Record):
    """A question and, once it is over, its answer; the `n`th of its thread, from 1. `version` is set where one is asked
    for by name instead of CURRENT. `feedback` is 1, -1, or None."""

    id: str
    thread_id: str
    n: int
    question: str
    version: str | None
    created_at: datetime
    stopping: bool
    answer: Answer | None
    feedback: int | None
    comment: str


class StageEvent(Record):
    """What the worker does now: a word for people ("searching the essays")."""

    kind: Literal["stage"] = "stage"
    stage: str


class SourcesEvent(Record):
    """Passages that the answer may cite from here on; their numbers go on from those before."""

    kind: Literal["sources"] = "sources"
    sources: tuple[Source, ...]


class AttemptEvent(Record):
    """The model begins to answer in a round. A later attempt at the same round replaces all text of the earlier."""

    kind: Literal["attempt"] = "attempt"
    round: int
    attempt: str


class TextEvent(Record):
    """More text of a model's answer."""

    kind: Literal["text"] = "text"
    round: int
    attempt: str
    text: str


class ToolEvent(Record):
    """A tool is called (neither result nor error), or has ended; the later replaces the earlier of the same id."""

    kind: Literal["tool"] = "tool"
    use: ToolUse


Event = Annotated[
    StageEvent | SourcesEvent | AttemptEvent | TextEvent | ToolEvent,
    Field(discriminator="kind"),
]
