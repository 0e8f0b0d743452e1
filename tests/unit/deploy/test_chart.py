"""The chart of page and workers: what Helm makes of it follows the published schemas, and wrong values are refused."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from contextual_rag.settings import PROJECT, SECRETS, settings_supplied

CHART = PROJECT / "deploy" / "chart"
GIVEN = {
    "RAG_PAGE_URL": "https://essays.example.org",
    "RAG_OIDC_METADATA_URL": "https://login.example.org/.well-known/openid-configuration",
    "RAG_OIDC_CLIENT_ID": "essays",
}

Rendered = list[dict[str, Any]]
Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def helm(helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Render the chart with values as Helm's `--set-json` takes them."""
    home = {"HOME": str(tmp_path_factory.mktemp("helm"))}

    def render(**values: object) -> subprocess.CompletedProcess[str]:
        settings = {f"settings.{name}": value for name, value in GIVEN.items()}
        given = [f"--set-json={name}={json.dumps(value)}" for name, value in (settings | values).items()]
        command = [str(helm_program), "template", "essays", str(CHART), "--namespace", "reading", *given]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=home, timeout=60)

    return render


def rendered(helm: Helm, **values: object) -> Rendered:
    done = helm(**values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.fixture(scope="module")
def everything(helm: Helm) -> Rendered:
    return rendered(
        helm,
        **{
            "image.pullSecrets": ["registry"],
            "worker.maxReplicas": 4,
            "metrics.serviceMonitor": True,
            "metrics.labels": {"release": "prometheus"},
        },
    )


def of_kind(found: Rendered, kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def pods(found: Rendered) -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for one in of_kind(found, "Deployment").values()]


class TestWhatIsRendered:
    def test_follows_the_schemas_of_kubernetes(self, everything: Rendered) -> None:
        import kubernetes_validate

        ours = [one for one in everything if one["kind"] != "ServiceMonitor"]
        assert len(ours) == 8
        for one in ours:
            for version in ("1.30", "1.37"):
                kubernetes_validate.validate(one, version, strict=True)

    def test_is_refused_by_these_schemas_if_a_field_is_wrong(self, everything: Rendered) -> None:
        import kubernetes_validate

        page = of_kind(everything, "Deployment")["essays-page"]
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(page | {"spec": page["spec"] | {"replica": 2}}, "1.37", strict=True)

    def test_has_a_service_monitor_as_its_operator_defines_it(self, everything: Rendered) -> None:
        from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor

        (monitor,) = of_kind(everything, "ServiceMonitor").values()
        # Fields that are unknown are not kept.
        assert ServiceMonitor.model_validate(monitor).model_dump(by_alias=True, exclude_unset=True) == monitor
        wrong = {**monitor, "spec": {**monitor["spec"], "endpoint": []}}
        assert ServiceMonitor.model_validate(wrong).model_dump(by_alias=True, exclude_unset=True) != wrong
        service = of_kind(everything, "Service")["essays-page"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["authorization"]["credentials"] == {"name": "contextual-rag", "key": "prometheus_api_key"}
        assert monitor["metadata"]["labels"]["release"] == "prometheus"

    def test_has_no_monitor_and_no_scaling_that_nobody_asked_for(self, helm: Helm) -> None:
        found = rendered(helm)
        assert of_kind(found, "ServiceMonitor") == {}
        assert set(of_kind(found, "HorizontalPodAutoscaler")) == {"essays-page"}

    def test_scales_what_the_scaler_does_not(self, helm: Helm) -> None:
        deployments = of_kind(rendered(helm, **{"worker.replicas": 3}), "Deployment")
        assert "replicas" not in deployments["essays-page"]["spec"]
        assert deployments["essays-worker"]["spec"]["replicas"] == 3
        scaler = of_kind(rendered(helm, **{"page.replicas": 8}), "HorizontalPodAutoscaler")["essays-page"]["spec"]
        assert (scaler["minReplicas"], scaler["maxReplicas"]) == (8, 8)

    def test_selects_its_own_pods_alone(self, everything: Rendered) -> None:
        labels = {
            name: one["spec"]["template"]["metadata"]["labels"]
            for name, one in of_kind(everything, "Deployment").items()
        }
        assert set(labels) == {"essays-page", "essays-worker"}
        for kind in ("Deployment", "PodDisruptionBudget", "Service"):
            for name, one in of_kind(everything, kind).items():
                selected = one["spec"]["selector"].get("matchLabels", one["spec"]["selector"])
                assert [of for of, own in labels.items() if selected.items() <= own.items()] == [name]

    def test_starts_new_pods_if_a_setting_changes_and_only_then(self, helm: Helm) -> None:
        def marks(**values: object) -> list[str]:
            found = of_kind(rendered(helm, **values), "Deployment")
            return [one["spec"]["template"]["metadata"]["annotations"]["checksum/settings"] for one in found.values()]

        assert marks() == marks(**{"page.replicas": 3})
        assert set(marks()).isdisjoint(marks(**{"settings.RAG_BUCKET": "other"}))

    def test_has_probes_limits_and_few_rights(self, everything: Rendered) -> None:
        for pod in pods(everything):
            (container,) = pod["containers"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["automountServiceAccountToken"] is False
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["livenessProbe"]
            assert container["startupProbe"]
            assert container["resources"]["limits"]["memory"]
            assert container["image"] == "contextual-rag-page:0.1.0"

    def test_is_given_no_variable_for_a_service_which_a_setting_could_be(self, everything: Rendered) -> None:
        # Of the Service of a release "rag", it would be RAG_PAGE_PORT=tcp://….
        assert [pod["enableServiceLinks"] for pod in pods(everything)] == [False, False]

    def test_writes_only_where_a_volume_is(self, everything: Rendered) -> None:
        for pod in pods(everything):
            (container,) = pod["containers"]
            mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
            assert mounts == {"/data": False, "/tmp": False, "/etc/contextual-rag": True}
            assert {mount["name"] for mount in container["volumeMounts"]} == {
                volume["name"] for volume in pod["volumes"]
            }


class TestSecrets:
    def test_are_files_of_one_secret_and_the_pod_waits_for_those_it_needs(self, everything: Rendered) -> None:
        for pod in pods(everything):
            (projected,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "secrets"]
            needed, other = (source["secret"] for source in projected["sources"])
            assert {one["key"] for one in needed["items"]} == {
                *("RAG_CONVERSATIONS_URL", "RAG_OIDC_CLIENT_SECRET", "RAG_OIDC_COOKIE_SECRET")
            }
            assert "optional" not in needed
            assert other["optional"] is True
            keys = {one["key"] for one in needed["items"] + other["items"]}
            # The keys of the object store are a file as AWS's tools read it.
            assert keys == {name for name in SECRETS if not name.startswith("AWS_")} | {"aws_credentials"}
            assert projected["defaultMode"] == 0o440

    def test_stand_where_the_settings_look(self, everything: Rendered) -> None:
        (values,) = (one["data"] for one in of_kind(everything, "ConfigMap").values())
        (mount,) = (one for one in pods(everything)[0]["containers"][0]["volumeMounts"] if one["name"] == "secrets")
        assert values["RAG_SECRETS_DIR"] == mount["mountPath"]
        assert values["AWS_SHARED_CREDENTIALS_FILE"] == f"{mount['mountPath']}/aws_credentials"


class TestValues:
    def test_that_are_settings_are_all_that_there_are_but_secrets_and_what_the_chart_sets(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
        allowed = schema["properties"]["settings"]["propertyNames"]["enum"]
        settings_supplied(dict.fromkeys(allowed), by="the schema")
        example = set(re.findall(r"^(?:# )?([A-Z_]+)=", (PROJECT / ".env.example").read_text("utf-8"), re.MULTILINE))
        compose = {"AIRFLOW_UID", "COMPOSE_PROFILES", "AIRFLOW_EXECUTOR", "AIRFLOW_PARALLELISM", "AIRFLOW_METRICS"}
        chosen = {"RAG_DATA_DIR", "RAG_PAGE_PORT", "RAG_MCP_PORT", "RAG_WORKER_ID"}
        assert set(allowed) == example - compose - {"AIRFLOW_URL", "IMAGE_TAG"} - chosen - SECRETS

    def test_are_given_to_every_pod(self, everything: Rendered) -> None:
        (values,) = (one["data"] for one in of_kind(everything, "ConfigMap").values())
        ours = {name: value for name, value in values.items() if name.startswith(("RAG_", "MILVUS_"))}
        assert ours.items() >= GIVEN.items()
        settings_supplied({name: value for name, value in ours.items() if name != "RAG_SECRETS_DIR"}, by="the chart")
        for pod in pods(everything):
            assert pod["containers"][0]["envFrom"] == [{"configMapRef": {"name": "essays"}}]

    @pytest.mark.parametrize(
        ("name", "value", "named"),
        [
            ("secret", "", "/secret"),
            ("settings.RAG_PAGE_URL", "", "RAG_PAGE_URL"),
            ("settings.RAG_OIDC_CLIENT_ID", "", "RAG_OIDC_CLIENT_ID"),
            ("settings.RAG_AUTH", "open", "RAG_AUTH"),
            ("settings.RAG_BUCKIT", "essays", "RAG_BUCKIT"),
            ("settings.RAG_CONVERSATIONS_URL", "postgresql://u:p@h/d", "RAG_CONVERSATIONS_URL"),
            ("settings.RAG_WORKER_ID", "one", "RAG_WORKER_ID"),
            # Helm would write it as 2e+09.
            ("settings.RAG_INDEX_CACHE_BYTES", 2_000_000_000, "RAG_INDEX_CACHE_BYTES"),
            ("image.tag", "latest", "/image/tag"),
            ("worker.replicas", 0, "/worker/replicas"),
            ("worker.replicas", "2", "/worker/replicas"),
            ("worker.port", 1, "port"),
            ("page.resources.limits.memory", None, "memory"),
            ("dataSize", "much", "/dataSize"),
            ("metrics.interval", "often", "/metrics/interval"),
        ],
    )
    def test_that_are_wrong_are_refused_by_name(self, helm: Helm, name: str, value: object, named: str) -> None:
        refused = helm(**{name: value})
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "don't meet the specifications of the schema" in refused.stderr
        assert named in refused.stderr

    def test_have_the_versions_of_the_project(self) -> None:
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
        airflow = yaml.safe_load((PROJECT / "deploy" / "kubernetes" / "airflow-values.yaml").read_text("utf-8"))
        assert (chart["version"], chart["appVersion"], airflow["defaultAirflowTag"]) == (project, project, project)
        assert f"IMAGE_TAG:-{project}" in (PROJECT / "docker-compose.yaml").read_text("utf-8")
