"""What `rag doctor` finds out about a store's conditional writes, and about Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from contextual_rag.commands.checks import Finding, examine
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.memory_objects import MemoryObjects
from tests.servers.airflow import AirflowServer


class Named(MemoryObjects):
    """A store with what the checks name."""

    name, endpoint = "mine", "http://store.example"


class IgnoresIfNoneMatch(Named):
    def put_new(self, key: str, body: bytes) -> bool:
        self.put(key, body)
        return True


class LetsTwoCreate(Named):
    """In a sequence, it respects the condition."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: Iterator[int] = count()

    def put_new(self, key: str, body: bytes) -> bool:
        return super().put_new(key, body) or next(self.writers) == 1


class IgnoresIfMatch(Named):
    def swap(self, key: str, body: bytes, *, expected: str | None) -> str:
        self.put(key, body)
        found = self.get(key)
        return found.etag if found else ""


class LetsNobodyCreate(Named):
    def put_new(self, key: str, body: bytes) -> bool:
        return False


def finding(store: Named) -> Finding:
    world = World(Settings())
    vars(world)["store"] = store
    return next(found for found in examine(world) if found.check == "conditional writes")


def test_a_store_that_lets_exactly_one_of_32_writers_win_is_fine() -> None:
    store = Named()
    found = finding(store)
    assert (found.ok, "32" in found.detail) == (True, True)
    assert list(store.list("doctor/")) == []


@pytest.mark.parametrize(
    ("store", "condition", "danger"),
    [
        (IgnoresIfNoneMatch, "If-None-Match", "overwrite"),
        (LetsTwoCreate, "If-None-Match", "overwrite"),
        (LetsNobodyCreate, "If-None-Match", "overwrite"),
        (IgnoresIfMatch, "If-Match", "CURRENT"),
    ],
)
def test_any_other_never_is(store: type[Named], condition: str, danger: str) -> None:
    found = finding(store())
    assert not found.ok
    assert [word for word in (condition, danger, "http://store.example") if word not in found.detail] == []


def of_airflow(data_dir: Path, url: str | None = None) -> Finding:
    """What is said of the Airflow that was started on a data folder, or of one that the settings name."""
    world = World(Settings(data_dir=data_dir, airflow_url=url))
    vars(world)["store"] = Named()
    return next(found for found in examine(world) if found.check == "Airflow")


class TestAirflow:
    @pytest.fixture
    def airflow(self, tmp_path: Path) -> Iterator[AirflowServer]:
        with AirflowServer(tmp_path, "http://store.example") as server:
            yield server

    def test_that_was_never_started_here_is_no_fault(self, tmp_path: Path) -> None:
        found = of_airflow(tmp_path)
        assert (found.ok, found.warning, "RAG_AIRFLOW_URL" in found.detail) == (True, False, True)

    def test_that_works_says_when_it_runs_next(self, airflow: AirflowServer, tmp_path: Path) -> None:
        found = of_airflow(tmp_path)
        assert (found.ok, found.warning) == (True, False)
        assert "2026-03-02T01:00" in found.detail

    @pytest.mark.parametrize("part", ["metadatabase", "scheduler", "dag_processor"])
    @pytest.mark.parametrize("status", ["unhealthy", None])
    def test_of_which_a_part_is_gone_is_named_with_what_to_do(
        self, airflow: AirflowServer, tmp_path: Path, part: str, status: str | None
    ) -> None:
        airflow.health[part] = status
        found = of_airflow(tmp_path)
        assert not found.ok
        assert [word for word in (part, "make up", str(tmp_path / "logs")) if word not in found.detail] == []

    def test_that_cannot_read_a_file_names_it_with_the_reason(self, airflow: AirflowServer, tmp_path: Path) -> None:
        airflow.import_errors["mine.py"] = "Traceback:\n  line 3\nModuleNotFoundError: No module named 'mine'\n"
        found = of_airflow(tmp_path)
        assert not found.ok
        assert "mine.py: ModuleNotFoundError: No module named 'mine'" in found.detail

    def test_whose_dag_is_paused_or_whose_triggerer_is_gone_is_a_warning(
        self, airflow: AirflowServer, tmp_path: Path
    ) -> None:
        airflow.health["triggerer"] = "unhealthy"
        assert "triggerer" in of_airflow(tmp_path).detail
        airflow.paused = True
        found = of_airflow(tmp_path)
        assert (found.ok, found.warning) == (True, True)
        assert "rag airflow dags unpause build_index" in found.detail

    def test_that_has_ended_is_a_warning(self, tmp_path: Path) -> None:
        with AirflowServer(tmp_path, "http://store.example"):
            pass
        found = of_airflow(tmp_path)
        assert (found.ok, found.warning) == (True, True)
        assert "make up" in found.detail

    @pytest.mark.parametrize("answer", [(404, "Not Found"), (200, "<html>another server</html>"), (401, "{}")])
    def test_whose_port_another_server_has_is_an_error(
        self, airflow: AirflowServer, tmp_path: Path, answer: tuple[int, str]
    ) -> None:
        airflow.answers["/auth/token"] = answer
        found = of_airflow(tmp_path)
        assert not found.ok
        assert str(airflow.port) in found.detail


class TestAirflowOfADeployment:
    @pytest.fixture
    def airflow(self, tmp_path: Path) -> Iterator[AirflowServer]:
        (tmp_path / "there").mkdir()
        with AirflowServer(tmp_path / "there", "http://store.example") as server:
            yield server

    def test_that_works_is_said_to_without_a_login(self, airflow: AirflowServer, tmp_path: Path) -> None:
        airflow.answers["/auth/token"] = (401, "{}")
        found = of_airflow(tmp_path, f"http://127.0.0.1:{airflow.port}/")
        assert (found.ok, found.warning) == (True, False)
        assert f"127.0.0.1:{airflow.port}" in found.detail

    @pytest.mark.parametrize("part", ["metadatabase", "scheduler", "dag_processor"])
    @pytest.mark.parametrize("status", ["unhealthy", None])
    def test_of_which_a_part_is_gone_never_is(
        self, airflow: AirflowServer, tmp_path: Path, part: str, status: str | None
    ) -> None:
        airflow.health[part] = status
        found = of_airflow(tmp_path, f"http://127.0.0.1:{airflow.port}")
        assert (found.ok, part in found.detail, "make up" in found.detail) == (False, True, False)

    def test_whose_triggerer_is_gone_is_a_warning(self, airflow: AirflowServer, tmp_path: Path) -> None:
        airflow.health["triggerer"] = "unhealthy"
        found = of_airflow(tmp_path, f"http://127.0.0.1:{airflow.port}")
        assert (found.ok, found.warning, "triggerer" in found.detail) == (True, True, True)

    @pytest.mark.parametrize("answer", [(404, "Not Found"), (200, "<html>"), (200, "[1]"), (200, '{"scheduler": 1}')])
    def test_at_whose_address_another_server_is_never_is(
        self, airflow: AirflowServer, tmp_path: Path, answer: tuple[int, str]
    ) -> None:
        airflow.answers["/api/v2/monitor/health"] = answer
        found = of_airflow(tmp_path, f"http://127.0.0.1:{airflow.port}")
        assert (found.ok, str(airflow.port) in found.detail) == (False, True)

    def test_that_is_gone_never_is(self, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        with AirflowServer(tmp_path / "there", "http://store.example") as server:
            pass
        assert not of_airflow(tmp_path, f"http://127.0.0.1:{server.port}").ok
