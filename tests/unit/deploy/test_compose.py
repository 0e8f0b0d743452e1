"""docker-compose.yaml: its schema, its variables, its images, its secrets; nothing in it is open."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bench.deployment.compose import FILE, Compose, filled
from contextual_rag.adapters.http import _origins
from contextual_rag.settings import PROJECT, Settings, settings_supplied

TEXT = FILE.read_text("utf-8")
REQUIRED = {"AIRFLOW_UID": "1000"}
FOUND: dict[str, Any] = yaml.safe_load(filled(TEXT, REQUIRED))
SERVICES: dict[str, Any] = FOUND["services"]
ONE_SHOT = {"init", "first-version", "rag"}
EXAMPLE = re.findall(r"^(?:# )?([A-Z_]+)=", (PROJECT / ".env.example").read_text("utf-8"), re.MULTILINE)


def test_it_follows_the_schema_of_compose_files() -> None:
    checker = Path(sys.executable).parent / "check-jsonschema"
    subprocess.run([checker, "--builtin-schema", "vendor.compose-spec", FILE], check=True, capture_output=True)


class TestVariables:
    def test_of_the_file_stand_in_the_example(self) -> None:
        read = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT)) | {"COMPOSE_PROFILES"}
        assert read <= set(EXAMPLE)

    def test_of_the_example_are_read_by_somebody(self) -> None:
        read = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT)) | {"COMPOSE_PROFILES"}
        settings_supplied(dict.fromkeys(set(EXAMPLE) - read), by="the example")

    def test_are_all_settings_once(self) -> None:
        assert len(EXAMPLE) == len(set(EXAMPLE))
        named = {name.removeprefix("RAG_").lower() for name in EXAMPLE}
        assert set(Settings.model_fields) <= named

    def test_that_are_set_for_our_services_are_settings(self) -> None:
        for service in ("scheduler", "page"):
            ours = {
                name: "" for name in Compose(REQUIRED, {}).environment(service) if name.startswith(("RAG_", "MILVUS_"))
            }
            assert ours
            settings_supplied(ours, by=service)

    def test_of_airflow_are_options_that_it_has(self) -> None:
        (options,) = (one for one in files("apache-airflow-core") or () if one.name == "config.yml")
        known = yaml.load(options.read_text(), Loader=yaml.CSafeLoader)
        given = (name.split("__")[1:] for name in Compose(REQUIRED, {}).environment("scheduler") if "__" in name)
        for section, option in given:
            if section != "CELERY":  # whose provider is not among these libraries
                found = known[section.lower()]["options"][option.removesuffix("_CMD").lower()]
                assert found.get("sensitive") or not option.endswith("_CMD"), f"{option}: Airflow runs no such command"

    def test_that_are_missing_say_what_to_do(self) -> None:
        with pytest.raises(ValueError, match=r"AIRFLOW_UID is not set\. Run make secrets"):
            filled(TEXT, {})


class TestEachService:
    def test_has_a_pinned_image(self) -> None:
        images = {name: service["image"] for name, service in SERVICES.items()}
        assert {name for name, image in images.items() if not re.search(r":v?\d+\.\d+(\.\d+)?", image)} == set()

    def test_of_ours_has_an_image_that_one_service_builds_and_nobody_else_looks_for(self) -> None:
        # Compose builds at the same time what several services build, and the second fails: "already exists".
        for image in {
            service["image"] for service in SERVICES.values() if service["image"].startswith("contextual-rag")
        }:
            using = {name: service for name, service in SERVICES.items() if service["image"] == image}
            (builder,) = (name for name, service in using.items() if "build" in service)
            assert "profiles" not in using[builder], "what starts without a profile would have no image"
            assert {service["pull_policy"] for name, service in using.items() if name != builder} == {"never"}, image
            assert (PROJECT / using[builder]["build"]["dockerfile"]).is_file()

    def test_has_a_health_check_unless_it_ends_by_itself(self) -> None:
        assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == ONE_SHOT

    def test_that_ends_by_itself_is_waited_for_until_it_has_ended(self) -> None:
        # Otherwise `docker compose up --wait` says that it failed.
        conditions = [service.get("depends_on") or {} for service in SERVICES.values()]
        for name in ONE_SHOT - {"rag"}:
            waiting = {one[name]["condition"] for one in conditions if name in one}
            assert waiting == {"service_completed_successfully"}, name

    def test_has_a_limit_of_memory_rotated_logs_and_no_more_rights_than_it_needs(self) -> None:
        for name, service in SERVICES.items():
            assert service["logging"]["options"]["max-size"], name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert name in ONE_SHOT or service["deploy"]["resources"]["limits"]["memory"], name

    def test_of_airflow_has_a_name_for_a_user_that_its_image_does_not_know(self) -> None:
        # The image's entrypoint would write one into /etc/passwd, which is read-only; `init` does without entrypoint.
        services = {name for name, service in SERVICES.items() if "airflow" in service["image"]}
        assert services >= {"init", "scheduler", "celery-worker"}
        for name in services:
            assert SERVICES[name]["environment"]["USER"] == "airflow", name

    def test_of_ours_runs_as_no_root_on_a_file_system_that_stays(self) -> None:
        ours = {name: service for name, service in SERVICES.items() if service["image"].startswith("contextual-rag")}
        assert len(ours) >= 9
        for name, service in ours.items():
            assert service["user"] == "1000:0", name
            assert service["read_only"] is True, name

    def test_is_reached_from_this_machine_alone(self) -> None:
        ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
        assert len(ports) == 3
        assert [port for port in ports if not port.startswith("127.0.0.1:")] == []

    def test_that_keeps_data_is_in_no_network_that_leads_outside(self) -> None:
        internal = {name for name, network in FOUND["networks"].items() if network.get("internal")}
        for name in ("postgres", "redis", "seaweedfs", "milvus", "etcd"):
            assert set(SERVICES[name]["networks"]) <= internal, name

    def test_that_runs_tasks_is_given_time_to_end_them(self) -> None:
        for name in ("scheduler", "celery-worker"):
            minutes = int(SERVICES[name]["stop_grace_period"].removesuffix("m"))
            assert 60 * minutes > Settings.model_fields["turn_timeout_s"].default, name


# In the images: who owns the folder over which a volume is laid, and so the new one; the user, if the file names none.
OWNERS = {"redis": 999, "seaweedfs": 1000, "etcd": 0, "prometheus": 65534, "grafana": 472}
USERS = {"etcd": "0", "grafana": "472"}


class TestWhatWasSeenInTheImages:
    def test_each_service_may_write_into_its_new_volume(self) -> None:
        # Without capabilities, root is a user like others.
        keeping = {
            name: service
            for name, service in SERVICES.items()
            if any(not mount.startswith("./") for mount in service.get("volumes", ()))
        }
        ours = {name for name in keeping if SERVICES[name]["image"].startswith("contextual-rag")}
        by_root = {name for name in keeping if "DAC_OVERRIDE" in SERVICES[name].get("cap_add", ())}
        assert by_root == {"postgres", "milvus"}
        assert set(keeping) == ours | by_root | set(OWNERS)
        for name, owner in OWNERS.items():
            assert SERVICES[name].get("user", USERS.get(name)).split(":")[0] == str(owner), name
        for name in ours:  # /data belongs to the group
            assert SERVICES[name]["user"].endswith(":0"), name

    def test_nothing_waits_for_the_postgres_that_only_makes_the_databases(self) -> None:
        # That one listens on a socket alone, and is ended again.
        assert "--host" in SERVICES["postgres"]["healthcheck"]["test"]

    def test_the_object_store_keeps_its_name_when_its_address_changes(self) -> None:
        assert "-ip=seaweedfs " in SERVICES["seaweedfs"]["command"][0]

    def test_a_command_starts_nothing_again_that_ran_once(self) -> None:
        assert SERVICES["rag"]["depends_on"] == []


class TestTheSampleSite:
    def test_may_be_read_although_its_address_is_private(self) -> None:
        for service in ("scheduler", "first-version"):
            found = Compose(REQUIRED, {}).environment(service)
            site = urlsplit(found["RAG_SOURCE_URL"])
            private = _origins(found["RAG_SOURCE_URL"], (found["RAG_SOURCE_HOSTS"],), private=False)[1]
            assert (site.hostname, site.port) in private, service

    def test_is_the_only_one_and_not_if_somebody_says_so(self) -> None:
        assert Compose(REQUIRED, {}).environment("page")["RAG_SOURCE_HOSTS"] == "site:8100"
        assert Compose(REQUIRED | {"RAG_SOURCE_HOSTS": ""}, {}).environment("page")["RAG_SOURCE_HOSTS"] == ""


def test_what_images_are_made_of_is_sent_to_the_builder_and_no_secret() -> None:
    lines = [line for line in (PROJECT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    texts = [file.read_text("utf-8") for file in (PROJECT / "docker").glob("*.Dockerfile")]
    copied = {
        word.split("/")[0]
        for text in texts
        for found in re.findall(r"^COPY (?:--\S+ )?(.+) \S+$", text, re.M)
        for word in found.split()
    }
    assert sent == copied


class TestSecrets:
    def test_are_files_that_make_secrets_writes(self, tmp_path: Path) -> None:
        subprocess.run([sys.executable, PROJECT / "docker" / "make_secrets.py"], cwd=tmp_path, check=True, stdout=-3)
        written = {path.name for path in (tmp_path / "secrets").iterdir()}
        assert set(FOUND["secrets"]) == written
        assert {secret["file"] for secret in FOUND["secrets"].values()} == {f"./secrets/{name}" for name in written}
        assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
        before = {name: (tmp_path / "secrets" / name).read_text() for name in written}
        # One of the keys of the API, for Prometheus.
        assert before["prometheus_api_key"] == before["RAG_API_KEYS"]
        random = [value for name, value in before.items() if value and name != "prometheus_api_key"]
        assert len(set(random)) == len(random), "two secrets are the same"
        assert written - {name for name, value in before.items() if value} == {
            *("TOGETHER_API_KEY", "RAG_CHAT_KEY", "RAG_CONTEXT_KEY", "RAG_EMBEDDING_KEY", "RAG_RERANK_KEY")
        }
        subprocess.run([sys.executable, PROJECT / "docker" / "make_secrets.py"], cwd=tmp_path, check=True, stdout=-3)
        assert {name: (tmp_path / "secrets" / name).read_text() for name in written} == before
        user, profiles = sorted((tmp_path / ".env").read_text().splitlines())
        assert profiles == "COMPOSE_PROFILES=stores,sample"
        assert user == f"AIRFLOW_UID={os.getuid() or 50000}"

    def test_of_prometheus_are_one_key_if_the_api_has_several(self, tmp_path: Path) -> None:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "RAG_API_KEYS").write_text("a-key-of-sixteen-or-more, another-key-of-sixteen\n")
        subprocess.run([sys.executable, PROJECT / "docker" / "make_secrets.py"], cwd=tmp_path, check=True, stdout=-3)
        assert (tmp_path / "secrets" / "prometheus_api_key").read_text() == "a-key-of-sixteen-or-more"

    def test_are_all_asked_for_and_given(self) -> None:
        given = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
        assert given == set(FOUND["secrets"])
        for name, service in SERVICES.items():
            words = str([service.get("command"), service.get("entrypoint"), service.get("environment")])
            asked = set(re.findall(r"/run/secrets/(\w+)", words))
            celery = {"broker_url", "result_backend_url"}
            assert asked - celery <= set(service.get("secrets", ())) | (
                {"aws_credentials"} if name == "init" else set()
            ), name

    def test_are_in_no_variable(self) -> None:
        for name, service in SERVICES.items():
            for variable, value in service.get("environment", {}).items():
                secret = re.search(r"PASSWORD|SECRET|TOKEN$|KEY", variable) and not variable.endswith(("_CMD", "_FILE"))
                assert not secret or str(value).startswith("/run/secrets/") or "__FILE" in variable, (name, variable)


class TestFilled:
    def test_takes_what_is_set_and_else_the_default(self) -> None:
        assert filled("${A} ${B:-two} ${C-three} $${D}", {"A": "1", "B": "", "C": ""}) == "1 two  ${D}"
        assert filled("${C-three}", {}) == "three"


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")
def test_the_balancers_configuration_is_valid() -> None:
    checked = subprocess.run(
        ["haproxy", "-c", "-f", PROJECT / "docker" / "haproxy.cfg"], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, "WARNING" in checked.stderr + checked.stdout) == (0, False), checked.stderr
