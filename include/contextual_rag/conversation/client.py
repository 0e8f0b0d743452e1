"""Conversations for the page, the API and the commands: ask, follow, stop, read again.

No call here needs a running worker: the next worker answers what was asked in the meantime.
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

from contextual_rag.conversation.allowance import Allowance
from contextual_rag.conversation.endings import broken_off
from contextual_rag.conversation.engine import create_engine, database_url, reaching
from contextual_rag.conversation.export import as_json, as_markdown
from contextual_rag.conversation.migrations import migrate
from contextual_rag.conversation.model import Event, Indexing, Thread, Turn
from contextual_rag.conversation.progress import fold
from contextual_rag.conversation.queue import Queue
from contextual_rag.conversation.storable import storable
from contextual_rag.conversation.store import Ended, Store
from contextual_rag.errors import ConflictError, QuestionError
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.settings import Settings

__all__ = ["Conversations"]

_TITLE: Final = 80
_LONGEST_COMMENT: Final = 4000
_TURN_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
# How often a followed turn is polled: while events arrive, and after a time without events.
_POLL_S: Final = 0.04
_IDLE_POLL_S: Final = 0.2
_IDLE_AFTER_S: Final = 5.0
# How often to check whether the workflow of a turn ended without an answer.
_RECONCILE_S: Final = 2.0


class Conversations:
    """All conversations of a database. Safe to share between threads. Use one per process, and close it after use.

    Every method raises ServiceUnavailableError if the database cannot be used.

    `owner` is the person who asks; None is an anonymous reader. They see their own threads and threads without an
    owner.
    """

    def __init__(self, settings: Settings) -> None:
        self._engine = create_engine(database_url(settings))
        self._store = Store(self._engine)
        self._allowance = Allowance(self._store, settings.questions_per_minute)
        with reaching():
            migrate(self._engine)
            self._queue = Queue(self._engine)

    def close(self) -> None:
        """Close the database; `follow` then ends with an error."""
        self._queue.close()
        self._engine.dispose()

    def take(self, client: str, what: str = "questions") -> int:
        """Count a question, or something else, of a client; return 0, or the seconds to wait if the limit is reached.

        At most RAG_QUESTIONS_PER_MINUTE are counted in any minute, by all processes with this database together.
        """
        return self._allowance.take(client, what)

    def index_uploads(self) -> None:
        """Let a worker build an index of what is uploaded by now."""
        self._queue.put_build()

    def indexing(self) -> Indexing | None:
        """Return how far the build of uploads is that runs, or what the newest came to; None if there is none."""
        return self._queue.build()

    def start_thread(self, owner: str | None, *, city: str | None = None) -> Thread:
        """Start a conversation. Its id cannot be guessed. `city` is the person's city, for tools that need it."""
        thread = _new_thread(owner, city)
        with self._store.transaction() as connection:
            self._store.add_thread(connection, thread)
        return thread

    def threads(self, owner: str | None, *, search: str = "", limit: int = 100) -> list[Thread]:
        """Return an owner's conversations, most recently asked first.

        With a search, each of its words must occur in the title, the questions or the answers.
        """
        return self._store.threads(owner, storable(search), limit)

    def thread(self, thread_id: str, owner: str | None) -> Thread:
        """Return a conversation. Raises UnknownThreadError, as do all methods with a `thread_id`."""
        return self._store.thread(thread_id, owner)

    def turns(self, thread_id: str, owner: str | None) -> list[Turn]:
        """Return the turns of a conversation in order."""
        return self._store.turns(self.thread(thread_id, owner).id)

    def turn(self, turn_id: str, owner: str | None) -> Turn:
        """Return a turn. Raises UnknownTurnError, as do all methods with a `turn_id`."""
        return self._store.turn(turn_id, owner)

    def rename(self, thread_id: str, owner: str | None, title: str) -> None:
        """Change the title of a conversation; it is cut to one line."""
        self._store.rename(self.thread(thread_id, owner).id, _line(title) or "Untitled")

    def delete(self, thread_id: str, owner: str | None) -> None:
        """Delete a conversation for good, and cancel its pending turns."""
        self._queue.cancel(self._store.delete(self.thread(thread_id, owner).id))

    def ask(
        self,
        thread_id: str | None,
        owner: str | None,
        question: str,
        *,
        turn_id: str,
        version: str | None = None,
        where: Filter | None = None,
        city: str | None = None,
    ) -> Turn:
        """Ask the next question of a conversation; without `thread_id`, the first one of a new one in this `city`.

        The current index version answers, or the given `version`, from all essays or from those that match `where`.
        The caller chooses `turn_id`: a repeated call returns the existing turn unchanged, as `asked` does. Raises
        QuestionError, UnknownThreadError, and UnknownTurnError if the id is somebody else's.
        """
        where = where or None
        if known := self.asked(thread_id, owner, question, turn_id=turn_id, version=version, where=where):
            return known
        thread = self.thread(thread_id, owner) if thread_id else _new_thread(owner, city)
        question = _checked_question(question)
        try:
            with self._store.transaction() as connection:
                if not thread_id:
                    # In the same transaction, so that of two calls at once only one leaves a conversation.
                    self._store.add_thread(connection, thread)
                turn = self._store.add_turn(connection, thread.id, turn_id, question, _line(question), version, where)
                self._queue.put(connection, turn.id, thread.id, turn.n)
        except sa.exc.IntegrityError:
            # Another call stored the same id a moment ago.
            if known := self.asked(thread_id, owner, question, turn_id=turn_id, version=version, where=where):
                return known
            raise ConflictError("Another question was stored at the same moment. Ask again.") from None
        return turn

    def asked(
        self,
        thread_id: str | None,
        owner: str | None,
        question: str,
        *,
        turn_id: str,
        version: str | None = None,
        where: Filter | None = None,
    ) -> Turn | None:
        """Return the turn that an earlier `ask` with these arguments stored, or None.

        Raises QuestionError if the id was used for anything else, and UnknownTurnError if by somebody else.
        """
        question = _checked_question(question)
        if not _TURN_ID.fullmatch(turn_id):
            raise QuestionError("Invalid question id. Use 8 to 64 random letters, digits, _ or -.", code="question_id")
        if self._store.find_turn(turn_id) is None:
            return None
        turn = self.turn(turn_id, owner)
        if thread_id not in {None, turn.thread_id}:
            raise QuestionError(
                "This question id is already used in another conversation. Choose another id.", code="question_id"
            )
        if (turn.question, turn.version, turn.where) != (question, version, where or None):
            raise QuestionError(
                "This question id is already used for another question. Choose another id.", code="question_reused"
            )
        return turn

    def follow(
        self, turn_id: str, owner: str | None, *, offset: int = 0, wait_s: float = 1.0
    ) -> Iterator[Event | None]:
        """Yield the events of a turn, starting with the `offset`th, until the turn is over; `turn` has the answer then.

        Yields None after each `wait_s` without an event, so that the caller can do something else or stop. Events are
        deleted some time after the turn is over; then this ends at once.
        """
        self.turn(turn_id, owner)
        last_event = last_yield = reconciled = time.monotonic()
        while True:
            events, over = self._store.unfolded(turn_id, offset)
            yield from events
            if over:
                return
            offset += len(events)
            now = time.monotonic()
            if events:
                last_event = last_yield = reconciled = now
            elif now - last_yield >= wait_s:
                yield None
                last_yield = time.monotonic()
            if now - reconciled >= _RECONCILE_S:
                self._reconcile(turn_id)
                reconciled = now
            time.sleep(min(wait_s, _POLL_S if now - last_event < _IDLE_AFTER_S else _IDLE_POLL_S))

    def _reconcile(self, turn_id: str) -> None:
        """Store an explanation if the workflow of a turn ended without an answer."""
        if self._queue.ended([turn_id]).get(turn_id):
            so_far = fold(self._store.unfolded(turn_id, 0).events)
            self._store.end(turn_id, broken_off(so_far))

    def stop(self, turn_id: str, owner: str | None) -> None:
        """Request that an answer stops with its text so far. A finished answer does not change."""
        self._store.stop(self.turn(turn_id, owner).id)

    def rate(self, turn_id: str, owner: str | None, feedback: int | None, comment: str = "") -> None:
        """Store the reader's rating of an answer: 1, -1, or None to remove it."""
        if feedback not in (1, -1, None):
            raise QuestionError("Invalid feedback. Use 1, -1 or null.", code="question_feedback")
        self._store.rate(self.turn(turn_id, owner).id, feedback, storable(comment[:_LONGEST_COMMENT]))

    def rated(self) -> list[Turn]:
        """Return everybody's turns that were rated or commented on, oldest first. No reader may see them."""
        return self._store.rated()

    def export(self, thread_id: str, owner: str | None, form: Literal["markdown", "json"]) -> str:
        """Return a whole conversation with its sources as text."""
        thread, turns = self.thread(thread_id, owner), self.turns(thread_id, owner)
        return as_markdown(thread, turns) if form == "markdown" else as_json(thread, turns)

    def ended_after(self, time: float) -> list[Ended]:
        """Return how everybody's turns ended that did so after a time (seconds since 1970), without their texts."""
        return self._store.ended_after(time)

    def waiting_since(self) -> float | None:
        """Return when the oldest question without an end was asked (seconds since 1970), or None."""
        return self._store.waiting_since()

    def worker_seen_at(self) -> datetime | None:
        """Return the time of the last heartbeat of any worker, or None. A worker sends one every few seconds."""
        return self._store.seen_at()


def _new_thread(owner: str | None, city: str | None) -> Thread:
    now = datetime.now(UTC)
    city = storable(city or "") or None
    return Thread(id=secrets.token_urlsafe(16), owner=owner, title="", city=city, created_at=now, asked_at=now, turns=0)


def _checked_question(question: str) -> str:
    """Return a question as it is stored. Raises QuestionError."""
    question = storable(question).strip()
    if not question:
        raise QuestionError("The question is empty. Write a question.", code="question_empty")
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question is too long: {len(question):,} characters; at most {LONGEST_QUESTION:,} are allowed. "
            "Shorten it.",
            code="question_long",
        )
    return question


def _line(text: str) -> str:
    text = storable(text)
    # `shorten` would drop a word that is longer than the whole line.
    return shorten(text, _TITLE, placeholder=" …").removeprefix("…").strip() or text.strip()[:_TITLE]
