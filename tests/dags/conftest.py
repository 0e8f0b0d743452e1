"""A real Airflow, with scheduler, DAG processor and API server, over the sample site and a provider that we serve."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any, NamedTuple, Self

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize

from contextual_rag import keys
from contextual_rag.embedded.airflow import DAG, USER, Airflow
from contextual_rag.embedded.services import BUILDING, Services, running
from contextual_rag.model import Snapshot
from contextual_rag.objects import require
from contextual_rag.recipe import OFFLINE_CONTEXTS, OFFLINE_EMBEDDINGS
from contextual_rag.settings import services_file
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World
from tests.conftest import SAMPLE_SITE
from tests.forked import Forked
from tests.sample_questions import SEARCHED
from tests.servers.together import DEFAULT_KEY, TogetherServer

__all__ = [
    "DESKTOP",
    "HOOK",
    "MARKER",
    "METRICS",
    "MISSPELT",
    "PATIENCE_MS",
    "QUESTIONS",
    "Finished",
    "Scheduler",
    "is_of",
]

QUESTIONS = 20
# Beside the provider's key, a token that the embedded Milvus does not ask for.
MARKER = "marker:milvus-31c8"
# A part of the webhook's address, which is a secret, and a notifier that does not exist.
HOOK, MISSPELT = "hook-7f3a9", "nowhere.Notifier"
# One of Airflow's own settings of metrics.
METRICS = "AIRFLOW__METRICS__STATSD_PREFIX"
# How often a command is given that Airflow itself asks to give again.
_ATTEMPTS = 5
PATIENCE_S = 60
DESKTOP = ViewportSize(width=1440, height=1000)
PATIENCE_MS = 30_000


class Finished(NamedTuple):
    """A DAG run that is over."""

    id: str
    state: str
    instances: list[dict[str, Any]]
    published: dict[str, Any] | None

    def states(self, task: str) -> list[str]:
        """The states of a task's instances, in their order."""
        mine = sorted((i for i in self.instances if i["task_id"] == task), key=lambda i: i["map_index"])
        return [str(i["state"]) for i in mine]

    def titles(self, task: str, state: str) -> list[str]:
        """What the rows of a mapped task are called, of the instances in a state."""
        return [i["rendered_map_index"] for i in self.instances if (i["task_id"], i["state"]) == (task, state)]


class Webhook:
    """A server that gathers the notices posted to it."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        self._arrived = Condition()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with webhook._arrived:
                    webhook.notices.append(body)
                    webhook._arrived.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write nothing to the tests' output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{HOOK}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def notice(self, run: Finished) -> dict[str, Any]:
        """What was told of a run, as soon as it was."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.of(run), timeout=PATIENCE_S), self.notices
            return self.of(run)[0]

    def of(self, run: Finished) -> list[dict[str, Any]]:
        """All that was told of a run."""
        return [notice for notice in self.notices if notice["run"] == run.id]


