"""### Remove old index versions

Every Sunday at 03:00 UTC: remove versions beyond the newest ones (`RAG_KEEP_VERSIONS`), and objects and vectors to
which no version, snapshot or running build refers. The current version and pinned ones always stay. The page *Index
versions* shows what was removed. To prune at another time, trigger this DAG, or `manage_index` with a reason.

| task | does | if it fails |
| --- | --- | --- |
| `prune` | removes what is old and what nothing refers to | tried again; versions that stay are complete at any time |

It may run beside a build: everything that a running build uses stays, however long the build takes.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

with suppress(ModuleNotFoundError):
    import include  # noqa: F401 - if only the project's root is on the path, this adds the package

from contextual_rag.airflow.connection import connect
from contextual_rag.airflow.notices import keep_error, tell_of_failure
from contextual_rag.airflow.tasks import RETRY_POLICY, time_limits, who

__all__: list[str] = []

_TASK_LIMIT, _RUN_LIMIT = time_limits()


@dag(
    schedule=CronTriggerTimetable("0 3 * * 0", timezone="UTC", run_immediately=timedelta(0)),  # see build_index
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=_RUN_LIMIT,
    on_failure_callback=tell_of_failure,
    doc_md=__doc__,
    tags=["contextual-rag"],
    default_args={
        "execution_timeout": _TASK_LIMIT,
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_policy": RETRY_POLICY,
        "on_failure_callback": keep_error,
    },
)
def prune_index() -> None:
    """The graph: one task."""

    @task
    def prune() -> dict[str, Any]:
        """Remove what nothing refers to."""
        from contextual_rag.versions import manage

        return manage.prune(connect(), by=who(), why="weekly").model_dump(mode="json")

    prune()


prune_index()
