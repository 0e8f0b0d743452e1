"""The command `rag status`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from contextual_rag.building.account import of_failures
from contextual_rag.building.freshness import freshness
from contextual_rag.commands.console import Json, err, fail, out, print_json
from contextual_rag.embedded.airflow import running
from contextual_rag.errors import ServiceUnavailableError, UnknownVersionError
from contextual_rag.noun import noun
from contextual_rag.settings import Settings
from contextual_rag.wiring import connect

__all__ = ["status"]

_DAG = "build_index"


def status(as_json: Json = False) -> None:
    """Show what answers, since when, and the last look at the site."""
    world = connect()
    now, hours = datetime.now(UTC), world.settings.stale_after_hours
    schedule = _schedule(world.settings)
    try:
        found = freshness(world.store, world.registry, now=now, stale_after=timedelta(hours=hours))
    except UnknownVersionError as error:
        # Whoever waits for the first version wants to know what keeps it.
        raise UnknownVersionError(f"{error}{_last_failure(schedule)}") from None
    if as_json:
        times = {"since": found.since.isoformat(), "looked_at": found.looked_at and found.looked_at.isoformat()}
        failed = [failure.model_dump() for failure in found.failed]
        print_json(found._asdict() | times | {"failed": failed, "stale_after_hours": hours} | schedule)
    else:
        table = Table(Column("", no_wrap=True), Column("", ratio=1), box=None, show_header=False)
        looked = f"{found.looked_at:%Y-%m-%d %H:%M} UTC" if found.looked_at else "never"
        rows = {
            "answers": f"[bold]{found.version}[/]",
            "since": f"{found.since:%Y-%m-%d %H:%M} UTC, by {escape(found.by)}: {escape(found.why)}",
            "source": escape(found.source),
            "last look": f"{looked}{f', {escape(of_failures(found.failed))}' if found.failed else ''}",
        }
        if schedule:
            rows["next run"] = f"[red]{_DAG} is paused[/]" if schedule["paused"] else str(schedule["next_run"])
            rows["last run"] = _ended(schedule["last_run"])
        for name, value in rows.items():
            table.add_row(f"[dim]{name}[/]", value)
        out.print(table)
    if found.stale:
        fail(f"No run has looked at {found.source} for more than {hours:g} hours (RAG_STALE_AFTER_HOURS).", "stale")


def _last_failure(schedule: dict[str, Any]) -> str:
    run = schedule.get("last_run") or {}
    if run.get("state") != "failed":
        return ""
    where = f" at {run['task']}" if run["task"] else ""
    return f" The last run of {_DAG} failed{where} ({run['code']}): {run['message']}"


def _ended(run: dict[str, Any] | None) -> str:
    """Say how a run ended, and which essays failed in it."""
    if run is None:
        return "none yet"
    essays = f"{noun().many}: {escape(run['essays'])}" if run["essays"] else ""
    if run["state"] != "failed":
        return f"{run['state']}{f', [red]{essays}[/]' if essays else ''}"
    where = f" at {run['task']}" if run["task"] else ""
    said = f"[red]failed[/]{where} ({run['code']}): {escape(run['message'])}"
    return f"{said}\n{essays}" if essays else said


def _schedule(settings: Settings) -> dict[str, Any]:
    """Return what the Airflow of `rag up --all` did last and is going to do, if it runs."""
    try:
        client = running(settings.data_dir)
        if client is None:
            return {}
        with closing(client):
            dag, last = client.dag(_DAG), client.last_run(_DAG)
    except ServiceUnavailableError as error:
        err.print(f"[yellow]The next run is not known.[/] {escape(str(error))}", soft_wrap=True)
        return {}
    return {"paused": dag["is_paused"], "next_run": dag["next_dagrun_run_after"], "last_run": last}
