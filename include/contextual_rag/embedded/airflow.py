"""Airflow on one machine: its configuration, and a client that starts and follows runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from dotenv import dotenv_values
from pydantic import TypeAdapter

from contextual_rag.adapters.trust import trusted
from contextual_rag.building.endings import Ending, run_took_too_long, run_without_report, without_report
from contextual_rag.embedded.loopback import is_free
from contextual_rag.embedded.secrets import secret
from contextual_rag.errors import ServiceUnavailableError
from contextual_rag.settings import PROJECT, services_file

__all__ = [
    "DAG",
    "USER",
    "Airflow",
    "RunState",
    "environment",
    "health_of",
    "last_port",
    "migrate",
    "running",
    "store_of",
]

DAG: Final = "build_index"
USER = "admin"
_ENDED = frozenset({"success", "failed"})
_DURATION: Final = TypeAdapter(timedelta | None)
_EVENTS = "/api/v2/assets/events"
_HEALTH = "/api/v2/monitor/health"


def environment(data_dir: Path, port: int) -> dict[str, str]:
    """Return the environment of Airflow's processes: SQLite, four local workers, loopback, a login, our DAGs."""
    url = f"http://127.0.0.1:{port}"
    passwords = data_dir / "secrets" / "airflow_passwords.json"
    password = secret(data_dir, "airflow_password")
    if not passwords.exists():
        passwords.touch(mode=0o600)
        passwords.write_text(f'{{"{USER}": "{password}"}}')
    return {
        "AIRFLOW_HOME": str(data_dir / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "contextual_rag.airflow.executor.OneMachineExecutor",
        # Workers start at once and take about 160 MB each; the default is 32.
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        # 32 random bytes in base64, with the end that our secrets leave out.
        "AIRFLOW__CORE__FERNET_KEY": f"{secret(data_dir, 'airflow_fernet_key')}=",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{data_dir / 'airflow' / 'airflow.db'}?timeout=30",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secret(data_dir, "airflow_secret_key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secret(data_dir, "airflow_jwt_secret"),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        # A file that changed is read again at once; one that did not need not be every half minute.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # After a kill, interrupted tasks restart within half a minute instead of five minutes.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        # The default of 5 s is too short on two busy cores.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        # Airflow sets these itself, whatever the umask.
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        # A task may wait long for a free slot; with the default of ten minutes, its token expires before it starts.
        "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "86400",
    }


def migrate(variables: Mapping[str, str]) -> None:
    """Create or update Airflow's database. Raises ServiceUnavailableError with Airflow's output."""
    Path(variables["AIRFLOW_HOME"]).mkdir(parents=True, exist_ok=True)
    made = subprocess.run(  # noqa: S603
        [Path(sys.executable).parent / "airflow", "db", "migrate"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise ServiceUnavailableError(f"Airflow could not create or update its database:\n{made.stderr[-2000:]}")


def last_port(data_dir: Path) -> int | None:
    """Return the port of the Airflow that `rag up --all` started last on this data, None if it never did."""
    port = dotenv_values(services_file(data_dir)).get("RAG_AIRFLOW_PORT")
    return int(port) if port else None


def store_of(data_dir: Path) -> str | None:
    """Return the address of the object store that `rag up` started last on this data, None if it never did."""
    return dotenv_values(services_file(data_dir)).get("AWS_ENDPOINT_URL")


def running(data_dir: Path) -> Airflow | None:
    """Return a client of the Airflow that runs on this data, None if none does."""
    port = last_port(data_dir)
    if port is None or is_free(port):
        return None
    return Airflow(f"http://127.0.0.1:{port}", secret(data_dir, "airflow_password"))


def health_of(url: str) -> dict[str, dict[str, Any]]:
    """Return what `Airflow.health` does, of any Airflow: it tells this without a login.

    Raises ServiceUnavailableError if nothing answers, or something else.
    """
    asked = f"{url.rstrip('/')}{_HEALTH}"
    try:
        found = httpx.get(asked, timeout=30, trust_env=False).raise_for_status().json()
    except httpx.HTTPError as error:
        raise ServiceUnavailableError(f"Airflow did not answer GET {asked}: {type(error).__name__}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(part, dict) and "status" in part for part in found.values()):
        raise ServiceUnavailableError(f"What answered GET {asked} is not Airflow.")
    return found


class RunState(NamedTuple):
    """The present state of a DAG run and, for each task, the number of instances in each state."""

    state: str
    tasks: dict[str, dict[str, int]]

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.state in _ENDED


class Airflow:
    """A client of Airflow's REST API. Close it after use."""

    def __init__(self, url: str, password: str, *, user: str = USER, timeout_s: float = 30) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, verify=trusted())
        token = self._asked("POST", "/auth/token", json={"username": user, "password": password}).get("access_token")
        self._http.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def unpause(self, dag: str, *, patience_s: float = 60) -> None:
        """Unpause a DAG as soon as Airflow has read its file."""
        path = f"/api/v2/dags/{dag}"
        deadline = time.monotonic() + patience_s
        while self._answer("GET", path).status_code == 404:  # noqa: PLR2004
            if time.monotonic() > deadline:
                broken = self.import_errors()
                raise ServiceUnavailableError(f"Airflow does not know the DAG {dag}. Import errors: {broken}")
            time.sleep(0.2)
        self._asked("PATCH", path, json={"is_paused": False})

    def pause(self, dag: str) -> None:
        """Pause a DAG: no runs start until it is unpaused."""
        self._asked("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": True})

    def dag(self, dag: str) -> dict[str, Any]:
        """Return Airflow's description of a DAG."""
        return self._asked("GET", f"/api/v2/dags/{dag}")

    def health(self) -> dict[str, dict[str, Any]]:
        """Return the `status` of Airflow's database and of each of its processes; it is None if one never ran."""
        return self._asked("GET", _HEALTH)

    def import_errors(self) -> dict[str, str]:
        """Return why each DAG file that Airflow cannot read fails, in a line."""
        broken = self._asked("GET", "/api/v2/importErrors")["import_errors"]
        return {one["filename"]: (one["stack_trace"].strip().splitlines() or [""])[-1] for one in broken}

    def trigger(self, dag: str, conf: Mapping[str, Any], *, logical_date: str | None = None) -> str:
        """Start a run; return its id."""
        asked = {"logical_date": logical_date, "conf": dict(conf)}
        run = self._asked("POST", f"/api/v2/dags/{dag}/dagRuns", json=asked)
        return str(run["dag_run_id"])

    def connect(self, name: str, extra: Mapping[str, Any]) -> None:
        """Create the connection of a name, or give it another extra."""
        asked = {"connection_id": name, "conn_type": "generic", "extra": json.dumps(extra)}
        if self._answer("POST", "/api/v2/connections", json=asked).status_code == 409:  # noqa: PLR2004
            self._asked("PATCH", f"/api/v2/connections/{name}", json=asked)

    def add_event(self, asset: str, extra: Mapping[str, Any]) -> None:
        """Add an event to the asset of a name. Raises ServiceUnavailableError if Airflow has no such asset."""
        found = self._asked("GET", "/api/v2/assets", params={"name_pattern": asset})["assets"]
        number = next((one["id"] for one in found if one["name"] == asset), None)
        if number is None:
            raise ServiceUnavailableError(f"Airflow has not yet read a DAG with the asset {asset}.")
        self._asked("POST", _EVENTS, json={"asset_id": number, "extra": dict(extra)})

    def clear(self, dag: str, run: str, task: str) -> None:
        """Have a task of a run, and all that follows it, done again."""
        asked = {"dag_run_id": run, "task_ids": [task], "include_downstream": True, "only_failed": False}
        asked |= {"dry_run": False, "reset_dag_runs": True}
        self._asked("POST", f"/api/v2/dags/{dag}/clearTaskInstances", json=asked)

    def ended(self, dag: str, run: str, *, every_s: float = 0.5) -> str:
        """Wait for the end of a run; return its state."""
        while (state := str(self.run(dag, run)["state"])) not in _ENDED:
            time.sleep(every_s)
        return state

    def follow(self, dag: str, run: str, *, every_s: float = 1.0) -> Iterator[RunState]:
        """Yield the run's state until it ends. Airflow lists instances slowly, so do not poll too often."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}"
        while True:
            state = str(self._asked("GET", path)["state"])
            tasks: dict[str, dict[str, int]] = {}
            for instance in self._asked("GET", f"{path}/taskInstances", params={"limit": 1000})["task_instances"]:
                counts = tasks.setdefault(instance["task_id"], {})
                name = instance["state"] or "waiting"
                counts[name] = counts.get(name, 0) + 1
            now = RunState(state, tasks)
            yield now
            if now.ended:
                return
            time.sleep(every_s)

    def run(self, dag: str, run: str) -> dict[str, Any]:
        """Return Airflow's description of a run."""
        return self._asked("GET", f"/api/v2/dags/{dag}/dagRuns/{run}")

    def runs(self, dag: str, run_type: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG of one type (scheduled, manual, backfill …), oldest logical date first."""
        asked = {"run_type": run_type, "limit": 100, "order_by": "logical_date"}
        return list(self._asked("GET", f"/api/v2/dags/{dag}/dagRuns", params=asked)["dag_runs"])

    def backfills(self, dag: str) -> list[dict[str, Any]]:
        """Return the backfills of a DAG. Another may start only when the last one has `completed_at`."""
        return list(self._asked("GET", "/api/v2/backfills", params={"dag_id": dag})["backfills"])

    def instances(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Return Airflow's descriptions of the task instances of a run."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances"
        return list(self._asked("GET", path, params={"limit": 1000})["task_instances"])

    def last_run(self, dag: str) -> dict[str, Any] | None:
        """Return how the last run that ended did: its id, state, and where it failed the task, code and message.

        `essays` says which failed in it, also if it succeeded without them.
        """
        asked = {"state": sorted(_ENDED), "limit": 1, "order_by": "-end_date"}
        runs = self._asked("GET", f"/api/v2/dags/{dag}/dagRuns", params=asked)["dag_runs"]
        if not runs:
            return None
        run, state = str(runs[0]["dag_run_id"]), str(runs[0]["state"])
        essays = self.returned(dag, run, "assemble", "failed_essays")
        found = {"run": run, "state": state, "task": None, "code": None, "message": None, "essays": essays}
        if state == "failed":
            task, ending = self._ending(dag, runs[0])
            found |= {"task": task, **ending._asdict()}
        return found

    def _ending(self, dag: str, run: Mapping[str, Any]) -> tuple[str | None, Ending]:
        """Return which task made a run fail, if one did, and what is known of it: what airflow/notices.py tells."""
        began, ended = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
        limit = _DURATION.validate_python(self._asked("GET", f"/api/v2/dags/{dag}/details")["dag_run_timeout"])
        if limit and ended - began >= limit:
            return None, run_took_too_long(limit)
        name = str(run["dag_run_id"])
        failed = [i["task_id"] for i in self.instances(dag, name) if i["state"] == "failed" and i["map_index"] < 0]
        for task in failed:
            if kept := self.returned(dag, name, task, "error"):
                return task, Ending(*kept)
        return (failed[0], without_report(failed[0])) if failed else (None, run_without_report())

    def returned(self, dag: str, run: str, task: str, key: str = "return_value") -> Any:
        """Return what a task returned, or kept under another key, or None."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/{key}"
        answer = self._answer("GET", path, params={"deserialize": True})
        return answer.json()["value"] if answer.is_success else None

    def failure(self, dag: str, run: str, task: str, map_index: int, attempt: int) -> str:
        """Return the message of the exception that ended an attempt of a task instance, from its log."""
        lines = self._log(dag, run, task, map_index, attempt)
        details = [line["error_detail"] for line in lines if line.get("error_detail")]
        return str(details[-1][0].get("exc_value", "")) if details else "its log has no details"

    def log(self, dag: str, run: str, task: str, map_index: int, attempt: int) -> str:
        """Return the lines of the log of a task instance's attempt; also while it runs."""
        return "\n".join(str(line.get("event")) for line in self._log(dag, run, task, map_index, attempt))

    def _log(self, dag: str, run: str, task: str, map_index: int, attempt: int) -> list[dict[str, Any]]:
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        lines = self._asked("GET", path, params={"map_index": map_index})["content"]
        return [line for line in lines if isinstance(line, dict)]

    def _asked(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._answer(method, path, **options)
        if not answer.is_success:
            raise ServiceUnavailableError(
                f"Airflow answered {method} {answer.url} with HTTP {answer.status_code}: {answer.text[:500]}"
            )
        try:
            value: dict[str, Any] = answer.json()
        except ValueError:
            raise ServiceUnavailableError(f"What answered {method} {answer.url} is not Airflow.") from None
        return value

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; retry idempotent ones. With SQLite, Airflow answers 500 while another process writes.

        An event that was answered so was not stored: it is written last.
        """
        repeatable = method in {"GET", "PATCH"} or path == _EVENTS
        try:
            answer = self._http.request(method, path, **options)
            for pause_s in (0.5, 1, 2, 4) if repeatable else ():
                if not answer.is_server_error:
                    break
                time.sleep(pause_s)
                answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            address = self._http.base_url.join(path)
            raise ServiceUnavailableError(
                f"Airflow did not answer {method} {address}: {type(error).__name__}"
            ) from None
        return answer
