"""The queue in which questions wait for a worker: a client of DBOS's queue.

Each turn is one workflow with the same id, so a question posted twice is answered once. Each thread is a partition of
the queue, which runs one turn at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions

from contextual_rag.conversation.engine import is_sqlite, reaching
from contextual_rag.conversation.model import Indexing

__all__ = ["APPLICATION", "APPLICATION_VERSION", "BUILD", "BUILDS", "PROGRESS", "QUEUE", "WORKFLOW", "Queue"]

APPLICATION: Final = "contextual-rag"
# DBOS resumes a workflow only under the version that started it. While the version stays the same, turns survive code
# updates. Raise it only when the order of a turn's steps changes and no turn is pending.
APPLICATION_VERSION: Final = "1"
QUEUE: Final = "turns"
WORKFLOW: Final = "answer_turn"
# Builds that people's uploads ask for: one runs at a time, and at most about one waits.
BUILDS: Final = "builds"
BUILD: Final = "index_uploads"
PROGRESS: Final = "progress"
_ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
# Both databases accept this many ids in one statement.
_BATCH: Final = 500


class Queue:
    """DBOS's tables in the conversations database; creates them if they are missing. Close it after use."""

    def __init__(self, engine: sa.Engine) -> None:
        url = engine.url if is_sqlite(engine) else engine.url.set(drivername="postgresql")
        DBOS.migrate(url.render_as_string(hide_password=False))
        self._client = DBOSClient(
            system_database_engine=engine, application_name=APPLICATION, retry_connection_errors=False
        )

    def close(self) -> None:
        """Close the database."""
        self._client.destroy()

    def put(self, connection: sa.Connection, turn_id: str, thread_id: str, n: int) -> None:
        """Enqueue the `n`th turn of a thread; it takes effect when the transaction is committed."""
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": turn_id,
            "app_version": APPLICATION_VERSION,
            "queue_partition_key": thread_id,
            # SQLite stores the time in whole seconds, which is too coarse to order turns.
            "priority": n,
        }
        self._client.enqueue_in_transaction(connection, options, turn_id)

    def put_build(self) -> None:
        """Enqueue a build, unless one waits: that one will read all that is stored by now."""
        with reaching():
            if self._client.list_workflows(name=BUILD, status="ENQUEUED", limit=1, load_input=False, load_output=False):
                return
            options: EnqueueOptions = {
                "workflow_name": BUILD,
                "queue_name": BUILDS,
                "app_version": APPLICATION_VERSION,
            }
            self._client.enqueue(options)

    def build(self) -> Indexing | None:
        """Return the build that runs, or else the newest; None if there is none, or its record was deleted."""
        with reaching():
            running = self._client.list_workflows(name=BUILD, status="PENDING", limit=1, load_input=False)
            found = running or self._client.list_workflows(name=BUILD, limit=1, sort_desc=True, load_input=False)
            if not found:
                return None
            if found[0].status == "SUCCESS":
                return Indexing.model_validate(found[0].output)
            if found[0].status in _ENDED:
                return Indexing(state="failed", why="It ended without a result. See the worker's log.")
            so_far = self._client.get_event(found[0].workflow_id, PROGRESS, timeout_seconds=0) if running else None
        return Indexing.model_validate(so_far) if so_far else Indexing(state="running" if running else "queued")

    def ended(self, turn_ids: Sequence[str]) -> dict[str, bool]:
        """Return, for each of these turns that DBOS knows, whether its workflow has ended, in any way."""
        found: dict[str, bool] = {}
        for start in range(0, len(turn_ids), _BATCH):
            with reaching():
                listed = self._client.list_workflows(
                    workflow_ids=list(turn_ids[start : start + _BATCH]), load_input=False, load_output=False
                )
            found |= {workflow.workflow_id: workflow.status in _ENDED for workflow in listed}
        return found

    def workers(self) -> set[str]:
        """Return the names of the workers that have turns or builds under way."""
        with reaching():
            listed = self._client.list_workflows(
                status="PENDING", queue_name=[QUEUE, BUILDS], load_input=False, load_output=False
            )
        return {workflow.executor_id for workflow in listed if workflow.executor_id}

    def cancel(self, turn_ids: Collection[str]) -> None:
        """Cancel turns; each ends before its next step."""
        with reaching():
            self._client.cancel_workflows(list(turn_ids))

    def forget(self, ended_before: float) -> int:
        """Delete the records of workflows that ended before a time (seconds since 1970); return how many."""
        before = datetime.fromtimestamp(ended_before, UTC).isoformat()
        forgotten = 0
        with reaching():
            while listed := self._client.list_workflows(
                status=list(_ENDED), completed_before=before, limit=_BATCH, load_input=False, load_output=False
            ):
                self._client.delete_workflows([workflow.workflow_id for workflow in listed])
                forgotten += len(listed)
        return forgotten
