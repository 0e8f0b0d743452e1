"""The build that uploads ask for: by Airflow where one can be asked, or else by the worker itself."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from contextual_rag.building import BEFORE, PER_ESSAY, TOGETHER
from contextual_rag.commands.announce import announce
from contextual_rag.embedded.airflow import USER, Airflow, running, store_of
from contextual_rag.errors import RagError
from contextual_rag.settings import Settings, read_settings

if TYPE_CHECKING:
    from contextual_rag.conversation.model import Indexing
    from contextual_rag.conversation.worker import Report

__all__ = ["index_uploads"]

_DAG: Final = "build_index"
_STEPS: Final = (*BEFORE, *PER_ESSAY, *TOGETHER)
_OVER: Final = ("success", "failed", "skipped", "upstream_failed", "removed")


def index_uploads(report: Report) -> Indexing:
    """Have an index built of what is uploaded now; say what it came to."""
    from contextual_rag.conversation.model import Indexing

    settings = read_settings()
    try:
        if airflow := _airflow(settings):
            with closing(airflow):
                # A run of a DAG that is paused would wait for ever.
                if not airflow.dag(_DAG)["is_paused"]:
                    return _by_airflow(airflow, report)
        return _here(report)
    except RagError as error:
        return Indexing(state="failed", why=str(error))


def _airflow(settings: Settings) -> Airflow | None:
    """Return the Airflow that the settings name, or the one of `rag up --all` on the same data."""
    if settings.airflow_url and settings.airflow_password:
        return Airflow(
            settings.airflow_url, settings.airflow_password.get_secret_value(), user=settings.airflow_user or USER
        )
    return running(settings.data_dir) if settings.object_store_url == store_of(settings.data_dir) else None


def _by_airflow(airflow: Airflow, report: Report) -> Indexing:
    from contextual_rag.conversation.model import Indexing

    run = airflow.trigger(_DAG, {"uploads_only": True})
    for now in airflow.follow(_DAG, run):
        counted = {name.rpartition(".")[2]: counts for name, counts in now.tasks.items()}
        if now.state == "success":
            return Indexing(state="moved" if counted.get("publish", {}).get("success") else "stayed")
        for step in _STEPS:
            of = sum(counted.get(step, {}).values())
            done = sum(counted.get(step, {}).get(over, 0) for over in _OVER)
            if done < of:
                report(step, done, of)
                break
    last = airflow.last_run(_DAG) or {}
    if last.get("run") != run:
        return Indexing(state="failed", why=f"The run {run} of {_DAG} failed in Airflow.")
    is_refused = str(last["code"]).startswith("gate")
    return Indexing(state="refused" if is_refused else "failed", why=str(last["message"]))


def _here(report: Report) -> Indexing:
    """Build with connections of its own, beside those that answer."""
    from contextual_rag import face
    from contextual_rag.conversation.model import Indexing

    world, by = face.connect(), f"uploads {datetime.now(UTC).isoformat(timespec='milliseconds')}"
    built = face.build(world, progress=report, by=by, uploads_only=True)
    if built.moved:
        announce(world.settings, built.version, moved_from=built.moved_from, why=built.why or "", by=by, action="build")
    return Indexing(state=built.state, why=built.refused or built.stayed)
