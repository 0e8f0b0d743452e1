"""The worker process: takes turns from the queue, sends heartbeats, and deletes old records.

It may be killed at any moment. Its turns are then resumed after their last recorded step: by the next worker with the
same name when it starts, or by any other worker that sees the name without a worker for some seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, Final

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig
from dbos import error as dbos_error

from contextual_rag.conversation.allowance import Allowance
from contextual_rag.conversation.desk import Desk
from contextual_rag.conversation.endings import broken_off
from contextual_rag.conversation.engine import create_engine, database_url, reaching
from contextual_rag.conversation.journal import Journal
from contextual_rag.conversation.migrations import migrate
from contextual_rag.conversation.model import Indexing
from contextual_rag.conversation.names import Name, own_name
from contextual_rag.conversation.progress import fold
from contextual_rag.conversation.queue import (
    APPLICATION,
    APPLICATION_VERSION,
    BUILD,
    BUILDS,
    PROGRESS,
    QUEUE,
    WORKFLOW,
    Queue,
)
from contextual_rag.conversation.store import Store
from contextual_rag.conversation.turn import Turns
from contextual_rag.errors import ConflictError, RagError, ServiceUnavailableError

__all__ = ["HEARTBEAT_S", "Report", "work"]

_log = logging.getLogger(__name__)

# How often a worker sends a heartbeat, and how often it reconciles turns and deletes old records.
HEARTBEAT_S: Final = 2.0
# Called as (step, done, of) with how far a build is.
Report = Callable[[str, int, int], None]
_CLEAR_EVERY_S: Final = 60.0
# Events are kept this long after a turn, for readers who join late.
_EVENTS_KEPT_S: Final = 600.0
# A turn that crashes its worker this often is given up.
_MOST_RECOVERIES: Final = 20
_POLL_S: Final = 0.1
_REPORTS_EVERY_S: Final = 1.0
# A name that had no worker at this many heartbeats in a row is dead. After a restart of the database server, workers
# that are alive take their locks again one after the other; one look would rob the slower ones.
_DEAD_AFTER: Final = 3


def work(
    world: Desk,
    *,
    ready: Callable[[str], None],
    ends: Callable[[float], bool],
    index: Callable[[Report], Indexing] | None = None,
) -> None:
    """Answer turns; call `ready` with the worker's name when it takes the first.

    `index` makes an index of what was uploaded; without it, this worker makes none.

    `ends` waits for that many seconds and says whether to end. When this returns or raises, turns may still run in
    threads: end the process. Another worker resumes them. Raises SettingError if a worker with this name is already
    running, and ConflictError if one has started since, which is possible only after a lost connection.
    """
    settings = world.settings
    engine = create_engine(database_url(settings))
    with own_name(engine, settings.worker_id) as own:
        with reaching():
            migrate(engine)
            queue = Queue(engine)
        store = Store(engine)
        journal = Journal(store)
        turns = Turns(world, store, journal)
        allowance = Allowance(store, settings.questions_per_minute)

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=_MOST_RECOVERIES)
        def answer_turn(turn_id: str) -> None:
            turns.answer(turn_id)

        @DBOS.step(name=BUILDS)
        def build() -> dict[str, Any]:
            if index is None:
                return Indexing(state="failed", why="Uploads are off at this worker (RAG_UPLOADS).").model_dump()
            return index(_reported()).model_dump()

        @DBOS.workflow(name=BUILD, max_recovery_attempts=_MOST_RECOVERIES)
        def index_uploads() -> dict[str, Any]:
            return build()

        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_engine=engine,
                executor_id=own.name,
                application_version=APPLICATION_VERSION,
                max_executor_threads=2 * settings.worker_concurrency,
                log_level="WARNING",
            )
        )
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            partition_concurrency=1,
            worker_concurrency=settings.worker_concurrency,
            polling_interval_sec=_POLL_S,
            on_conflict="always_update",
        )
        if index:
            DBOS.register_queue(BUILDS, global_concurrency=1, on_conflict="always_update")
        started_at = store.sign_on(own.name)
        Thread(target=_warm, args=(world,), name="warm", daemon=True).start()
        ready(own.name)
        clears_at, replaced = 0.0, False
        missed: Mapping[str, int] = {}
        while True:
            with _database_errors_logged():
                own.take()
                replaced = not store.heartbeat(own.name, started_at)
                missed = _resume_turns_of_dead(engine, queue, own.name, missed)
                if time.monotonic() >= clears_at:
                    clears_at = time.monotonic() + _CLEAR_EVERY_S
                    _reconcile(store, queue)
                    store.forget_events(time.time() - _EVENTS_KEPT_S)
                    allowance.forget()
                    queue.forget(time.time() - 3600 * settings.turn_records_hours)
            if replaced or ends(HEARTBEAT_S):
                break
        # DBOS stays open: a running turn would treat its closing as a failure.
        journal.close()
        if replaced:
            raise ConflictError(
                f"Another worker named {own.name!r} started while this one had no connection to the database. It "
                "continues the turns of this one, which ends. Start this one again."
            )


def _reported() -> Report:
    """Return what stores how far a build is: each of its steps, and within one no more often than people can see."""
    last = ("", 0.0)

    def report(step: str, done: int, of: int) -> None:
        nonlocal last
        now = time.monotonic()
        if step != last[0] or now - last[1] > _REPORTS_EVERY_S:
            last = (step, now)
            DBOS.set_event(PROGRESS, Indexing(state="running", step=step, done=done, of=of).model_dump())

    return report


def _resume_turns_of_dead(engine: sa.Engine, queue: Queue, own: str, missed: Mapping[str, int]) -> Mapping[str, int]:
    """Enqueue the turns of dead workers again. Return how often in a row each name had turns but no worker."""
    now_missed = {}
    for name in queue.workers() - {own}:
        # While the lock is held, no worker can start under this name, and no other one can do the same.
        with Name(engine, name) as other:
            if other.take():
                now_missed[name] = missed.get(name, 0) + 1
                if now_missed[name] >= _DEAD_AFTER and (resumed := DBOS._recover_pending_workflows([name])):
                    _log.warning("Resuming %d turns or builds of the worker %s, which is gone", len(resumed), name)
    return now_missed


def _warm(world: Desk) -> None:
    """Open what the first question would wait for. If a service is not reachable yet, turns open it later."""
    with suppress(RagError):
        index = world.reader.index()
        world.embedding_model(index.recipe).embed(["warm"], kind="query")
        world.vectors.count(index.collection)
        world.chat_model()


@contextmanager
def _database_errors_logged() -> Iterator[None]:
    """Continue after a database error: the database may work at the next heartbeat, and turns wait for it too."""
    try:
        yield
    except ServiceUnavailableError as error:
        _log.warning("The worker could not update its database: %s", error)
    except (sa.exc.SQLAlchemyError, dbos_error.DBOSException) as error:
        # The error's message would contain the stored texts.
        _log.warning("The worker could not update its database (%s)", type(error).__name__)


def _reconcile(store: Store, queue: Queue) -> None:
    """End turns whose workflow ended without an answer, and enqueue turns that lost their workflow."""
    pending = store.pending()
    ended = queue.ended([turn_id for turn_id, _, _ in pending])
    for turn_id, thread_id, n in pending:
        if turn_id not in ended:
            with store.transaction() as connection:
                queue.put(connection, turn_id, thread_id, n)
        elif ended[turn_id]:
            _log.warning("The workflow of turn %s ended without an answer", turn_id)
            store.end(turn_id, broken_off(fold(store.unfolded(turn_id, 0).events)))
