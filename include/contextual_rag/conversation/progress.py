"""Events → what is to be shown of an answer that is being made; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pydantic import Field

from contextual_rag.conversation.model import (
    AttemptEvent,
    Event,
    Source,
    SourcesEvent,
    StageEvent,
    TextEvent,
    ToolEvent,
    ToolUse,
)
from contextual_rag.record import Record

__all__ = ["Progress", "fold", "joined"]


class _Said(Record):
    """What an attempt at a round has said."""

    attempt: str
    text: str = ""


class Progress(Record):
    """What is known of an answer so far. `restarted` counts attempts that had to begin again.

    `rounds` are the model's, from 0 on, each with the text of its last attempt.
    """

    stage: str = ""
    sources: tuple[Source, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    restarted: int = 0
    rounds: dict[int, _Said] = Field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the model has said, of all its rounds."""
        return joined([self.rounds[n].text for n in sorted(self.rounds)])

    def with_(self, event: Event) -> Progress:
        """Return what is known after one more event."""
        match event:
            case StageEvent():
                return self._but(stage=event.stage)
            case SourcesEvent():
                by_number = {source.n: source for source in (*self.sources, *event.sources)}
                return self._but(sources=tuple(by_number[n] for n in sorted(by_number)))
            case ToolEvent():
                by_id = {use.id: use for use in (*self.tools, event.use)}
                return self._but(tools=tuple(by_id.values()))
            case AttemptEvent():
                again = event.round in self.rounds
                # A round that is begun again makes later ones void; there are none but by a fault.
                kept = {n: said for n, said in self.rounds.items() if n < event.round}
                rounds = kept | {event.round: _Said(attempt=event.attempt)}
                return self._but(rounds=rounds, restarted=self.restarted + again)
            case TextEvent():
                said = self.rounds.get(event.round)
                if said is None or said.attempt != event.attempt:
                    return self
                longer = said.model_copy(update={"text": said.text + event.text})
                return self._but(rounds=self.rounds | {event.round: longer})

    def _but(self, **changed: object) -> Progress:
        return self.model_copy(update=changed)


def fold(events: Iterable[Event]) -> Progress:
    """Return what is known after all these events, from the first on."""
    return reduce(Progress.with_, events, Progress())


def joined(texts: Sequence[str]) -> str:
    """Return what a model said in its rounds as one text."""
    return "\n\n".join(text.strip() for text in texts if text.strip())
