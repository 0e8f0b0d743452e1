"""How tasks and runs ended that did not say it themselves: a code, and the words that log, notice and status share."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

__all__ = ["WITHOUT_REPORT", "Ending", "run_took_too_long", "run_without_report", "took_too_long", "without_report"]

# Nobody can tell these apart once a process is gone.
WITHOUT_REPORT: Final = (
    "ended without a report: it was killed, ran out of memory, lost its machine, or was marked as failed"
)


class Ending(NamedTuple):
    """What is known of an end, and what to do."""

    code: str
    message: str


def took_too_long(task: str, limit: timedelta) -> Ending:
    """Describe a task that was ended by its time limit."""
    return Ending(
        "timed_out",
        f"{task} took longer than RAG_TASK_HOURS ({_hours(limit)}) and was ended. What it had made is kept, and the "
        "next run goes on from there. Raise RAG_TASK_HOURS, or see in its log what it waited for.",
    )


def run_took_too_long(limit: timedelta) -> Ending:
    """Describe a run that was ended by its time limit, which is ten times that of a task."""
    return Ending(
        "timed_out",
        f"The run took longer than ten times RAG_TASK_HOURS ({_hours(limit)}) and was ended. What was made is kept, "
        "and the next run goes on from there. Raise RAG_TASK_HOURS, or see in the logs of its tasks what they waited "
        "for.",
    )


def without_report(task: str) -> Ending:
    """Describe a task that failed and left no error."""
    return Ending("no_error", f"{task} {WITHOUT_REPORT}. See its log.")


def run_without_report() -> Ending:
    """Describe a run that failed although no task of it did."""
    return Ending("no_error", "No task of the run failed: it was marked as failed. See the run in Airflow.")


def _hours(limit: timedelta) -> str:
    return f"{limit.total_seconds() / 3600:g} h"
