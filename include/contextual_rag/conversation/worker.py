"""The worker process: takes turns from the queue, sends heartbeats, and deletes old records.

It may be killed at any moment. The next worker with the same name resumes its turns after their last recorded step. So
two workers with the same name must not run at once.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from threading import Thread
from typing import Final

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig

from contextual_rag.conversation.desk import Desk
from contextual_rag.conversation.endings import broken_off
from contextual_rag.conversation.engine import create_engine, database_url, is_sqlite, reaching
from contextual_rag.conversation.journal import Journal
from contextual_rag.conversation.migrations import migrate
from contextual_rag.conversation.progress import fold
from contextual_rag.conversation.queue import APPLICATION, APPLICATION_VERSION, QUEUE, WORKFLOW, Queue
from contextual_rag.conversation.store import Store
from contextual_rag.conversation.turn import Turns
from contextual_rag.errors import RagError, SettingError

__all__ = ["HEARTBEAT_S", "work"]

_log = logging.getLogger(__name__)

# How often a worker sends a heartbeat, and how often it reconciles turns and deletes old records.
HEARTBEAT_S: Final = 2.0
_CLEAR_EVERY_S: Final = 60.0
# Events are kept this long after a turn, for readers who join late.
_EVENTS_KEPT_S: Final = 600.0
# A turn that crashes its worker this often is given up.
_MOST_RECOVERIES: Final = 20
_POLL_S: Final = 0.1
_FREED_WITHIN_S: Final = 3.0


def work(world: Desk, *, ready: Callable[[], None], ends: Callable[[float], bool]) -> None:
    """Answer turns; call `ready` when it takes the first. `ends` waits for that many seconds and says whether to end.

    When this returns, turns may still run in threads: end the process. The next worker resumes them.
    Raises SettingError if a worker with this name is already running.
    """
    settings = world.settings
    engine = create_engine(database_url(settings))
    with _name_lock(engine, settings.worker_id):
        with reaching():
            migrate(engine)
            queue = Queue(engine)
        store = Store(engine)
        journal = Journal(store)
        turns = Turns(world, store, journal)

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=_MOST_RECOVERIES)
        def answer_turn(turn_id: str) -> None:
            turns.answer(turn_id)

        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_engine=engine,
                executor_id=settings.worker_id,
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
        store.heartbeat(settings.worker_id, starting=True)
        Thread(target=_warm, args=(world,), name="warm", daemon=True).start()
        ready()
        clears_at = 0.0
        while True:
            with _database_errors_logged():
                store.heartbeat(settings.worker_id)
                if time.monotonic() >= clears_at:
                    clears_at = time.monotonic() + _CLEAR_EVERY_S
                    _reconcile(store, queue)
                    store.forget_events(time.time() - _EVENTS_KEPT_S)
                    queue.forget(time.time() - 3600 * settings.turn_records_hours)
            if ends(HEARTBEAT_S):
                break
        # DBOS stays open: a running turn would treat its closing as a failure.
        journal.close()


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
    except RagError as error:
        _log.warning("The worker could not update its database: %s", error)
    except sa.exc.SQLAlchemyError as error:
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


@contextmanager
def _name_lock(engine: sa.Engine, worker_id: str) -> Iterator[None]:
    """Lock a worker's name in this database; the kernel or the database frees it when the process ends."""
    taken = SettingError(
        f"A worker named {worker_id!r} is already running on this database. One is enough. To run a second one on "
        "PostgreSQL, set RAG_WORKER_ID to another name."
    )
    if is_sqlite(engine):
        descriptor = os.open(f"{engine.url.database}.{worker_id}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise taken from None
        try:
            yield
        finally:
            os.close(descriptor)
    else:
        number = int.from_bytes(sha256(f"{APPLICATION} worker {worker_id}".encode()).digest()[:8], signed=True)
        # The database server notices the end of a process a moment later than the kernel.
        gives_up_at = time.monotonic() + _FREED_WITHIN_S
        with reaching():
            connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with connection:
            while not connection.execute(sa.text("SELECT pg_try_advisory_lock(:n)"), {"n": number}).scalar():
                if time.monotonic() >= gives_up_at:
                    raise taken
                time.sleep(_POLL_S)
            yield