class Scheduler:
    """Airflow, its client, and the world that its tasks work on."""

    def __init__(self, services: Services, provider: TogetherServer, webhook: Webhook) -> None:
        self.services = services
        self.provider = provider
        self.webhook = webhook
        self.world = World(services.settings())
        self.airflow = Airflow(services.airflow_url, services.airflow_password)
        self.airflow.unpause(DAG)
        self.snapshots: dict[int, Snapshot] = {}

    def empty(self) -> None:
        """Remove every object and every vector, as where nothing was ever built."""
        self.world.store.delete(list(self.world.store.list("")))
        for collection in self.world.vectors.collections():
            self.world.vectors.drop(collection)

    def show(self, edition: int) -> None:
        """Change the sample site to another day's edition."""
        url = self.services.site_url.replace("articles.html", "_edition")
        httpx.put(url, json={"edition": edition}, trust_env=False).raise_for_status()

    def build(self, edition: int) -> Finished:
        """Build an edition of the sample site, and remember the snapshot that this left."""
        self.show(edition)
        run = self.run()
        self.snapshots[edition] = require(
            self.world.store, self.snapshot_key(self.manifest(run).logical_date), Snapshot
        )
        return run

    def snapshot_key(self, day: date) -> str:
        """Where the snapshot of a day of the sample site stands."""
        return keys.snapshot(self.services.environment["RAG_SOURCE_NAME"], day)

    def run(self, logical_date: str | None = None, **conf: Any) -> Finished:
        """Run the DAG to its end."""
        return self.finished(self.airflow.trigger(DAG, conf, logical_date=logical_date))

    def finished(self, run: str) -> Finished:
        """Wait for the end of a run."""
        state = self.airflow.ended(DAG, run)
        instances = self.airflow.instances(DAG, run)
        return Finished(run, state, instances, self.airflow.returned(DAG, run, "publish"))

    def backfill(self, first: date, last: date, *, again: bool = False, **conf: Any) -> list[Finished]:
        """Run `rag airflow backfill create` over some days, one after the other, to its end; return the runs by day."""
        options = {
            "--dag-id": DAG,
            "--from-date": str(first),
            "--to-date": f"{last}T23:59",
            "--max-active-runs": "1",
            "--reprocess-behavior": "completed" if again else "none",
            "--dag-run-conf": json.dumps(conf),
        }
        command = [str(Path(sys.executable).parent / "rag"), "airflow", "backfill", "create"]
        for _ in range(_ATTEMPTS):
            made = subprocess.run(
                [*command, *(part for item in options.items() for part in item)],
                env=self.services.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            # On SQLite, Airflow reads the runs that it clears while the scheduler writes, gives up where that changed
            # what it read, and takes back what it had begun "so the user can retry" (airflow/models/backfill.py).
            if "database is locked" not in made.stderr:
                break
            # What it could not take back has to run first, which it does not while the DAG is paused.
            self._await_backfills()
        assert made.returncode == 0, made.stdout + made.stderr
        finished = [
            self.finished(run["dag_run_id"])
            for run in self.airflow.runs(DAG, "backfill")
            if first <= date.fromisoformat(run["logical_date"][:10]) <= last
        ]
        # What clears runs for the next backfill must not meet a run that Airflow started beside this one.
        for run in self.airflow.runs(DAG, "scheduled"):
            self.finished(run["dag_run_id"])
        self._await_backfills()
        return finished

    def _await_backfills(self) -> None:
        while not all(backfill["completed_at"] for backfill in self.airflow.backfills(DAG)):
            time.sleep(0.2)

    def events(self) -> list[dict[str, Any]]:
        """What Airflow has recorded of the asset, oldest first."""
        login = {"username": USER, "password": self.services.airflow_password}
        with httpx.Client(base_url=self.services.airflow_url, timeout=30, trust_env=False) as http:
            token = http.post("/auth/token", json=login).json()["access_token"]
            listed = http.get("/api/v2/assets/events", headers={"Authorization": f"Bearer {token}"}).json()
        return sorted(listed["asset_events"], key=lambda event: int(event["id"]))

    def status(self) -> dict[str, Any]:
        """What `rag status --json` says now."""
        status = Forked(["status", "--json"], self.services.environment)
        said, error = status.communicate(timeout=PATIENCE_S)
        assert status.returncode == 0, error
        found: dict[str, Any] = json.loads(said)
        return found

    def log_while_it_runs(self, run: str, task: str, *, attempt: int = 1) -> str:
        """What the log of a mapped task's only instance says while it waits for the provider."""
        while True:
            states = [
                (i["state"], i["try_number"])
                for i in self.airflow.instances(DAG, run)
                if i["task_id"] == task and i["map_index"] == 0
            ]
            log = self.airflow.log(DAG, run, task, 0, attempt) if ("running", attempt) in states else ""
            if "trying again" in log:
                return log
            assert not self.airflow.run(DAG, run)["end_date"], "it ended before it was seen"
            time.sleep(0.2)

    @contextmanager
    def time_limit(self, run: str, after: str, hours: float) -> Iterator[None]:
        """Give the tasks of a run that start after a certain one less time: each reads its limit when it starts."""
        while next((i["state"] for i in self.airflow.instances(DAG, run) if i["task_id"] == after), None) != "success":
            assert not self.airflow.run(DAG, run)["end_date"], "it ended before"
            time.sleep(0.2)
        file = services_file(self.services.data_dir)
        before = file.read_text()
        file.write_text(f"{before}RAG_TASK_HOURS={hours}\n")
        yield
        file.write_text(before)

    def task_process(self) -> psutil.Process:
        """The process of the task that runs, as Airflow's worker has forked it."""
        mine = [one for one in psutil.process_iter() if is_of(one, self.services.data_dir)]
        titles = {one: " ".join(one.cmdline()) for one in mine}
        (process,) = [one for one, title in titles.items() if re.match("airflow worker -- [0-9a-f-]+$", title.strip())]
        return process

    def log(self, run: Finished, task: str) -> str:
        """What the log of a task that runs once says."""
        return self.airflow.log(DAG, run.id, task, -1, 1)

    def message(self, run: Finished, task: str) -> str:
        """What the first failed instance of a task said."""
        failed = next(i for i in run.instances if (i["task_id"], i["state"]) == (task, "failed"))
        return self.airflow.failure(DAG, run.id, task, failed["map_index"], failed["try_number"])

    def failures(self, run: Finished) -> dict[str, str]:
        """What each failed task said."""
        return {i["task_id"]: self.message(run, i["task_id"]) for i in run.instances if i["state"] == "failed"}

    def manifest(self, run: Finished) -> Manifest:
        """The version that a run published or found unchanged."""
        assert run.published
        return self.world.registry.manifest(run.published["version"])


def is_of(process: psutil.Process, data_dir: Path) -> bool:
    """Whether a process was started for the services on a data folder."""
    try:
        return bool(process.environ().get("RAG_EMBEDDED_IN") == str(data_dir))
    except (psutil.Error, OSError):
        return False


@pytest.fixture(scope="package")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """One Airflow for all runs; offline models unless a run's parameters name others."""
    # Few questions: each run measures its version with them, and asks the provider's reranker for each. Their answers
    # are measured elsewhere.
    few = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    few.write_text("\n".join(SEARCHED[:QUESTIONS]), encoding="utf-8")
    with TogetherServer() as provider, Webhook() as webhook, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAG_QUESTIONS", str(few))
        extra = {"MILVUS_TOKEN": MARKER, "RAG_REQUESTS_PER_MINUTE": 100_000, "RAG_TOKENS_PER_MINUTE": "1000000000"}
        connection = {"conn_type": "generic", "password": DEFAULT_KEY, "extra": extra}
        patch.setenv("AIRFLOW_CONN_CONTEXTUAL_RAG", json.dumps(connection))
        # The one that works comes last: those before it must not keep it from telling.
        notifier = {"class": "contextual_rag.airflow.webhook.WebhookNotifier"}
        wrong = [{"class": MISSPELT}, {**notifier, "adress": "x"}, {**notifier, "conn_id": "nowhere"}]
        patch.setenv("RAG_NOTIFIERS", json.dumps([*wrong, notifier]))
        patch.setenv("AIRFLOW_CONN_CONTEXTUAL_RAG_WEBHOOK", json.dumps({"conn_type": "http", "password": webhook.url}))
        patch.setenv(METRICS, "night")
        patch.setenv("TOGETHER_BASE_URL", provider.url)
        patch.setenv("RAG_CONTEXT_MODEL", OFFLINE_CONTEXTS)
        patch.setenv("RAG_EMBEDDING_MODEL", OFFLINE_EMBEDDINGS)
        patch.setenv("RAG_REQUEST_INTERVAL_S", "0")
        with running(BUILDING, data_dir=tmp_path_factory.mktemp("airflow"), site=SAMPLE_SITE) as services:
            # For the tests alone; the tasks have their key from the connection.
            patch.setenv("TOGETHER_API_KEY", DEFAULT_KEY)
            scheduler = Scheduler(services, provider, webhook)
            # What is set for these processes is for no test that runs beside them.
            patch.undo()
            yield scheduler
            scheduler.airflow.close()
            data_dir = services.data_dir
        assert [process for process in psutil.process_iter() if is_of(process, data_dir)] == [], "something was left"


@pytest.fixture(scope="package")
def context(browser: Browser, scheduler: Scheduler) -> Iterator[BrowserContext]:
    """Somebody who logged in through Airflow's own page."""
    context = browser.new_context(viewport=DESKTOP, base_url=scheduler.services.airflow_url)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("/")
    page.locator("input[name=username]").fill(USER)
    page.locator("input[name=password]").fill(scheduler.services.airflow_password)
    page.keyboard.press("Enter")
    page.get_by_test_id("nav-sidebar").wait_for()
    page.close()
    yield context
    context.close()
