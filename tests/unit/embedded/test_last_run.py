"""What `rag status` says of the last run: of each end what is known of it, and nothing that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contextual_rag.embedded.airflow import Airflow, running
from tests.servers.airflow import AirflowServer

DAG = "/api/v2/dags/build_index"
RUN = f"{DAG}/dagRuns/r1/taskInstances"
BEGAN, SOON, LATE = "2026-03-02T01:00:00Z", "2026-03-02T01:05:00Z", "2026-03-02T21:00:00.4Z"
SAID = ["budget", "0.5 USD are spent of 0.5."]
# Of each run: its state, its end, its tasks that failed, what these kept, and what is told.
ENDS: dict[str, tuple[str, str, list[str], dict[str, Any], dict[str, Any]]] = {
    "all well": ("success", SOON, [], {}, {}),
    "long and well": ("success", LATE, [], {}, {}),
    "essays failed": ("success", SOON, [], {"assemble/failed_essays": "1 failed"}, {"essays": "1 failed"}),
    "an error": (
        "failed",
        SOON,
        ["changes", "assemble"],
        {"changes/error": SAID, "assemble/failed_essays": "1 failed"},
        {"task": "changes", "code": "budget", "message": SAID[1], "essays": "1 failed"},
    ),
    "an error of a later task": (
        "failed",
        SOON,
        ["changes", "assemble"],
        {"assemble/error": SAID},
        {"task": "assemble", "code": "budget", "message": SAID[1]},
    ),
    "killed": ("failed", SOON, ["publish"], {}, {"task": "publish", "code": "no_error", "message": "it was killed"}),
    "too long": ("failed", LATE, [], {}, {"code": "timed_out", "message": "ten times RAG_TASK_HOURS (20 h)"}),
    "too long with a task": (
        "failed",
        LATE,
        ["changes"],
        {},
        {"code": "timed_out", "message": "ten times RAG_TASK_HOURS (20 h)"},
    ),
    "marked": ("failed", SOON, [], {}, {"code": "no_error", "message": "marked as failed"}),
}


def asked(tmp_path: Path, *, state: str, end: str, failed: list[str], kept: dict[str, Any], limit: str | None) -> Any:
    """What is told of a run, as Airflow's REST API describes it."""
    run = {"dag_run_id": "r1", "state": state, "start_date": BEGAN, "end_date": end}
    instances = [{"task_id": task, "state": "failed", "map_index": -1} for task in failed]
    # A failed instance of a mapped task fails no run.
    instances.append({"task_id": "fetch", "state": "failed", "map_index": 3})
    with AirflowServer(tmp_path, "http://store.example") as server:
        answers: dict[str, Any] = {
            f"{DAG}/dagRuns": {"dag_runs": [run]},
            f"{DAG}/details": {"dag_run_timeout": limit},
            RUN: {"task_instances": instances},
        }
        answers |= {
            f"{RUN}/{task}/xcomEntries/{key}": {"value": value}
            for (task, key), value in ((name.split("/"), value) for name, value in kept.items())
        }
        server.answers |= {path: (200, json.dumps(answer)) for path, answer in answers.items()}
        client = running(tmp_path)
        assert isinstance(client, Airflow)
        found = client.last_run("build_index")
        client.close()
    return found


@pytest.mark.parametrize("end", ENDS)
def test_of_each_end_its_task_code_and_words_are_told(tmp_path: Path, end: str) -> None:
    state, at, failed, kept, told = ENDS[end]
    found = asked(tmp_path, state=state, end=at, failed=failed, kept=kept, limit="PT20H")
    assert told.pop("message", "") in (found.pop("message") or "")
    nothing = {"task": None, "code": None, "essays": None}
    assert found == {"run": "r1", "state": state, **nothing, **told}


def test_a_dag_without_a_limit_never_took_too_long(tmp_path: Path) -> None:
    found = asked(tmp_path, state="failed", end=LATE, failed=["publish"], kept={}, limit=None)
    assert (found["task"], found["code"]) == ("publish", "no_error")
