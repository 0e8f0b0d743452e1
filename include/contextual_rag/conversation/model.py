"""The records of a conversation: thread, turn, answer, and the events of an answer in progress.

All are immutable. Their JSON is the stored form.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, computed_field

from contextual_rag.model import IndexedChunk
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.retrieve import Hit
from contextual_rag.qa.verdicts import State, state_of
from contextual_rag.record import Record

__all__ = [
    "Answer",
    "AttemptEvent",
    "Citation",
    "CitedMark",
    "Event",
    "Indexing",
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

# How a turn ended. All except "answered" and "abstained" have an explanation,
# and so has an answer that was cut off. "stopped" keeps the text so far.
Status = Literal["answered", "abstained", "stopped", "timed_out", "failed"]


class Indexing(Record):
    """A build that uploads asked for: how far its `step` is, or what it came to, and `why`."""

    state: Literal["queued", "running", "moved", "stayed", "refused", "failed"]
    step: str = ""
    done: int = 0
    of: int = 0
    why: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state not in {"queued", "running"}


class Source(Record):
    """A passage that an answer may cite as `[n]`, with its search scores (see `qa.retrieve.Hit`)."""

    n: int
    chunk: IndexedChunk
    score: float
    bm25_rank: int | None
    vector_rank: int | None
    cosine: float | None
    coverage: float = 0.0

    @classmethod
    def of(cls, n: int, hit: Hit) -> Source:
        """Return a passage that was found, under this number."""
        return cls(n=n, **hit._asdict())


class Citation(Record):
    """A quotation, or a mark `[n]` with nothing quoted, like `qa.citations.Citation`.

    The span refers to the essay's text. A quotation without a number has no `n`; one that no passage contains has no
    span either. `where` is the place of the span in the file, such as "page 3".
    """

    n: int | None
    quote: str
    start: int | None
    end: int | None
    verified: bool
    found_in: int | None = None
    where: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def state(self) -> State:
        """Whether its words were found, or not found, or nothing is quoted."""
        return state_of(self.quote, verified=self.verified)


class CitedMark(Record):
    """A mark at `start:end` of an answer's text, with the state of each number that it names."""

    start: int
    end: int
    states: dict[int, State]


class ToolUse(Record):
    """A tool call: its arguments, and its result or error."""

    id: str
    name: str
    arguments: dict[str, Any]
    result: str | None = None
    error: str | None = None
    seconds: float | None = None


class Answer(Record):
    """The outcome of a turn. `text` cites `sources`; `asked` is the standalone question used for the search, and
    `corrected` the same without its misspelt words, if it has any.

    `where` is the filter that was asked by, if there was one.

    `said` is the text as the model wrote it, before invalid marks were removed. `cut_off` means that the model reached
    the number of tokens allowed. `marks` is None in answers of release 0.1.0. Times are in milliseconds since the
    worker started the turn.
    """

    status: Status
    text: str
    said: str = ""
    explanation: str | None = None
    asked: str = ""
    corrected: str | None = None
    version: str | None = None
    where: Filter | None = None
    model: str = ""
    sources: tuple[Source, ...] = ()
    citations: tuple[Citation, ...] = ()
    marks: tuple[CitedMark, ...] | None = None
    cut_off: bool = False
    tools: tuple[ToolUse, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    first_token_ms: float | None = None
    total_ms: float = 0.0


class Thread(Record):
    """A conversation. Only its owner may read it; without an owner, anyone who knows its id. Ids cannot be guessed."""

    id: str
    owner: str | None
    title: str
    city: str | None
    created_at: datetime
    asked_at: datetime
    turns: int


class Turn(Record):
    """A question and, once the turn is over, its answer; `n` counts from 1 in its thread.

    `version` is the index version that was requested, or None for CURRENT; `where` the filter, or None for all essays.
    `feedback` is 1, -1, or None.
    """

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
    where: Filter | None = None


class StageEvent(Record):
    """What the worker does now, in words for people ("searching the essays")."""

    kind: Literal["stage"] = "stage"
    stage: str


class SourcesEvent(Record):
    """Passages that the answer may cite from now on; their numbers continue from the earlier ones."""

    kind: Literal["sources"] = "sources"
    sources: tuple[Source, ...]


class AttemptEvent(Record):
    """The model starts to answer in a round. A later attempt at the same round replaces the earlier text."""

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
    """A tool call has started (no result or error yet) or ended. A later event replaces an earlier one with its id."""

    kind: Literal["tool"] = "tool"
    use: ToolUse


Event = Annotated[
    StageEvent | SourcesEvent | AttemptEvent | TextEvent | ToolEvent,
    Field(discriminator="kind"),
]
