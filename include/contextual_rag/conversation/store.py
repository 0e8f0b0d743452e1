"""Reads and writes the tables of threads and turns.

Only these tables hold questions and answers. DBOS's own tables are a disposable log.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic import TypeAdapter

from contextual_rag.conversation.engine import reaching
from contextual_rag.conversation.model import Answer, Event, Status, Thread, Turn
from contextual_rag.conversation.storable import storable
from contextual_rag.conversation.tables import EVENTS, THREAD, TURN, WORKER
from contextual_rag.errors import UnknownThreadError, UnknownTurnError
from contextual_rag.qa.filters import Filter

__all__ = ["Asked", "Ended", "Store", "Unfolded"]

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)

# Compiled once: it runs many times a second for each followed answer.
_EVENTS_FROM = (
    sa.select(TURN.c.ended_at, EVENTS.c.body)
    .select_from(TURN.outerjoin(EVENTS, sa.and_(EVENTS.c.turn_id == TURN.c.id, EVENTS.c.n >= sa.bindparam("offset"))))
    .where(TURN.c.id == sa.bindparam("turn"))
    .order_by(EVENTS.c.n)
)


class Asked(NamedTuple):
    """A question to answer, with its thread's city and the finished turns before it, oldest first."""

    turn: Turn
    city: str | None
    earlier: list[Turn]


class Ended(NamedTuple):
    """How a turn ended, when (seconds since 1970), and how long its reader waited for the first word and the end."""

    id: str
    ended_at: float
    status: Status
    seconds: float
    first_token_s: float | None


class Unfolded(NamedTuple):
    """The events of a turn from an offset on, and whether the turn is over; then no more follow."""

    events: list[Event]
    over: bool


