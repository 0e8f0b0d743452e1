"""A small Airflow on loopback: what the project asks of its REST API, with one DAG and one asset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self
from urllib.parse import urlsplit

from contextual_rag.embedded.secrets import secret
from contextual_rag.settings import services_file
from contextual_rag.versions.event import ASSET

__all__ = ["AirflowServer"]

_HEALTHY = ("metadatabase", "scheduler", "dag_processor")


class AirflowServer:
    """In a `with`, it runs on a data folder as the Airflow of `rag up --all` does beside a store at an address.

    `events` are those that it was given. `answers` go before its own, by path: a status, and a body.
    """

    def __init__(self, data_dir: Path, store: str) -> None:
        self.health: dict[str, str | None] = {**dict.fromkeys(_HEALTHY, "healthy"), "triggerer": None}
        self.paused = False
        self.import_errors: dict[str, str] = {}
        self.assets = {7: ASSET, 8: f"{ASSET}_of_another"}
        self.events: list[dict[str, Any]] = []
        # What each run was asked for; and the states of the tasks of a run, one for each time that they are asked for.
        self.runs: list[dict[str, Any]] = []
        self.states: list[dict[str, str]] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self._password = secret(data_dir, "airflow_password")
        airflow = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._respond({})

            def do_POST(self) -> None:
                self._respond(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _respond(self, body: Mapping[str, Any]) -> None:
                path = urlsplit(self.path).path
                token = self.headers.get("Authorization")
                status, text = airflow.answers.get(path) or airflow._answer(self.command, path, token, body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self.port = self._server.server_address[1]
        services_file(data_dir).write_text(f"AWS_ENDPOINT_URL={store}\nRAG_AIRFLOW_PORT={self.port}\n")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, method: str, path: str, token: str | None, body: Mapping[str, Any]) -> tuple[int, str]:
        match method, path:
            case "POST", "/auth/token":
                known = body == {"username": "admin", "password": self._password}
                return (201, json.dumps({"access_token": "t"})) if known else (401, "{}")
            case "GET", "/api/v2/monitor/health":
                return 200, json.dumps({name: {"status": status} for name, status in self.health.items()})
            case _ if token != "Bearer t":
                return 401, "{}"
            case "GET", "/api/v2/assets":
                found: Any = {"assets": [{"id": number, "name": name} for number, name in self.assets.items()]}
            case "POST", "/api/v2/assets/events" if body.keys() <= {"asset_id", "extra", "partition_key"}:
                self.events.append({"name": self.assets[body["asset_id"]], "extra": body["extra"]})
                found = {"id": len(self.events)}
            case "GET", "/api/v2/importErrors":
                broken = [{"filename": file, "stack_trace": trace} for file, trace in self.import_errors.items()]
                found = {"import_errors": broken}
            case "GET", "/api/v2/dags/build_index":
                found = {"is_paused": self.paused, "next_dagrun_run_after": "2026-03-02T01:00:00Z"}
            case _, path if path.startswith("/api/v2/dags/build_index/dagRuns"):
                found = self._run(method, path, body)
            case _:
                found = None
        if found is None:
            return 404, '{"detail": "Not Found"}'
        return 200, json.dumps(found)

    def _run(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is told of runs; None if nothing is known of them."""
        if method == "POST":
            self.runs.append(body["conf"])
            return {"dag_run_id": f"run-{len(self.runs)}"}
        if path.endswith("/dagRuns"):
            return {"dag_runs": []}
        if path.endswith("/run-1"):
            return {"state": "running" if len(self.states) > 1 else self.states[0]["run"]}
        if not path.endswith("/taskInstances"):
            return None
        tasks = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"task_instances": [{"task_id": n.strip(), "state": s} for n, s in tasks.items() if n != "run"]}
