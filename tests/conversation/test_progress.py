"""The shown answer depends only on its events."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

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
from contextual_rag.conversation.progress import Progress, fold, joined
from tests.small_world import passage

_WORDS = st.text("ab .", max_size=6)
_SOURCES = [
    Source(n=n, chunk=passage(f"Passage {n}", f"essay{n}"), score=0.0, bm25_rank=None, vector_rank=None, cosine=None)
    for n in range(1, 4)
]


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Event], list[str], int]:
    """Events of a turn with kills in any attempt, the texts of its last attempts, and the number of kills."""
    events: list[Event] = [StageEvent(stage="searching"), SourcesEvent(sources=tuple(_SOURCES))]
    texts, killed = [], 0
    for n in range(draw(st.integers(1, 4))):
        attempts = draw(st.lists(st.lists(_WORDS, max_size=5), min_size=1, max_size=4))
        killed += len(attempts) - 1
        for number, pieces in enumerate(attempts):
            name = f"{n}-{number}"
            events.append(AttemptEvent(round=n, attempt=name))
            events += [TextEvent(round=n, attempt=name, text=piece) for piece in pieces]
        texts.append("".join(attempts[-1]))
        use = ToolUse(id=f"{n}.0", name="get_weather", arguments={})
        events += [ToolEvent(use=use), ToolEvent(use=use.model_copy(update={"result": f"rain {n}"}))]
    return events, texts, killed


class TestFold:
    @given(rounds())
    def test_shows_the_last_attempt_at_each_round(self, told: tuple[list[Event], list[str], int]) -> None:
        events, texts, killed = told
        seen = fold(events)
        assert seen.text == joined(texts)
        assert seen.restarted == killed
        assert [use.result for use in seen.tools] == [f"rain {n}" for n in range(len(texts))]
        assert list(seen.sources) == _SOURCES

    @given(rounds(), st.integers(0, 60))
    def test_does_not_depend_on_how_the_events_arrive(self, told: tuple[list[Event], list[str], int], cut: int) -> None:
        events, _, _ = told
        later = _and_then(fold(events[:cut]), events[cut:])
        assert later == fold(events)

    @given(rounds(), st.integers(0, 60))
    def test_ignores_the_text_of_a_replaced_attempt(self, told: tuple[list[Event], list[str], int], cut: int) -> None:
        events, _, _ = told
        late = [event for event in events[:cut] if isinstance(event, TextEvent)]
        current = {event.round: event.attempt for event in events if isinstance(event, AttemptEvent)}
        stale = [event for event in late if current[event.round] != event.attempt]
        assert fold([*events, *stale]) == fold(events)

    def test_keeps_the_number_of_a_repeated_passage(self) -> None:
        seen = fold([SourcesEvent(sources=tuple(_SOURCES[1:])), SourcesEvent(sources=tuple(_SOURCES[:2]))])
        assert [source.n for source in seen.sources] == [1, 2, 3]


def _and_then(seen: Progress, events: Iterable[Event]) -> Progress:
    for event in events:
        seen = seen.after(event)
    return seen
