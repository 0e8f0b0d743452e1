"""What is told of runs whose end is rare, how notifiers go wrong, and what is counted: without a scheduler.

`test_build_index.py` has the scheduler tell of runs that a gate, a key, a parameter or a page ended.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.conftest import ROOT

SECRET = "very-secret-5d1c"
# A notifier of somebody else: it raises with a secret in its words if `fails`, and else prints what it is told.
_NOTIFIER = """
import json
from airflow.sdk import BaseNotifier

class Printing(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text="{{ rag.message }}", fails=False):
        super().__init__()
        self.text, self.fails = text, fails

    def notify(self, context):
        if self.fails:
            raise OSError("https://hooks.example/" + self.fails)
        print("TOLD " + json.dumps({"text": self.text, **context["rag"]._asdict()}))
"""
# As the task runner and the DAG processor do, with the XComs that Airflow would hand on.
_TELL = """
import contextlib, io, json, logging, os, sys
from datetime import timedelta
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.context import set_current_context
from airflow.sdk.execution_time.comms import XComResult
from contextual_rag.airflow import notices, tasks
from contextual_rag.errors import BudgetError, FatalError

xcoms, log = {}, []

class Supervisor:
    def send(self, msg):
        return XComResult(key=msg.key, value=xcoms.get(f"{msg.task_id} {msg.key}"))

class Log(logging.Handler):
    def emit(self, record):
        log.append(record.getMessage())

task_runner.SUPERVISOR_COMMS = Supervisor()
logging.getLogger().addHandler(Log(logging.ERROR))
with DAG("build_index", dagrun_timeout=timedelta(hours=20)) as dag:
    for name in ("changes", "assemble", "publish"):
        EmptyOperator(task_id=name)

class Task:
    execution_timeout = timedelta(hours=2)

class Instance:
    log_url = "http://127.0.0.1:8080/dags/build_index/runs/r1/tasks/changes"
    dag_id, run_id, task = "build_index", "r1", Task()

    def __init__(self, task_id, map_index=-1, states=None):
        self.task_id, self.map_index, self.states = task_id, map_index, states

    def get_task_states(self, dag_id, task_ids, run_ids):
        return {"r1": {name: self.states[name] for name in task_ids}}

    def xcom_pull(self, task_ids, key):
        return xcoms.get(f"{task_ids} {key}")

    def xcom_push(self, key, value):
        xcoms[f"{self.task_id} {key}"] = value

ERRORS = {
    "foreign": lambda: ValueError("SECRET"), "late": lambda: AirflowTaskTimeout("Timeout"),
    "budget": lambda: BudgetError("0.5 USD are spent of 0.5. Raise it."),
}

def follow(states):
    ti = Instance("assemble", states=states)
    with set_current_context({"ti": ti}):
        try:
            tasks.follow(*states)
        except (FatalError, AirflowFailException) as error:
            notices.keep_error({"exception": error, "ti": ti})
        except AirflowSkipException:
            xcoms["assemble skipped"] = True

def told(case):
    xcoms.clear()
    log.clear()
    for task_id, map_index, error in case.get("failed", []):
        notices.keep_error({"exception": ERRORS[error](), "ti": Instance(task_id, map_index)})
    if states := case.get("follows"):
        follow(states)
    in_tasks = "; ".join(log)
    log.clear()
    xcoms.update(case.get("xcoms", {}))
    context = {"dag": dag, "run_id": "r1", "reason": case.get("reason", "task_failure")}
    if last := case.get("last"):
        context["ti"] = Instance(last)
    os.environ.update(case["environment"])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if case.get("check"):
            notices.check_notifiers()
        (notices.tell_of_success if case.get("green") else notices.tell_of_failure)(context)
    for name in case["environment"]:
        del os.environ[name]
    lines = [line for line in printed.getvalue().splitlines() if line.startswith("TOLD ")]
    notices_told = [json.loads(line.removeprefix("TOLD ")) for line in lines]
    return {"notices": notices_told, "log": "; ".join(log), "in_tasks": in_tasks}

