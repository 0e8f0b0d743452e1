"""The stream of events of all turns that this process runs, stored together.

An answer comes in dozens of pieces a second, and twenty answers at once. Each piece in a transaction of its own would
keep the disk busy with nothing else; so one thread stores what has come in a moment for all turns at once, and asks at
the same time which of them are to stop.
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

# Pieces of this long are stored together; to a reader it is not to be told from at once.
_GATHERED_S: Final = 0.04
# While nothing is written, a wish to stop is looked for this often.
_LOOK_S: Final = 0.2
# A database that cannot be reached for longer fails the step that waits for it.
_FLUSHED_WITHIN_S: Final = 30.0


class HaltedError(RagError):
    """A turn is to end with what it has: somebody stopped it, or its time is over."""

    def __init__(self, how: Literal["stopped", "timed_out"]) -> None:
        super().__init__(how)
        self.how: Final = how


@dataclass
class Pen:
    """Writes the events of one turn, and knows when the turn has to halt; `ends_at` by the monotonic clock."""

    turn_id: str
    ends_at: float
    next_n: int
    _journal: Journal
    _stopping: bool = False
    _wake: Event = field(default_factory=Event)

    def write(self, event: TurnEvent) -> None:
        """Have an event stored soon."""
        self._journal.add(self, event)

    def flush(self) -> None:
        """Wait until all is stored. Raises ServiceUnavailableError."""
        self._journal.flush()

    def check(self) -> None:
        """Raise HaltedError where the turn has to halt."""
        if self._stopping:
            raise HaltedError("stopped")
        if time.monotonic() >= self.ends_at:
            raise HaltedError("timed_out")

    def stop(self) -> None:
        """Halt the turn."""
        self._stopping = True
        self._wake.set()

    def await_(self, work: Callable[[], _T], *, within_s: float = math.inf) -> _T:
        """Return what the work gives, or raise HaltedError as soon as the turn has to halt.

        The work is then left to end by itself, as its own time limits have it: what waits for a network cannot be
        interrupted. Raises ServiceUnavailableError where the work alone takes too long.
        """
        self.check()
        done: list[_T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                done.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
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
                    f"It took longer than {within_s:g} s.", code="service_unavailable_timeout"
                )
            self._wake.wait(min(self.ends_at, gives_up_at) - now)
            self._wake.clear()
        if failed:
            raise failed[0]
        return done[0]


class Journal:
    """Makes pens and stores what they write. One for each process that runs turns; closed at its end."""

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
        """A pen for a turn, which goes on after what was written of it before."""
        pen = Pen(turn_id, time.monotonic() + time_limit_s, self._store.events_of(turn_id), self)
        with self._changed:
            self._pens[turn_id] = pen
            self._changed.notify_all()
        try:
            yield pen
        finally:
            with self._changed:
                del self._pens[turn_id]

    def add(self, pen: Pen, event: TurnEvent) -> None:
        """Take an event."""
        with self._changed:
            self._written.append((pen, event))
            self._added += 1
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all that was taken so far is stored. Raises ServiceUnavailableError."""
        with self._changed:
            wanted = self._added
            if not self._changed.wait_for(lambda: self._stored >= wanted, _FLUSHED_WITHIN_S):
                raise ServiceUnavailableError("The database of conversations takes nothing: see that it runs.")

    def close(self) -> None:
        """Store what is left and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=_LOOK_S + 5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pens or self._written or self._closed)
                self._changed.wait_for(lambda: self._written or self._closed, _LOOK_S)
                closed = self._closed
            if not closed:
                time.sleep(_GATHERED_S)
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
                time.sleep(_LOOK_S)
            except Exception:  # noqa: BLE001 - this thread serves all turns
                # Only what is seen of an answer while it is made; the answer itself is stored by its turn.
                _log.exception("Events of %d turns could not be stored", len({turn for turn, _, _ in rows}))
                return
        for turn_id in stopping:
            pens[turn_id].stop()


def _merged(taken: list[tuple[Pen, TurnEvent]]) -> Iterator[tuple[Pen, TurnEvent]]:
    """Yield events in their order, with texts that follow each other in a turn's attempt as one."""
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
