"""Stores the events of all turns that this process runs, in batches.

An answer arrives in dozens of pieces a second, and twenty answers may run at once. One transaction per piece would
overload the disk. So one thread stores the new events of all turns together, and checks in the same transaction which
turns must stop.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from typing import Final, Literal, TypeVar

from contextual_rag.conversation.model import Event as TurnEvent
from contextual_rag.conversation.model import TextEvent
from contextual_rag.conversation.store import Store
from contextual_rag.errors import RagError, ServiceUnavailableError

__all__ = ["HaltedError", "Journal", "Pen"]

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

# Pieces that arrive within this time are stored together. A reader does not notice the delay.
_BATCH_S: Final = 0.04
# How often to check for stop requests while nothing is written.
_POLL_S: Final = 0.2
# A step fails if the database is unreachable for longer than this.
_FLUSHED_WITHIN_S: Final = 30.0


class HaltedError(RagError):
    """A turn must end with its text so far: the reader stopped it, or its time is over."""

    def __init__(self, how: Literal["stopped", "timed_out"]) -> None:
        super().__init__(how)
        self.how: Final = how


@dataclass
class Pen:
    """Writes the events of one turn, and knows when the turn must halt. `ends_at` is monotonic time."""

    turn_id: str
    ends_at: float
    next_n: int
    _journal: Journal
    _stopping: bool = False
    _wake: Event = field(default_factory=Event)

    def write(self, event: TurnEvent) -> None:
        """Add an event; it is stored soon."""
        self._journal.add(self, event)

    def flush(self) -> None:
        """Wait until all events are stored. Raises ServiceUnavailableError."""
        self._journal.flush()

    def check(self) -> None:
        """Raise HaltedError if the turn must halt."""
        if self._stopping:
            raise HaltedError("stopped")
        if time.monotonic() >= self.ends_at:
            raise HaltedError("timed_out")

    def stop(self) -> None:
        """Halt the turn."""
        self._stopping = True
        self._wake.set()

    def wait_for(self, work: Callable[[], _T], *, within_s: float = math.inf) -> _T:
        """Return the result of `work`, or raise HaltedError as soon as the turn must halt.

        A network call cannot be interrupted: after a halt, `work` runs on until its own time limit. Raises
        ServiceUnavailableError if `work` takes longer than `within_s`.
        """
        self.check()
        done: list[_T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                done.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
                failed.append(error)
            finally:
                self._wake.set()

        gives_up_at = time.monotonic() + within_s
        self._wake.clear()
        Thread(target=run, name=f"turn-{self.turn_id}", daemon=True).start()
        while not done and not failed:
            self.check()
            now = time.monotonic()
            if now >= gives_up_at:
                raise ServiceUnavailableError(
                    f"The operation took longer than {within_s:g} s.", code="service_unavailable_timeout"
                )
            self._wake.wait(min(self.ends_at, gives_up_at) - now)
            self._wake.clear()
        if failed:
            raise failed[0]
        return done[0]


class Journal:
    """Creates pens and stores what they write. Each process that runs turns has one, and closes it at its end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pens: dict[str, Pen] = {}
        self._written: list[tuple[Pen, TurnEvent]] = []
        self._added = self._stored = 0
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @contextmanager
    def pen(self, turn_id: str, *, time_limit_s: float) -> Iterator[Pen]:
        """Create a pen for a turn; it continues after the events that are already stored."""
        pen = Pen(turn_id, time.monotonic() + time_limit_s, self._store.event_count(turn_id), self)
        with self._changed:
            self._pens[turn_id] = pen
            self._changed.notify_all()
        try:
            yield pen
        finally:
            with self._changed:
                del self._pens[turn_id]

    def add(self, pen: Pen, event: TurnEvent) -> None:
        """Add an event of a pen."""
        with self._changed:
            self._written.append((pen, event))
            self._added += 1
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all events added so far are stored. Raises ServiceUnavailableError."""
        with self._changed:
            wanted = self._added
            if not self._changed.wait_for(lambda: self._stored >= wanted, _FLUSHED_WITHIN_S):
                raise ServiceUnavailableError("The conversations database accepts no writes. Check that it runs.")

    def close(self) -> None:
        """Store the remaining events and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=_POLL_S + 5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pens or self._written or self._closed)
                self._changed.wait_for(lambda: self._written or self._closed, _POLL_S)
                closed = self._closed
            if not closed:
                time.sleep(_BATCH_S)
            with self._changed:
                taken, self._written = self._written, []
                pens = dict(self._pens)
            if taken or pens:
                self._exchange(taken, pens)
            with self._changed:
                self._stored += len(taken)
                self._changed.notify_all()
                if self._closed and not self._written:
                    return

    def _exchange(self, taken: list[tuple[Pen, TurnEvent]], pens: dict[str, Pen]) -> None:
        rows = []
        for pen, event in _merged(taken):
            rows.append((pen.turn_id, pen.next_n, event))
            pen.next_n += 1
        while True:
            try:
                stopping = self._store.exchange(rows, pens)
                break
            except ServiceUnavailableError as error:
                _log.warning("%s", error)
                time.sleep(_POLL_S)
            except Exception:  # noqa: BLE001 - this thread serves all turns
                # Only the live view of an answer is lost; its turn stores the answer itself.
                _log.exception("Events of %d turns could not be stored", len({turn for turn, _, _ in rows}))
                return
        for turn_id in stopping:
            pens[turn_id].stop()


def _merged(taken: list[tuple[Pen, TurnEvent]]) -> Iterator[tuple[Pen, TurnEvent]]:
    """Yield events in order; consecutive texts of one attempt are merged."""
    last: dict[str, tuple[Pen, TurnEvent]] = {}
    for pen, event in taken:
        before = last.get(pen.turn_id)
        if (
            isinstance(event, TextEvent)
            and before
            and isinstance(before[1], TextEvent)
            and (before[1].round, before[1].attempt) == (event.round, event.attempt)
        ):
            last[pen.turn_id] = pen, before[1].model_copy(update={"text": before[1].text + event.text})
            continue
        if before:
            yield before
        last[pen.turn_id] = pen, event
    yield from last.values()
