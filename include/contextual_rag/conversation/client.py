"""Conversations as the page, the API and the commands see them: ask, follow, stop, read again.

Nothing here waits for the worker or needs one: what is asked while none runs is answered by the next.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from textwrap import shorten
from typing import Final, Literal

import sqlalchemy as sa

from contextual_rag.conversation.endings import broken_off
from contextual_rag.conversation.engine import create_engine, database_url, reaching
from contextual_rag.conversation.export import as_json, as_markdown
from contextual_rag.conversation.migrations import migrate
from contextual_rag.conversation.model import LONGEST_QUESTION, Event, Thread, Turn
from contextual_rag.conversation.progress import fold
from contextual_rag.conversation.queue import Queue
from contextual_rag.conversation.storable import storable
from contextual_rag.conversation.store import Store
from contextual_rag.errors import ConflictError, QuestionError
from contextual_rag.settings import Settings

__all__ = ["Conversations"]

_TITLE: Final = 80
_LONGEST_COMMENT: Final = 4000
_TURN_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
# How often a turn is looked at that is followed: while it is being answered, and while nothing comes for long.
_LOOK_S: Final = 0.04
_IDLE_LOOK_S: Final = 0.2
_IDLE_AFTER_S: Final = 5.0
# How often it is asked whether the work on a turn ended without an answer.
_DOUBT_S: Final = 2.0


class Conversations:
    """All conversations of a database. Safe to share between threads; one for each process, closed after use.

    Everything here raises ServiceUnavailableError where the database cannot be used.

    `owner` is who asks: a thread of theirs or of nobody's is there for them, any other is not. None is anybody.
    """

    def __init__(self, settings: Settings) -> None:
        self._engine = create_engine(database_url(settings))
        self._store = Store(self._engine)
        with reaching():
            migrate(self._engine)
            self._queue = Queue(self._engine)

    def close(self) -> None:
        """Let go of the database; what is being followed ends with an error."""
        self._queue.close()
        self._engine.dispose()

    def start_thread(self, owner: str | None, *, city: str | None = None) -> Thread:
        """Begin a conversation. Its id cannot be guessed; `city` is where the person is, for tools that ask."""
        now = datetime.now(UTC)
        thread = Thread(
            id=secrets.token_urlsafe(16), owner=owner, title="", city=city, created_at=now, asked_at=now, turns=0
        )
        self._store.add_thread(thread)
        return thread

    def threads(self, owner: str | None, *, search: str = "", limit: int = 100) -> list[Thread]:
        """Return an owner's conversations, the newest asked first: those where title, questions or answers have each
        word of a search."""
        return self._store.threads(owner, storable(search), limit)

    def thread(self, thread_id: str, owner: str | None) -> Thread:
        """Return a conversation. Raises UnknownThreadError, as all that name one do."""
        return self._store.thread(thread_id, owner)

    def turns(self, thread_id: str, owner: str | None) -> list[Turn]:
        """Return the turns of a conversation in their order."""
        return self._store.turns(self.thread(thread_id, owner).id)

    def turn(self, turn_id: str, owner: str | None) -> Turn:
        """Return a turn. Raises UnknownTurnError, as all that name one do."""
        return self._store.turn(turn_id, owner)

    def rename(self, thread_id: str, owner: str | None, title: str) -> None:
        """Give a conversation another title, of which one line is kept."""
        self._store.rename(self.thread(thread_id, owner).id, _line(title) or "Untitled")

    def delete(self, thread_id: str, owner: str | None) -> None:
        """Remove a conversation for good; what is being answered in it is given up."""
        self._queue.cancel(self._store.delete(self.thread(thread_id, owner).id))

    def ask(
        self, thread_id: str, owner: str | None, question: str, *, turn_id: str, version: str | None = None
    ) -> Turn:
        """Ask the next question of a conversation, of CURRENT or of an index version.

        The asker chooses `turn_id`: asked again with the same one, nothing happens and the turn is returned as it is.
        Raises QuestionError.
        """
        question = _asked(question)
        if not _TURN_ID.fullmatch(turn_id):
            raise QuestionError(
                "A question's id must have 8 to 64 letters, digits, _ or -: choose it by chance.", code="question_id"
            )
        thread = self.thread(thread_id, owner)
        if known := self._known(turn_id, thread):
            return known
        try:
            with self._store.transaction() as connection:
                turn = self._store.add_turn(connection, thread.id, turn_id, question, _line(question), version)
                self._queue.put(connection, turn.id, thread.id, turn.n)
        except sa.exc.IntegrityError:
            # Somebody posted the same a moment ago.
            if known := self._known(turn_id, thread):
                return known
            raise ConflictError("The question could not be stored beside another one: ask again.") from None
        return turn

    def _known(self, turn_id: str, thread: Thread) -> Turn | None:
        turn = self._store.find_turn(turn_id)
        if turn and turn.thread_id != thread.id:
            raise QuestionError(
                "A question with this id was asked in another conversation: choose another id.", code="question_id"
            )
        return turn

    def follow(
        self, turn_id: str, owner: str | None, *, offset: int = 0, wait_s: float = 1.0
    ) -> Iterator[Event | None]:
        """Yield what happens to a turn, from its `offset`th event on, until it is over; then `turn` has the answer.

        Yields None whenever nothing came for `wait_s`, so that the reader can do something else or leave. The events of
        a turn that has long been over are gone: then this ends at once.
        """
        self.turn(turn_id, owner)
        news = heard = doubted = time.monotonic()
        while True:
            events, over = self._store.unfolded(turn_id, offset)
            yield from events
            if over:
                return
            offset += len(events)
            now = time.monotonic()
            if events:
                news = heard = doubted = now
            elif now - heard >= wait_s:
                yield None
                heard = time.monotonic()
            if now - doubted >= _DOUBT_S:
                self._reconcile(turn_id)
                doubted = now
            time.sleep(min(wait_s, _LOOK_S if now - news < _IDLE_AFTER_S else _IDLE_LOOK_S))

    def _reconcile(self, turn_id: str) -> None:
        """Give a turn its explanation where the work on it ended without leaving one."""
        if self._queue.ended([turn_id]).get(turn_id):
            so_far = fold(self._store.unfolded(turn_id, 0).events)
            self._store.end(turn_id, broken_off(so_far))

    def stop(self, turn_id: str, owner: str | None) -> None:
        """Ask that an answer ends with what was said; one that is over stays as it is."""
        self._store.stop(self.turn(turn_id, owner).id)

    def rate(self, turn_id: str, owner: str | None, feedback: int | None, comment: str = "") -> None:
        """Keep what the reader thinks of an answer: 1, -1, or None to take it back."""
        if feedback not in (1, -1, None):
            raise QuestionError("Feedback is 1, -1, or nothing.", code="question_feedback")
        self._store.rate(self.turn(turn_id, owner).id, feedback, storable(comment[:_LONGEST_COMMENT]))

    def export(self, thread_id: str, owner: str | None, form: Literal["markdown", "json"]) -> str:
        """Return a whole conversation with its sources as a text."""
        thread, turns = self.thread(thread_id, owner), self.turns(thread_id, owner)
        return as_markdown(thread, turns) if form == "markdown" else as_json(thread, turns)

    def worker_seen_at(self) -> datetime | None:
        """Return when a worker last gave a sign of life, which it does every few seconds; None where none ever did."""
        return self._store.seen_at()


def _asked(question: str) -> str:
    """Return a question as it is stored. Raises QuestionError."""
    question = storable(question).strip()
    if not question:
        raise QuestionError("The question is empty: write one.", code="question_empty")
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(question):,} characters, and at most {LONGEST_QUESTION:,} are allowed: shorten it.",
            code="question_long",
        )
    return question


def _line(text: str) -> str:
    text = storable(text)
    # A word that is longer than the whole line would be left out.
    return shorten(text, _TITLE, placeholder=" …").removeprefix("…").strip() or text.strip()[:_TITLE]
