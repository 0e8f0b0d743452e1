"""The demo: builds the sample site's index through Airflow, and shows the progress."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from contextual_rag.building import BEFORE, PER_ESSAY, TOGETHER
from contextual_rag.embedded.airflow import DAG, Airflow, RunState
from contextual_rag.embedded.services import Services
from contextual_rag.errors import RagError

__all__ = ["build_through_airflow"]

_TASKS = (*BEFORE, *(f"essays.{step}" for step in PER_ESSAY), *TOGETHER)
_OVER = {"success", "failed", "skipped", "upstream_failed", "removed"}
_BAD = {"failed", "upstream_failed"}


def build_through_airflow(services: Services, conf: dict[str, Any], console: Console) -> str:
    """Run the DAG and show its progress; return the index version. Raises RagError if the run fails."""
    airflow = Airflow(services.airflow_url, services.airflow_password)
    try:
        airflow.unpause(DAG)
        started = time.monotonic()
        run = airflow.trigger(DAG, conf)
        state = _shown(airflow, run, console)
        console.print(_table(airflow, run))
        if state.state == "failed":
            raise RagError(f"The DAG run {run} failed. {_why(airflow, run)}")
        published = airflow.returned(DAG, run, "publish") or {}
        word = "published" if published.get("published") else "unchanged"
        console.print(f"{word} version [bold]{published.get('version')}[/] in {time.monotonic() - started:.1f} s")
        return str(published.get("version"))
    finally:
        airflow.close()


def _shown(airflow: Airflow, run: str, console: Console) -> RunState:
    columns = (TextColumn("{task.description:>22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    state = RunState("queued", {})
    with Progress(*columns, console=console) as bars:
        shown: dict[str, TaskID] = {name: bars.add_task(name, total=None, start=False) for name in _TASKS}
        for state in airflow.follow(DAG, run):
            for name, counts in state.tasks.items():
                if name not in shown:
                    continue
                over = sum(count for word, count in counts.items() if word in _OVER)
                if set(counts) - {"waiting"}:
                    bars.start_task(shown[name])
                failed = sum(counts.get(word, 0) for word in _BAD)
                label = f"{name} [red]{failed} failed[/]" if failed else name
                bars.update(shown[name], total=sum(counts.values()), completed=over, description=label)
                if over == sum(counts.values()):
                    bars.stop_task(shown[name])
    return state


def _table(airflow: Airflow, run: str) -> Table:
    """Return a table of each task's instances, and the seconds from its first start to its last end."""
    table = Table("task", "instances", "failed", "seconds", box=None, header_style="dim")
    instances = airflow.instances(DAG, run)
    for name in _TASKS:
        mine = [i for i in instances if i["task_id"] == name and i["start_date"] and i["end_date"]]
        if not mine:
            table.add_row(name, "-", "", "")
            continue
        spent = _seconds(min(i["start_date"] for i in mine), max(i["end_date"] for i in mine))
        failed = sum(i["state"] in _BAD for i in mine)
        table.add_row(name, str(len(mine)), f"[red]{failed}[/]" if failed else "", f"{spent:.1f}")
    return table


def _seconds(start: str, end: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _why(airflow: Airflow, run: str) -> str:
    """Return the error of the first failed task, from its log."""
    failed = sorted(
        (i for i in airflow.instances(DAG, run) if i["state"] == "failed" and i["end_date"]),
        key=lambda i: (i["map_index"] >= 0, str(i["end_date"])),
    )
    if not failed:
        return "No task failed by itself. See the log of the scheduler."
    first = failed[0]
    detail = airflow.failure(DAG, run, first["task_id"], first["map_index"], first["try_number"])
    return f"{first['task_id']}: {escape(detail)}"
