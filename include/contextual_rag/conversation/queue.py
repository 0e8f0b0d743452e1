"""The line in which questions wait for a worker: DBOS's queue, seen from outside.

One workflow is one turn and has its id, so that a question posted twice is answered once. A thread is a partition of
the queue in which one turn runs at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions

from contextual_rag.conversation.engine import is_sqlite, reaching

__all__ = ["APPLICATION", "APPLICATION_VERSION", "QUEUE", "WORKFLOW", "Queue"]

APPLICATION: Final = "contextual-rag"
# What was begun under one is finished under the same alone; so long as it stays, a turn outlives an update of the code.
# Raise it only where the order of a turn's steps changes, and when no turn is pending.
APPLICATION_VERSION: Final = "1"
QUEUE: Final = "turns"
WORKFLOW: Final = "answer_turn"
_ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
# So many ids fit into a statement of either database.
_BATCH: Final = 500


class Queue:
    """DBOS's tables in the database of conversations, made where they are not there yet. Close it after use."""

    def __init__(self, engine: sa.Engine) -> None:
        url = engine.url if is_sqlite(engine) else engine.url.set(drivername="postgresql")
        DBOS.migrate(url.render_as_string(hide_password=False))
        self._client = DBOSClient(
            system_database_engine=engine, application_name=APPLICATION, retry_connection_errors=False
        )

    def close(self) -> None:
        """Let go of the database."""
        self._client.destroy()

    def put(self, connection: sa.Connection, turn_id: str, thread_id: str, n: int) -> None:
        """Have a turn answered once the transaction is committed; it is the `n`th of its thread."""
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": turn_id,
            "app_version": APPLICATION_VERSION,
            "queue_partition_key": thread_id,
            # On SQLite the time of asking is known to the second: too little to order by.
            "priority": n,
        }
        self._client.enqueue_in_transaction(connection, options, turn_id)

    def ended(self, turn_ids: Sequence[str]) -> dict[str, bool]:
        """Return for those of these turns that DBOS knows whether they are over for it, whatever became of them."""
        found: dict[str, bool] = {}
        for start in range(0, len(turn_ids), _BATCH):
            with reaching():
                listed = self._client.list_workflows(
                    workflow_ids=list(turn_ids[start : start + _BATCH]), load_input=False, load_output=False
                )
            found |= {workflow.workflow_id: workflow.status in _ENDED for workflow in listed}
        return found

    def cancel(self, turn_ids: Collection[str]) -> None:
        """End turns that nobody waits for any more before their next step."""
        with reaching():
            self._client.cancel_workflows(list(turn_ids))

    def forget(self, ended_before: float) -> int:
        """Remove the records of workflows that were over by then (seconds since 1970); return how many there were."""
        before = datetime.fromtimestamp(ended_before, UTC).isoformat()
        forgotten = 0
        with reaching():
            while listed := self._client.list_workflows(
                status=list(_ENDED), completed_before=before, limit=_BATCH, load_input=False, load_output=False
            ):
                self._client.delete_workflows([workflow.workflow_id for workflow in listed])
                forgotten += len(listed)
        return forgotten
