"""Airflow hears of what a command changed; and if it cannot, the command has done its work all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contextual_rag.commands.announce import announce
from contextual_rag.settings import Settings
from contextual_rag.versions.event import ASSET
from tests.servers.airflow import AirflowServer

STORE = "http://127.0.0.1:4566"


@pytest.fixture
def airflow(tmp_path: Path) -> Iterator[AirflowServer]:
    """An Airflow beside the store."""
    with AirflowServer(tmp_path, STORE) as server:
        yield server


def said(capsys: pytest.CaptureFixture[str], data_dir: Path, store: str = STORE) -> str:
    """What a command says that has moved what answers."""
    settings = Settings(data_dir=data_dir, aws_endpoint_url=store)
    announce(settings, "new", moved_from="old", why="it reads better", by="ada (rag)", action="promote")
    out, err = capsys.readouterr()
    assert out == ""
    return err


class TestAnAirflowThatRuns:
    def test_has_one_event_that_says_from_what_to_what_and_why(
        self, airflow: AirflowServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert said(capsys, tmp_path) == ""
        extra = {"from": "old", "to": "new", "version": "new", "why": "it reads better", "by": "ada (rag)"}
        assert airflow.events == [{"name": ASSET, "extra": {**extra, "action": "promote"}}]

    def test_has_none_of_what_answers_from_another_store(
        self, airflow: AirflowServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert STORE in said(capsys, tmp_path, "https://s3.example")
        assert airflow.events == []


class TestOneThatCannotBeTold:
    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            ("/auth/token", (401, '{"detail": "Invalid credentials"}')),
            ("/auth/token", (200, "<html>another server</html>")),
            ("/auth/token", (200, "{}")),
            ("/api/v2/assets", (200, '{"assets": []}')),
            ("/api/v2/assets", (200, '{"assets": [{"id": 1, "name": "essay_index_2"}]}')),
            ("/api/v2/assets/events", (403, '{"detail": "Forbidden"}')),
            ("/api/v2/assets/events", (422, '{"detail": []}')),
        ],
    )
    def test_leaves_a_warning_and_no_error(
        self,
        airflow: AirflowServer,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        path: str,
        answer: tuple[int, str],
    ) -> None:
        airflow.answers[path] = answer
        assert ASSET in said(capsys, tmp_path)
        assert airflow.events == []

    def test_leaves_none_if_it_has_ended_or_never_was(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert said(capsys, tmp_path / "elsewhere") == ""
        with AirflowServer(tmp_path, STORE):
            pass
        assert said(capsys, tmp_path) == ""