class Store:
    """The tables. Safe to share between threads.

    Raises ServiceUnavailableError if the database cannot be reached or is locked for too long. A thread without an
    owner is readable by anyone who knows its id. For a thread with an owner, others get an error as if there were none.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction; it is committed at the end of the block."""
        with reaching(), self.engine.begin() as connection:
            yield connection

    def add_thread(self, c: sa.Connection, thread: Thread) -> None:
        """Store a new thread, in a transaction."""
        c.execute(sa.insert(THREAD).values(_row(thread)))

    def thread(self, thread_id: str, owner: str | None) -> Thread:
        """Return a thread. Raises UnknownThreadError."""
        with self.transaction() as c:
            query = sa.select(THREAD).where(THREAD.c.id == storable(thread_id), _readable(owner))
            row = c.execute(query).mappings().first()
        if row is None:
            raise UnknownThreadError(f"Unknown conversation {thread_id!r}. It may have been deleted.")
        return _thread(row)

    def threads(self, owner: str | None, search: str, limit: int) -> list[Thread]:
        """Return an owner's threads with at least one question, most recently asked first."""
        query = sa.select(THREAD).where(THREAD.c.owner.is_not_distinct_from(owner), THREAD.c.turns > 0)
        for word in search.split():
            has_word = sa.or_(
                TURN.c.question.icontains(word, autoescape=True), TURN.c.said.icontains(word, autoescape=True)
            )
            in_turn = sa.exists().where(TURN.c.thread_id == THREAD.c.id, has_word)
            query = query.where(sa.or_(THREAD.c.title.icontains(word, autoescape=True), in_turn))
        with self.transaction() as c:
            rows = c.execute(query.order_by(THREAD.c.asked_at.desc(), THREAD.c.id).limit(limit)).mappings().all()
        return [_thread(row) for row in rows]

    def rename(self, thread_id: str, title: str) -> None:
        """Change the title of a thread."""
        with self.transaction() as c:
            c.execute(sa.update(THREAD).where(THREAD.c.id == thread_id).values(title=title))

    def delete(self, thread_id: str) -> list[str]:
        """Delete a thread with all its turns; return the ids of the turns that were pending."""
        of_thread = TURN.c.thread_id == thread_id
        with self.transaction() as c:
            # Writing first locks the thread: no question can be added before it is deleted.
            c.execute(sa.update(THREAD).where(THREAD.c.id == thread_id).values(turns=0))
            pending = c.execute(sa.select(TURN.c.id).where(of_thread, TURN.c.ended_at.is_(None))).scalars().all()
            c.execute(sa.delete(EVENTS).where(EVENTS.c.turn_id.in_(sa.select(TURN.c.id).where(of_thread))))
            c.execute(sa.delete(THREAD).where(THREAD.c.id == thread_id))
        return list(pending)

    def add_turn(
        self,
        c: sa.Connection,
        thread_id: str,
        turn_id: str,
        question: str,
        title: str,
        version: str | None,
        where: Filter | None = None,
    ) -> Turn:
        """Store a question as the next turn of a thread, in a transaction. A thread without a title gets `title`."""
        now = time.time()
        # Writing first locks the thread, so that two questions at once do not get the same number.
        n = c.execute(
            sa.update(THREAD)
            .where(THREAD.c.id == thread_id)
            .values(
                turns=THREAD.c.turns + 1,
                asked_at=now,
                title=sa.case((THREAD.c.title == "", title), else_=THREAD.c.title),
            )
            .returning(THREAD.c.turns)
        ).scalar()
        if n is None:
            raise UnknownThreadError(f"Unknown conversation {thread_id!r}. It may have been deleted.")
        row = {"id": turn_id, "thread_id": thread_id, "n": n, "question": question, "version": version}
        stored = where.model_dump_json() if where else None
        c.execute(sa.insert(TURN).values(row | {"created_at": now, "stopping": 0, "comment": "", "filter": stored}))
        return Turn(**row, where=where, created_at=_at(now), stopping=False, answer=None, feedback=None, comment="")

    def find_turn(self, turn_id: str) -> Turn | None:
        """Return a turn without checking its owner, or None."""
        with self.transaction() as c:
            row = c.execute(sa.select(TURN).where(TURN.c.id == turn_id)).mappings().first()
        return _turn(row) if row else None

    def turn(self, turn_id: str, owner: str | None) -> Turn:
        """Return a turn. Raises UnknownTurnError."""
        query = sa.select(TURN).join(THREAD, THREAD.c.id == TURN.c.thread_id)
        with self.transaction() as c:
            row = c.execute(query.where(TURN.c.id == storable(turn_id), _readable(owner))).mappings().first()
        if row is None:
            raise UnknownTurnError(f"Unknown question {turn_id!r}. Its conversation may have been deleted.")
        return _turn(row)

    def turns(self, thread_id: str) -> list[Turn]:
        """Return a thread's turns in order."""
        with self.transaction() as c:
            query = sa.select(TURN).where(TURN.c.thread_id == thread_id).order_by(TURN.c.n)
            return [_turn(row) for row in c.execute(query).mappings().all()]

    def asked(self, turn_id: str, exchanges: int) -> Asked | None:
        """Return a question with up to `exchanges` turns before it, or None if it was deleted."""
        with self.transaction() as c:
            query = sa.select(TURN, THREAD.c.city).join(THREAD, THREAD.c.id == TURN.c.thread_id)
            row = c.execute(query.where(TURN.c.id == turn_id)).mappings().first()
            if row is None:
                return None
            before = sa.and_(TURN.c.thread_id == row["thread_id"], TURN.c.n < row["n"], TURN.c.ended_at.is_not(None))
            last = sa.select(TURN).where(before).order_by(TURN.c.n.desc()).limit(exchanges)
            earlier = [_turn(found) for found in c.execute(last).mappings().all()]
        return Asked(_turn(row), row["city"], earlier[::-1])

    def end(self, turn_id: str, answer: Answer) -> bool:
        """Store the answer of a pending turn; return False if it already has one or was deleted."""
        values = {"answer": answer.model_dump_json(), "said": answer.text, "ended_at": time.time()}
        with self.transaction() as c:
            pending = sa.and_(TURN.c.id == turn_id, TURN.c.ended_at.is_(None))
            return c.execute(sa.update(TURN).where(pending).values(values)).rowcount > 0

    def ended_after(self, time: float) -> list[Ended]:
        """Return how the turns ended that did so after a time (seconds since 1970)."""
        query = sa.select(TURN.c.id, TURN.c.created_at, TURN.c.ended_at, TURN.c.answer)
        with self.transaction() as c:
            return [_ended(*row) for row in c.execute(query.where(TURN.c.ended_at > time))]

    def stop(self, turn_id: str) -> None:
        """Request that a turn stops with its text so far."""
        with self.transaction() as c:
            pending = sa.and_(TURN.c.id == turn_id, TURN.c.ended_at.is_(None))
            c.execute(sa.update(TURN).where(pending).values(stopping=1))

    def rate(self, turn_id: str, feedback: int | None, comment: str) -> None:
        """Store a reader's rating of an answer."""
        with self.transaction() as c:
            c.execute(sa.update(TURN).where(TURN.c.id == turn_id).values(feedback=feedback, comment=comment))

    def rated(self) -> list[Turn]:
        """Return the turns that readers rated or wrote about, oldest first, whoever asked."""
        said = sa.or_(TURN.c.feedback.is_not(None), TURN.c.comment != "")
        with self.transaction() as c:
            rows = c.execute(sa.select(TURN).where(said).order_by(TURN.c.created_at, TURN.c.id)).mappings().all()
        return [_turn(row) for row in rows]

    def pending(self) -> list[tuple[str, str, int]]:
        """Return (id, thread id, number) of each pending turn, in the order of asking."""
        query = sa.select(TURN.c.id, TURN.c.thread_id, TURN.c.n).where(TURN.c.ended_at.is_(None))
        with self.transaction() as c:
            return [tuple(row) for row in c.execute(query.order_by(TURN.c.created_at, TURN.c.n))]

    def waiting_since(self) -> float | None:
        """Return when the oldest pending turn was asked (seconds since 1970), or None."""
        with self.transaction() as c:
            return c.execute(sa.select(sa.func.min(TURN.c.created_at)).where(TURN.c.ended_at.is_(None))).scalar()

    def unfolded(self, turn_id: str, offset: int) -> Unfolded:
        """Return a turn's events from an offset on; a deleted turn is over."""
        with self.transaction() as c:
            rows = c.execute(_EVENTS_FROM, {"turn": turn_id, "offset": offset}).all()
        over = not rows or rows[0][0] is not None
        return Unfolded([_EVENT.validate_json(body) for _, body in rows if body is not None], over)

    def event_count(self, turn_id: str) -> int:
        """Return how many events a turn has."""
        with self.transaction() as c:
            counted = sa.select(sa.func.count()).select_from(EVENTS).where(EVENTS.c.turn_id == turn_id)
            return c.execute(counted).scalar_one()

    def exchange(self, written: Sequence[tuple[str, int, Event]], running: Collection[str]) -> set[str]:
        """Store events (turn id, event number, event) in one transaction; return the running turns that must stop.

        Deleted turns must stop too.
        """
        with self.transaction() as c:
            if written:
                rows = [{"turn_id": turn, "n": n, "body": event.model_dump_json()} for turn, n, event in written]
                c.execute(sa.insert(EVENTS), rows)
            if not running:
                return set()
            continuing = sa.select(TURN.c.id).where(TURN.c.id.in_(running), TURN.c.stopping == 0)
            return set(running) - set(c.execute(continuing).scalars())

    def forget_events(self, ended_before: float) -> None:
        """Delete the events of turns that ended before a time (seconds since 1970), and of deleted turns."""
        kept = sa.select(TURN.c.id).where(sa.or_(TURN.c.ended_at.is_(None), TURN.c.ended_at >= ended_before))
        with self.transaction() as c:
            c.execute(sa.delete(EVENTS).where(EVENTS.c.turn_id.not_in(kept)))

    def sign_on(self, worker: str) -> float:
        """Record that a worker has started; return the time, by which its heartbeats are known."""
        now = time.time()
        with self.transaction() as c:
            c.execute(sa.delete(WORKER).where(WORKER.c.id == worker))
            c.execute(sa.insert(WORKER).values(id=worker, started_at=now, seen_at=now))
        return now

    def heartbeat(self, worker: str, started_at: float) -> bool:
        """Record a worker's heartbeat; return False if another one has started under its name since."""
        mine = sa.and_(WORKER.c.id == worker, WORKER.c.started_at == started_at)
        with self.transaction() as c:
            return c.execute(sa.update(WORKER).where(mine).values(seen_at=time.time())).rowcount > 0

    def seen_at(self) -> datetime | None:
        """Return the last heartbeat of any worker."""
        with self.transaction() as c:
            seen = c.execute(sa.select(sa.func.max(WORKER.c.seen_at))).scalar()
        return None if seen is None else _at(seen)


