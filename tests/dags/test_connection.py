"""What tasks read from the Airflow connection: any setting by its name, wrong ones named, secrets masked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

KEY, TOKEN, SECRET = "tgp-very-secret-0123456789", "root:very-secret-milvus", "very-secret-aws"
PASSWORD = "tgp-another-secret-0123456789"
CASES: dict[str, dict[str, Any]] = {
    "extra": {
        "extra": {"TOGETHER_API_KEY": KEY, "MILVUS_TOKEN": TOKEN, "AWS_SECRET_ACCESS_KEY": SECRET, "RAG_BUCKET": "mine"}
    },
    "password": {"password": PASSWORD},
    "unknown": {"extra": {"TOGETHER_KEY": KEY}},
    "wrong": {"extra": {"RAG_MODEL_ATTEMPTS": KEY}},
    "text": {"extra": f"TOGETHER_API_KEY={KEY}"},
    "list": {"extra": "[1]"},
    "source": {"extra": {"RAG_SOURCE_URL": "http://127.0.0.1:9/list.html"}},
    "aws": {"extra": {"RAG_OBJECT_STORE_CONNECTION": "aws_default", "RAG_BUCKET": "mine"}},
    "aws, overridden": {"extra": {"RAG_OBJECT_STORE_CONNECTION": "aws_default", "AWS_REGION": "eu-north-1"}},
    "aws, of a role": {"extra": {"RAG_OBJECT_STORE_CONNECTION": "aws_role"}},
    "aws, missing": {"extra": {"RAG_OBJECT_STORE_CONNECTION": "aws_nowhere"}},
    "aws, not named": {},
}
AWS = {
    "conn_type": "aws",
    "login": "AKIAOFAIRFLOW",
    "password": SECRET,
    "extra": {"region_name": "eu-west-3", "aws_session_token": "session", "endpoint_url": "http://127.0.0.1:9000"},
}
# As a task does, in a process that Airflow may settle in; `redact` is what stands between a task and its log.
_CONNECT = """
import json, os, sys
from airflow.sdk._shared.secrets_masker import redact
from contextual_rag.errors import RagError, SettingError
from contextual_rag.airflow.connection import connect

def tried(connection):
    os.environ["AIRFLOW_CONN_CONTEXTUAL_RAG"] = json.dumps({"conn_type": "generic", **connection})
    try:
        world = connect()
        settings = world.settings
    except SettingError as error:
        return {"error": str(error)}
    try:
        world.site("http://127.0.0.1:9/").get("http://127.0.0.1:9/")
    except RagError as error:
        private = error.code
    secrets = (settings.together_api_key, settings.milvus_token, settings.aws_secret_access_key)
    said = [secret.get_secret_value() if secret else "" for secret in secrets]
    logged = redact("said " + " ".join(said))
    token, key = settings.aws_session_token, settings.aws_access_key_id
    return {
        "secrets": said, "logged": logged, "bucket": settings.bucket, "attempts": settings.model_attempts,
        "aws": [key and key.get_secret_value(), token and token.get_secret_value(), settings.aws_region,
                settings.aws_endpoint_url],
        "private": private,
    }

print(json.dumps({name: tried(connection) for name, connection in json.load(sys.stdin).items()}))
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each connection."""
    given = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "TOGETHER_API_KEY": "of-the-environment",
        "RAG_BUCKET": "of-the-environment",
        "RAG_MODEL_ATTEMPTS": "2",
        "RAG_PAGE_ATTEMPTS": "1",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(AWS),
        "AIRFLOW_CONN_AWS_ROLE": json.dumps({"conn_type": "aws", "extra": {"role_arn": "arn:aws:iam::1:role/a"}}),
    }
    done = subprocess.run(
        [sys.executable, "-c", _CONNECT],
        env={**os.environ, **given},
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not [secret for secret in (KEY, TOKEN, SECRET, PASSWORD) if secret in done.stderr]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


class TestTheConnection:
    def test_supplies_settings_by_their_names_before_the_environment(self, tried: dict[str, dict[str, Any]]) -> None:
        found = tried["extra"]
        assert found["secrets"] == [KEY, TOKEN, SECRET]
        assert (found["bucket"], found["attempts"]) == ("mine", 2)

    def test_has_the_providers_key_as_its_password(self, tried: dict[str, dict[str, Any]]) -> None:
        assert tried["password"]["secrets"][0] == PASSWORD

    def test_has_each_of_its_secrets_masked_in_logs(self, tried: dict[str, dict[str, Any]]) -> None:
        assert tried["extra"]["logged"] == "said *** *** ***"
        assert tried["password"]["logged"].startswith("said *** ")

    def test_that_names_no_setting_is_refused(self, tried: dict[str, dict[str, Any]]) -> None:
        error = tried["unknown"]["error"]
        assert all(part in error for part in ("connection contextual_rag", "TOGETHER_KEY", "TOGETHER_API_KEY"))

    def test_with_a_wrong_value_is_named_without_it(self, tried: dict[str, dict[str, Any]]) -> None:
        error = tried["wrong"]["error"]
        assert "The Airflow connection contextual_rag" in error
        assert "RAG_MODEL_ATTEMPTS" in error
        assert KEY not in error

    @pytest.mark.parametrize("case", ["text", "list"])
    def test_whose_extra_is_no_object_is_named(self, tried: dict[str, dict[str, Any]], case: str) -> None:
        assert "connection contextual_rag is not a JSON object" in tried[case]["error"]

    def test_decides_alone_which_address_of_this_machine_is_fetched(self, tried: dict[str, dict[str, Any]]) -> None:
        assert tried["extra"]["private"].startswith("page_private")
        assert tried["source"]["private"].startswith("page_unavailable")


class TestAConnectionOfTheTypeAws:
    def test_that_is_named_supplies_key_token_region_and_address(self, tried: dict[str, dict[str, Any]]) -> None:
        found = tried["aws"]
        assert found["aws"] == ["AKIAOFAIRFLOW", "session", "eu-west-3", "http://127.0.0.1:9000"]
        assert found["secrets"][2] == SECRET
        assert found["bucket"] == "mine"
        assert SECRET not in found["logged"]

    def test_never_overrides_what_the_projects_own_connection_says(self, tried: dict[str, dict[str, Any]]) -> None:
        assert tried["aws, overridden"]["aws"][2] == "eu-north-1"

    def test_that_is_not_named_is_not_read(self, tried: dict[str, dict[str, Any]]) -> None:
        assert tried["aws, not named"]["aws"] == [None, None, None, None]

    @pytest.mark.parametrize(("case", "name"), [("aws, of a role", "role_arn"), ("aws, missing", "aws_nowhere")])
    def test_that_cannot_be_used_is_named(self, tried: dict[str, dict[str, Any]], case: str, name: str) -> None:
        assert name in tried[case]["error"]
