"""The manifests of page and workers: settings that exist, probes, and no more rights than they need."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from contextual_rag.settings import PROJECT, settings_supplied

FOLDER = PROJECT / "deploy" / "kubernetes"
FOUND: list[dict[str, Any]] = [
    one for file in ("settings", "page", "worker") for one in yaml.safe_load_all((FOLDER / f"{file}.yaml").read_text())
]
PODS = [one["spec"]["template"]["spec"] for one in FOUND if one["kind"] == "Deployment"]


def test_there_are_pages_and_workers_that_can_be_moved_one_at_a_time() -> None:
    kinds = sorted((one["kind"], one["metadata"]["name"]) for one in FOUND)
    assert ("Deployment", "page") in kinds
    assert ("Deployment", "worker") in kinds
    assert ("PodDisruptionBudget", "page") in kinds
    assert ("PodDisruptionBudget", "worker") in kinds


def test_what_is_set_are_settings() -> None:
    (values,) = (one["data"] for one in FOUND if one["kind"] == "ConfigMap")
    ours = {name: None for name in values if name.startswith(("RAG_", "MILVUS_"))}
    assert "RAG_BUCKET" in ours
    settings_supplied(ours, by="the ConfigMap")


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["containers"][0]["name"])
def test_each_pod_has_probes_limits_and_few_rights(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["livenessProbe"]
    assert container["resources"]["limits"]["memory"]
    assert not container["image"].endswith(":latest")
    secrets = next(mount for mount in container["volumeMounts"] if mount["name"] == "secrets")
    assert secrets == {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True}


def test_each_selector_finds_its_pods() -> None:
    for one in FOUND:
        if one["kind"] in {"Deployment", "PodDisruptionBudget"}:
            assert one["spec"]["selector"]["matchLabels"] == one["metadata"]["labels"]