print(json.dumps({name: told(case) for name, case in json.load(sys.stdin).items()}))
""".replace("SECRET", SECRET)

WORKS = {"class": "theirs.Printing"}
KEPT = {"assemble failed_essays": "1 failed (bell: gone)"}
# Of each run: the end that Airflow gives it, its last task to fail, and the task, code and words that are told.
ENDS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "budget": (
        # The last task to fail only followed the one that did, and an instance is no news of its own.
        {
            "failed": [["essays", 3, "foreign"], ["changes", -1, "budget"]],
            "follows": {"discover": "success", "changes": "failed"},
            "last": "assemble",
            "xcoms": KEPT,
        },
        "changes",
        "budget",
        "0.5 USD are spent of 0.5",
    ),
    "run took too long": (
        # Whatever else went wrong in it before.
        {"reason": "timed_out", "failed": [["changes", -1, "foreign"]]},
        "",
        "timed_out",
        "The run took longer than ten times RAG_TASK_HOURS (20 h) and was ended",
    ),
    "task took too long": (
        {"last": "publish", "failed": [["publish", -1, "late"]]},
        "publish",
        "timed_out",
        "publish took longer than RAG_TASK_HOURS (2 h) and was ended",
    ),
    "killed": ({"last": "publish"}, "publish", "no_error", "publish ended without a report: it was killed"),
    "killed before others": (
        {"last": "assemble", "follows": {"discover": "success", "changes": "failed"}},
        "assemble",
        "no_error",
        "changes ended without a report: it was killed",
    ),
    "the first killed": (
        {"last": "assemble", "follows": {"discover": "failed", "changes": "upstream_failed"}},
        "assemble",
        "no_error",
        "discover ended without a report: it was killed",
    ),
    "foreign error": (
        {"last": "publish", "failed": [["publish", -1, "foreign"]]},
        "publish",
        "ValueError",
        "publish ended with an error that nobody expected (ValueError). See its log",
    ),
    "deadlock": ({"reason": "all_tasks_deadlocked"}, "", "all_tasks_deadlocked", "See the run"),
}
WRONG: dict[str, dict[str, Any]] = {
    "raises": {"class": "theirs.Printing", "fails": SECRET},
    "wrong argument": {"class": "theirs.Printing", "txet": SECRET},
    "wrong name": {"class": "theirs.Missing"},
    "wrong module": {"class": "nowhere.Printing"},
    "broken module": {"class": "broken.Printing"},
    "of another kind": {"class": "json.JSONDecoder"},
    "empty name": {"class": ""},
    "no name": {"klass": "theirs.Printing"},
}
NO_LIST = ("no json", "{", '"theirs.Printing"', "5", '{"class": "theirs.Printing"}')


def case(*notifiers: Mapping[str, Any], environment: Mapping[str, str] | None = None, **end: Any) -> dict[str, Any]:
    """A run that is over, and what is set: a notifier that works, or these."""
    return {**end, "environment": {"RAG_NOTIFIERS": json.dumps(notifiers or [WORKS]), **(environment or {})}}


def cases() -> dict[str, dict[str, Any]]:
    """All of them by name."""
    stayed = {"publish return_value": {"moved": False, "why": "nothing changed"}}
    return {
        **{name: case(**end) for name, (end, *_) in ENDS.items()},
        **{name: case(wrong, WORKS | {"class": "theirs:Printing"}) for name, wrong in WRONG.items()},
        **{setting: case(environment={"RAG_NOTIFIERS": setting}) for setting in NO_LIST},
        "all well": case(green=True, check=True),
        "essays failed": case(green=True, xcoms=KEPT | stayed),
        "nothing to tell": case(WRONG["wrong argument"], green=True, check=True),
        "another setting is wrong": case(environment={"RAG_MAX_FAILED_SHARE": "much", "RAG_BUDGET": "5"}),
        "no notifier": case(environment={"RAG_NOTIFIERS": "[]"}),
    }


class Said(NamedTuple):
    """What was told, and what was logged as an error: by what tells, and by the tasks before."""

    notices: list[dict[str, Any]]
    log: str
    in_tasks: str = ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where Airflow settles, and where the notifier of somebody else is imported from."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "theirs.py").write_text(_NOTIFIER)
    (folder / "broken.py").write_text(f"raise OSError('{SECRET}')")
    return str(folder)


def run(folder: str, program: str, given: str = "", **environment: str) -> str:
    """Run a program in a process that Airflow may settle in; return what it printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    places = os.pathsep.join([folder, str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**inherited, "AIRFLOW_HOME": folder, "PYTHONPATH": places, **environment},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def told(folder: str) -> dict[str, Said]:
    """What became of each case."""
    found = json.loads(run(folder, _TELL, json.dumps(cases())).splitlines()[-1])
    return {name: Said(**said) for name, said in found.items()}


class TestANotice:
    @pytest.mark.parametrize("end", ENDS)
    def test_of_a_run_that_failed_says_where_why_and_what_to_do(self, told: dict[str, Said], end: str) -> None:
        _, task, code, words = ENDS[end]
        (notice,) = told[end].notices
        assert (notice["dag"], notice["run"], notice["task"], notice["code"]) == ("build_index", "r1", task, code)
        assert words in notice["message"]
        assert code in notice["subject"]
        assert "`rag status`" in notice["message"]
        assert notice["text"] == notice["message"], "templates find it"
        assert told[end].log == ""

    def test_names_the_run_in_airflow_and_the_essays_that_failed_beside(self, told: dict[str, Said]) -> None:
        message = told["budget"].notices[0]["message"]
        assert "http://127.0.0.1:8080/dags/build_index/runs/r1" in message
        assert "1 failed (bell: gone)" in message
        assert "bell" not in told["killed"].notices[0]["message"]

    def test_says_of_a_task_within_its_time_never_that_it_took_too_long(self, told: dict[str, Said]) -> None:
        late = {end for end in ENDS if "RAG_TASK_HOURS" in told[end].notices[0]["message"] + told[end].in_tasks}
        assert late == {"run took too long", "task took too long"}

    def test_of_a_green_run_is_told_if_essays_failed_and_else_not(self, told: dict[str, Said]) -> None:
        (notice,) = told["essays failed"].notices
        assert "1 failed (bell: gone)" in notice["message"]
        assert "What answers stays: nothing changed." in notice["message"]
        assert told["all well"] == Said([], "")

    def test_is_told_although_another_setting_is_wrong(self, told: dict[str, Said]) -> None:
        assert len(told["another setting is wrong"].notices) == 1


class TestATask:
    def test_that_an_error_ended_says_so_in_its_log_with_what_to_do(self, told: dict[str, Said]) -> None:
        assert ENDS["task took too long"][-1] in told["task took too long"].in_tasks
        # Of an instance of a mapped task, too; and no word of a foreign error, which might hold a secret.
        assert "essays ended with an error that nobody expected (ValueError)" in told["budget"].in_tasks
        assert "0.5 USD are spent of 0.5" in told["budget"].in_tasks
        assert "did not succeed" not in told["budget"].in_tasks, "one that follows has no news"


class TestANotifier:
    @pytest.mark.parametrize("wrong", WRONG)
    def test_that_is_wrong_or_raises_is_in_the_log_and_keeps_no_other_from_telling(
        self, told: dict[str, Said], wrong: str
    ) -> None:
        assert len(told[wrong].notices) == 1
        assert (WRONG[wrong].get("class") or "no class") in told[wrong].log

    def test_that_is_wrong_is_in_the_log_before_there_is_anything_to_tell(self, told: dict[str, Said]) -> None:
        said = told["nothing to tell"]
        assert said.notices == []
        assert "txet" in said.log

    @pytest.mark.parametrize("setting", NO_LIST)
    def test_of_a_setting_that_is_no_list_tells_nothing_and_raises_nothing(
        self, told: dict[str, Said], setting: str
    ) -> None:
        assert told[setting].notices == []
        assert "RAG_NOTIFIERS" in told[setting].log

    def test_that_is_not_there_is_no_error(self, told: dict[str, Said]) -> None:
        assert told["no notifier"] == Said([], "")


# What a task does: Airflow's metrics are set up as in its task runner.
_COUNT = """
import tempfile
from pathlib import Path
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
from contextual_rag.airflow.connection import count
from contextual_rag.building.steps import Steps
from tests.memory_world import MemoryWorld, names

stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
world = MemoryWorld(Path(tempfile.mkdtemp()))
world.steps = Steps(world, count)
world.pages.show(names(6))
assert world.build().moved
world.pages.show([*names(5), "newcomer"], missing=["essay3"])
assert world.build(days=1).moved
world.pages.show(names(1))
assert world.build(days=2).state == "refused"
"""
# Of the three builds together, and nothing else: no essay was changed, and nothing cost anything.
COUNTED = {
    "essays.listed": 6 + 6 + 1,
    "essays.new": 6 + 1,
    "essays.unchanged": 5 + 1,
    "essays.gone": 1 + 5,
    "essays.failed": 1,
    "contexts.asked": 7,
    "chunks.embedded": 7,
    "versions.moved": 2,
    "versions.refused": 1,
}


@pytest.fixture
def collector() -> Iterator[ThreadingHTTPServer]:
    """A collector of OpenTelemetry's metrics."""
    sums: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                    for point in metric.sum.data_points:
                        sums[metric.name] = point.as_double or point.as_int
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing to the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.sums = sums  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class TestMetrics:
    def test_of_three_nights_reach_a_collector_of_opentelemetry(
        self, folder: str, collector: ThreadingHTTPServer
    ) -> None:
        port = str(collector.server_port)
        names = {"OTEL_ON": "True", "OTEL_HOST": "127.0.0.1", "OTEL_PORT": port}
        run(folder, _COUNT, **{f"AIRFLOW__METRICS__{name}": value for name, value in names.items()})
        sums: dict[str, float] = collector.sums  # type: ignore[attr-defined]
        assert ours(sums) == COUNTED

    def test_of_three_nights_reach_a_statsd_server(self, folder: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            port = str(server.getsockname()[1])
            names = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": port}
            run(folder, _COUNT, **{f"AIRFLOW__METRICS__{name}": value for name, value in names.items()})
            server.setblocking(False)
            sums: dict[str, float] = {}
            while packet := received(server):
                name, _, rest = packet.partition(":")
                sums[name] = sums.get(name, 0) + float(rest.partition("|")[0])
        assert ours(sums) == COUNTED


def ours(sums: Mapping[str, float]) -> dict[str, float]:
    """Our own metrics among those of Airflow."""
    before = "airflow.contextual_rag."
    return {name.removeprefix(before): number for name, number in sums.items() if name.startswith(before)}


def received(server: socket.socket) -> str:
    """The next packet that has arrived; empty if there is none."""
    try:
        return server.recv(65536).decode()
    except BlockingIOError:
        return ""
