"""Where all of Airflow runs on one machine: a task's log is shown while it runs, and no server hands out logs.

The workers are forked from the scheduler, and tasks from the workers. So what tasks use is imported there, once.
"""

from __future__ import annotations

from typing import Any

from airflow.executors.local_executor import LocalExecutor

from contextual_rag.airflow import notices, tasks  # noqa: F401 - what the DAG files import
from contextual_rag.wiring import preload

__all__ = ["OneMachineExecutor"]


class OneMachineExecutor(LocalExecutor):
    """Airflow's own, whose log server listens on all addresses of the machine. Here the API server reads the files."""

    def start(self) -> None:
        """Start the workers, with all that their tasks use."""
        preload()
        super().start()

    def get_task_log(self, ti: Any, try_number: int) -> tuple[list[str], list[str]]:  # noqa: ARG002 - Airflow's own
        """Name a source of a running task's log, so that Airflow does not ask a log server for it too."""
        return ["The task runs on this machine."], []
