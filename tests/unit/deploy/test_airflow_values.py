"""The values for Airflow's own chart: they say what docker-compose.yaml says, and the chart takes every one of them.

The second part needs the chart: `helm pull apache-airflow/airflow --version 1.22.0`, and AIRFLOW_CHART is its path.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bench.deployment.compose import Compose
from contextual_rag.settings import PROJECT

FOLDER = PROJECT / "deploy" / "kubernetes"
BASE, CELERY = FOLDER / "airflow-values.yaml", FOLDER / "airflow-celery-values.yaml"
VALUES: dict[str, Any] = yaml.safe_load(BASE.read_text("utf-8"))
GIVEN = os.environ.get("AIRFLOW_CHART", "")
# What the chart sets itself, or what is another on Kubernetes
NOT_VALUES = {
    *("CORE__EXECUTOR", "CORE__HOSTNAME_CALLABLE", "CORE__AUTH_MANAGER", "CORE__EXECUTION_API_SERVER_URL"),
    *("API__BASE_URL", "SCHEDULER__ENABLE_HEALTH_CHECK"),
    *("METRICS__STATSD_ON", "METRICS__STATSD_HOST", "METRICS__STATSD_PORT"),
}


class TestConfiguration:
    def test_is_that_of_the_compose_file(self) -> None:
        found = Compose({"AIRFLOW_UID": "1000"}, {}).environment("scheduler")
        wanted = {
            name.removeprefix("AIRFLOW__"): value
            for name, value in found.items()
            if name.startswith("AIRFLOW__") and not name.endswith("_CMD")
        }
        assert wanted.keys() >= NOT_VALUES
        given = {
            f"{section}__{name}".upper(): value
            for section, options in VALUES["config"].items()
            for name, value in options.items()
        }
        # The image of the containers names these two.
        assert (given.pop("CORE__DAGS_FOLDER"), given.pop("CORE__PLUGINS_FOLDER")) == ("/app/dags", "/app/plugins")
        assert given == {name: value for name, value in wanted.items() if name not in NOT_VALUES}

    def test_names_what_is_counted_as_the_compose_file_does(self) -> None:
        mappings = yaml.safe_load((PROJECT / "deploy" / "observability" / "statsd.yaml").read_text("utf-8"))
        assert VALUES["statsd"]["overrideMappings"] == mappings["mappings"]


class TestSecretsOfTasks:
    def test_hide_no_token_of_a_service_account(self) -> None:
        # Kubernetes puts it below /run/secrets, which then must not be a volume.
        assert [mount["mountPath"] for mount in VALUES["volumeMounts"]] == ["/etc/contextual-rag"]


def test_no_user_is_made_with_a_known_password() -> None:
    assert VALUES["createUserJob"] == {"enabled": False}


def _values(executor: str) -> list[str]:
    return [f"--values={path}" for path in ([BASE, CELERY] if executor == "CeleryExecutor" else [BASE])]


@pytest.fixture(scope="module")
def helm(helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    home = {"HOME": str(tmp_path_factory.mktemp("airflow"))}

    def run(*arguments: str) -> str:
        command = [str(helm_program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=home, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.skipif(not GIVEN, reason="AIRFLOW_CHART names no copy of Airflow's chart")
@pytest.mark.parametrize("executor", ["KubernetesExecutor", "CeleryExecutor"])
class TestWhatTheChartMakesOfThem:
    @pytest.fixture
    def made(self, helm: Callable[..., str], executor: str) -> list[dict[str, Any]]:
        text = helm("template", "airflow", GIVEN, *_values(executor))
        return [one for one in yaml.safe_load_all(text) if one]

    def test_follows_the_schemas_of_kubernetes(self, made: list[dict[str, Any]]) -> None:
        assert made
        for one in (*made, *_pod_template(made)):
            for version in ("1.30", "1.37"):
                kubernetes_validate.validate(one, version, strict=True)

    def test_uses_every_value_and_no_old_name_of_one(self, helm: Callable[..., str], executor: str) -> None:
        known = yaml.safe_load(helm("show", "values", GIVEN))
        for path in [BASE, CELERY] if executor == "CeleryExecutor" else [BASE]:
            assert list(_unknown(yaml.safe_load(path.read_text("utf-8")), known)) == [], path.name
        notes = helm("install", "airflow", GIVEN, "--dry-run=client", *_values(executor))
        assert "DEPRECATION" not in notes
        assert "password" not in notes.partition("\nNOTES:")[2]

    def test_has_no_secret_but_those_that_exist(self, made: list[dict[str, Any]]) -> None:
        # The chart makes an empty address of a broker, in case the executor changes.
        contents = [value for one in made if one["kind"] == "Secret" for value in one["data"].values()]
        assert [value for value in contents if base64.b64decode(value) not in {b"", b"%!s(<nil>)"}] == []
        named = {
            (entry["name"], entry["valueFrom"]["secretKeyRef"]["name"], entry["valueFrom"]["secretKeyRef"]["key"])
            for container in _containers(made)
            for entry in container.get("env", ())
            if "valueFrom" in entry and "secretKeyRef" in entry["valueFrom"]
        }
        asked = re.findall(
            r"create secret generic (\S+) --from-file=(\S+)=secrets/",
            BASE.read_text("utf-8") + CELERY.read_text("utf-8"),
        )
        assert {(secret, key) for _, secret, key in named} <= set(asked)
        assert ("AIRFLOW__API_AUTH__JWT_SECRET", "airflow-jwt-secret", "jwt-secret") in named

    def test_makes_nobody_who_may_log_in(self, made: list[dict[str, Any]]) -> None:
        assert {one["metadata"]["name"] for one in made if one["kind"] == "Job"} == {"airflow-run-airflow-migrations"}

    def test_runs_our_image_with_our_settings_limits_and_no_root(self, made: list[dict[str, Any]]) -> None:
        ours = [(pod, c) for pod in _pods(made) for c in pod["containers"] if "contextual-rag" in c["image"]]
        assert len(ours) >= 6  # the four of Airflow, the migration, and a worker or the template of one
        for pod, container in ours:
            name = container["name"]
            assert container["image"] == f"contextual-rag-airflow:{VALUES['defaultAirflowTag']}", name
            assert container["resources"]["limits"]["memory"], name
            assert container["securityContext"]["capabilities"]["drop"] == ["ALL"], name
            assert {"name": "secrets", "mountPath": "/etc/contextual-rag", "readOnly": True} in container[
                "volumeMounts"
            ]
            assert pod["securityContext"]["runAsNonRoot"] is True, name
            assert pod.get("enableServiceLinks") is False, name
            if "log-groomer" not in name:
                assert {"configMapRef": {"name": "contextual-rag"}} in container["envFrom"], name

    def test_keeps_no_volume_but_that_which_gives_a_celery_worker_its_name(
        self, made: list[dict[str, Any]], executor: str
    ) -> None:
        sets = {one["metadata"]["name"] for one in made if one["kind"] == "StatefulSet"}
        assert sets == ({"airflow-worker"} if executor == "CeleryExecutor" else set())
        assert [one for one in made if one["kind"] == "PersistentVolumeClaim"] == []


def _pod_template(made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in made:
        if one["kind"] == "ConfigMap" and "pod_template_file.yaml" in one["data"]:
            yield yaml.safe_load(one["data"]["pod_template_file.yaml"])


def _pods(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [one["spec"]["template"]["spec"] for one in made if "template" in one.get("spec", {})]
    return found + [one["spec"] for one in _pod_template(made)]


def _containers(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [c for pod in _pods(made) for c in (*(pod.get("initContainers") or ()), *pod["containers"])]


def _unknown(ours: dict[str, Any], known: Any, at: str = "") -> Iterator[str]:
    """Name the values that the chart does not have. Sections of `config`, and what the chart leaves empty, are free."""
    for name, value in ours.items():
        if not isinstance(known, dict) or (known and name not in known):
            yield at + name
        elif known and isinstance(value, dict) and at + name != "config":
            yield from _unknown(value, known[name], f"{at}{name}.")
