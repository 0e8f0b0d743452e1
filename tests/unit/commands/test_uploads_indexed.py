"""Where an Airflow can be asked, it builds what people upload; the page sees how far it is and what it came to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contextual_rag.commands.uploads import index_uploads
from contextual_rag.embedded.secrets import secret
from tests.servers.airflow import AirflowServer

STORE = "http://127.0.0.1:9"


@pytest.fixture
def airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowServer]:
    """An Airflow that the settings name; the stores cannot be reached."""
    with AirflowServer(tmp_path, STORE) as server:
        for name, value in {
            "RAG_AIRFLOW_URL": f"http://127.0.0.1:{server.port}",
            "RAG_AIRFLOW_PASSWORD": secret(tmp_path, "airflow_password"),
            "AWS_ENDPOINT_URL": STORE,
            "RAG_OBJECT_STORE_ATTEMPTS": "1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server


def reported() -> tuple[list[tuple[str, int, int]], str, str | None]:
    """What is reported of a build, what it came to, and why."""
    steps: list[tuple[str, int, int]] = []
    result = index_uploads(lambda *step: steps.append(step))
    return steps, result.state, result.why


class TestAnAirflow:
    @pytest.mark.parametrize(("publish", "came_to"), [("success", "moved"), ("skipped", "stayed")])
    def test_builds_and_says_how_far_it_is(self, airflow: AirflowServer, publish: str, came_to: str) -> None:
        airflow.states = [
            {"discover": "running"},
            # The same task twice.
            {"discover": "success", "fetch": "success", "fetch ": "running"},
            {"run": "success", "discover": "success", "essays.chunk": "skipped", "publish": publish},
        ]
        assert reported() == ([("discover", 0, 1), ("fetch", 1, 2)], came_to, None)
        assert airflow.runs == [{"uploads_only": True}]

    def test_whose_run_fails_is_named(self, airflow: AirflowServer) -> None:
        airflow.states = [{"run": "failed", "discover": "failed"}]
        steps, came_to, why = reported()
        assert (steps, came_to) == ([], "failed")
        assert "run-1" in (why or "")

    def test_that_does_not_know_the_password_is_named(
        self, airflow: AirflowServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAG_AIRFLOW_PASSWORD", "another")
        steps, came_to, why = reported()
        assert (steps, came_to, airflow.runs) == ([], "failed", [])
        assert "401" in (why or "")
        assert "another" not in (why or "")

    def test_whose_dag_is_paused_is_not_waited_for(self, airflow: AirflowServer) -> None:
        airflow.paused = True
        # The worker builds by itself, which needs a store.
        _, came_to, why = reported()
        assert (came_to, airflow.runs) == ("failed", [])
        assert STORE in (why or "")