def _ended(turn_id: str, created_at: float, ended_at: float, stored: str) -> Ended:
    answer, seconds = Answer.model_validate_json(stored), max(0.0, ended_at - created_at)
    # The worker's times begin when it took the turn up; a reader has waited since the question.
    first = answer.first_token_ms
    first_token_s = None if first is None else max(0.0, seconds - (answer.total_ms - first) / 1000)
    return Ended(turn_id, ended_at, answer.status, seconds, first_token_s)


def _readable(owner: str | None) -> sa.ColumnElement[bool]:
    return sa.or_(THREAD.c.owner.is_(None), THREAD.c.owner == owner) if owner else THREAD.c.owner.is_(None)


def _row(thread: Thread) -> dict[str, Any]:
    times = {"created_at": thread.created_at.timestamp(), "asked_at": thread.asked_at.timestamp()}
    return thread.model_dump() | times


def _thread(row: sa.RowMapping) -> Thread:
    return Thread(**dict(row) | {"created_at": _at(row["created_at"]), "asked_at": _at(row["asked_at"])})


def _turn(row: sa.RowMapping) -> Turn:
    answer = row["answer"]
    return Turn(
        id=row["id"],
        thread_id=row["thread_id"],
        n=row["n"],
        question=row["question"],
        version=row["version"],
        created_at=_at(row["created_at"]),
        stopping=bool(row["stopping"]),
        answer=None if answer is None else Answer.model_validate_json(answer),
        feedback=row["feedback"],
        comment=row["comment"],
        where=None if row["filter"] is None else Filter.model_validate_json(row["filter"]),
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
