"""Events → what to show of an answer in progress; pure."""

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


class _RoundText(Record):
    """The text of an attempt at a round."""

    attempt: str
    text: str = ""


class Progress(Record):
    """What is known of an answer so far. `restarted` counts attempts that had to start again.

    `rounds` holds the text of each round's last attempt; rounds count from 0.
    """

    stage: str = ""
    sources: tuple[Source, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    restarted: int = 0
    rounds: dict[int, _RoundText] = Field(default_factory=dict)

    @property
    def text(self) -> str:
        """The model's text in all rounds."""
        return joined([self.rounds[n].text for n in sorted(self.rounds)])

    def after(self, event: Event) -> Progress:
        """Return the progress after one more event."""
        match event:
            case StageEvent():
                return self._changed(stage=event.stage)
            case SourcesEvent():
                by_number = {source.n: source for source in (*self.sources, *event.sources)}
                return self._changed(sources=tuple(by_number[n] for n in sorted(by_number)))
            case ToolEvent():
                by_id = {use.id: use for use in (*self.tools, event.use)}
                return self._changed(tools=tuple(by_id.values()))
            case AttemptEvent():
                again = event.round in self.rounds
                # A restarted round makes later rounds invalid; normally there are none.
                kept = {n: text for n, text in self.rounds.items() if n < event.round}
                rounds = kept | {event.round: _RoundText(attempt=event.attempt)}
                return self._changed(rounds=rounds, restarted=self.restarted + again)
            case TextEvent():
                before = self.rounds.get(event.round)
                if before is None or before.attempt != event.attempt:
                    return self
                longer = before.model_copy(update={"text": before.text + event.text})
                return self._changed(rounds=self.rounds | {event.round: longer})

    def _changed(self, **changed: object) -> Progress:
        return self.model_copy(update=changed)


def fold(events: Iterable[Event]) -> Progress:
    """Return the progress after all these events, starting with the first."""
    return reduce(Progress.after, events, Progress())


def joined(texts: Sequence[str]) -> str:
    """Join the texts of a model's rounds."""
    return "\n\n".join(text.strip() for text in texts if text.strip())
