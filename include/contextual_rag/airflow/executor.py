"""Where all of Airflow runs on one machine: a task's log is shown while it runs, and no server hands out logs.

Tasks are forked from the scheduler, so what the DAG files import is imported here once; `airflow_local_settings` does
the same for what tasks use.
"""

from __future__ import annotations

from typing import Any

from airflow.executors.local_executor import LocalExecutor

from contextual_rag.airflow import notices, tasks  # noqa: F401 - what the DAG files import

__all__ = ["OneMachineExecutor"]


class OneMachineExecutor(LocalExecutor):
    """Airflow's own, whose log server listens on all addresses of the machine. Here the API server reads the files."""

    def get_task_log(self, ti: Any, try_number: int) -> tuple[list[str], list[str]]:  # noqa: ARG002 - Airflow's own
        """Name a source of a running task's log, so that Airflow does not ask a log server for it too."""
        return ["The task runs on this machine."], []
