"""Settings: read from three places in a known order; a wrong one is named, a secret never shown."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest

from contextual_rag.errors import SettingError
from contextual_rag.parameters import validated_parameters
from contextual_rag.roles import Role
from contextual_rag.settings import SECRETS as KEPT_SECRET
from contextual_rag.settings import Settings, read_one, read_settings, services_file, settings_supplied
from tests.conftest import ROOT
from tests.raising import raising

ROOMS = ("include", "dags", "plugins", "streamlit_app")

SECRET = "tgp-very-secret-0123456789"
SECRETS = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MILVUS_TOKEN",
    "RAG_AIRFLOW_PASSWORD",
    "RAG_CHAT_KEY",
    "RAG_CONTEXT_KEY",
    "RAG_CONVERSATIONS_URL",
    "RAG_EMBEDDING_KEY",
    "RAG_OIDC_CLIENT_SECRET",
    "RAG_OIDC_COOKIE_SECRET",
    "RAG_RERANK_KEY",
    "TOGETHER_API_KEY",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder without `.env`; the working directory is another."""
    monkeypatch.setenv("RAG_DATA_DIR", "data")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


class TestSources:
    def test_are_the_environment_then_the_env_file_then_what_the_services_wrote(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert read_settings(project=folder).bucket == "contextual-rag"
        write(services_file(folder / "data"), "RAG_BUCKET=of-services\nMILVUS_URI=http://of-services\n")
        assert read_settings(project=folder).bucket == "of-services"
        write(folder / ".env", "RAG_BUCKET=of-env-file\n")
        assert read_settings(project=folder).bucket == "of-env-file"
        monkeypatch.setenv("RAG_BUCKET", "of-environment")
        assert read_settings(project=folder).bucket == "of-environment"
        assert read_settings(project=folder).milvus_uri == "http://of-services"

    def test_are_overruled_by_what_the_caller_gives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_MAX_FAILED_SHARE", "0.1")
        assert read_settings(max_failed_share=0.5).max_failed_share == 0.5

    @pytest.mark.parametrize(
        ("name", "field"),
        [("AWS_ENDPOINT_URL", "aws_endpoint_url"), ("MILVUS_URI", "milvus_uri"), ("AWS_REGION", "aws_region")],
    )
    def test_name_services_as_their_own_tools_do(self, monkeypatch: pytest.MonkeyPatch, name: str, field: str) -> None:
        monkeypatch.setenv(name, "http://service")
        assert getattr(read_settings(), field) == "http://service"

    def test_that_are_empty_count_as_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOGETHER_API_KEY", "")
        monkeypatch.setenv("RAG_BUCKET", "")
        assert read_settings().offline
        assert read_settings().bucket == "contextual-rag"

    def test_are_read_only_when_asked(self, folder: Path) -> None:
        settings = read_settings(project=folder)
        write(folder / ".env", "RAG_BUCKET=of-env-file\n")
        assert settings.bucket == "contextual-rag"
        with pytest.raises(ValueError, match="frozen"):
            settings.bucket = "other"  # type: ignore[misc]


class TestUnknownNames:
    """A name that no setting has is refused: a misspelt budget would limit nothing."""

    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("RAG_BUDGET", "RAG_BUDGET_USD"),
            ("RAG_SOURCE_HOST", "RAG_SOURCE_HOSTS"),
            ("rag_buckett", "RAG_BUCKET"),
            ("RAG_TOGETHER_API_KEY", "TOGETHER_API_KEY"),
        ],
    )
    def test_are_refused_with_the_nearest_one(self, monkeypatch: pytest.MonkeyPatch, name: str, near: str) -> None:
        monkeypatch.setenv(name, SECRET)
        with raising(SettingError, "setting_unknown", name, near) as raised:
            read_settings()
        assert SECRET not in str(raised.value)

    @pytest.mark.parametrize("file", [".env", "data/services.env"])
    def test_are_refused_in_files_too(self, folder: Path, file: str) -> None:
        write(folder / file, "RAG_CHUNKSIZE=500\n")
        with raising(SettingError, "setting_unknown", file, "RAG_CHUNK_SIZE"):
            read_settings(project=folder)

    def test_of_other_programs_are_left_alone(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAGTIME", "1")
        monkeypatch.setenv("AWS_PROFILE", "mine")
        write(folder / ".env", "EDITOR=ed\nRAG_BUCKET=mine\n")
        assert read_settings(project=folder).bucket == "mine"

    def test_that_the_project_uses_are_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = [ROOT / "Procfile", *(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))]
        used = {name for file in files for name in re.findall(r"\bRAG_[A-Z0-9_]*[A-Z0-9]\b", file.read_text("utf-8"))}
        assert {"RAG_BUCKET", "RAG_MILVUS_PORT", "RAG_SITE_EDITION"} <= used
        for name in used:
            monkeypatch.setenv(name, "")
        read_settings()


class TestPaths:
    def test_are_relative_to_the_projects_folder_wherever_the_command_runs(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAG_RECIPE", "recipes/small.toml")
        monkeypatch.setenv("RAG_QUESTIONS", "/elsewhere/questions.jsonl")
        settings = read_settings(project=folder)
        assert settings.data_dir == folder / "data"
        assert settings.recipe == folder / "recipes" / "small.toml"
        assert settings.questions == Path("/elsewhere/questions.jsonl")

    def test_begin_at_the_folder_that_holds_the_package(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        monkeypatch.chdir(folder)
        assert read_settings().data_dir == ROOT / "data"


class TestTheObjectStore:
    def test_is_the_embedded_one_unless_a_bucket_is_named(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read_settings(project=folder).object_store_url == "http://127.0.0.1:4566"
        monkeypatch.setenv("RAG_BUCKET", "mine")
        assert read_settings(project=folder).object_store_url is None  # AWS

    def test_is_the_one_whose_address_is_set_whatever_the_bucket(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(services_file(folder / "data"), "AWS_ENDPOINT_URL=http://127.0.0.1:9000\n")
        monkeypatch.setenv("RAG_BUCKET", "mine")
        assert read_settings(project=folder).object_store_url == "http://127.0.0.1:9000"
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://store.example")
        assert read_settings(project=folder).object_store_url == "https://store.example"

    @pytest.mark.parametrize(
        ("given", "bucket"),
        [("mine", "mine"), ("s3://mine", "mine"), ("s3://mine/", "mine"), ("s3://mine/a/b-c/", "mine/a/b-c")],
    )
    def test_is_a_bucket_or_a_part_of_one(self, monkeypatch: pytest.MonkeyPatch, given: str, bucket: str) -> None:
        monkeypatch.setenv("RAG_BUCKET", given)
        assert read_settings().bucket == bucket

    @pytest.mark.parametrize("given", ["s3://mine/../other", "mine//a", "s3://", "/a", "mine/.", "mine/a b", "Mine"])
    def test_is_nothing_else(self, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
        monkeypatch.setenv("RAG_BUCKET", given)
        with raising(SettingError, "setting", "RAG_BUCKET"):
            read_settings()


class TestSupplied:
    def test_go_before_the_environment_unless_they_are_empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_BUCKET", "of-environment")
        monkeypatch.setenv("MILVUS_URI", "http://of-environment")
        supplied = {
            "TOGETHER_API_KEY": SECRET,
            "MILVUS_URI": "http://supplied",
            "RAG_BUCKET": "",
            "RAG_CHUNK_SIZE": 500,
        }
        settings = settings_supplied(supplied, by="A safe")
        assert settings.together_api_key
        assert settings.together_api_key.get_secret_value() == SECRET
        assert (settings.milvus_uri, settings.bucket) == ("http://supplied", "of-environment")
        assert settings.chunk_size == 500

    def test_of_nobody_leave_the_environment(self) -> None:
        assert settings_supplied({}, by="A safe") == read_settings()

    @pytest.mark.parametrize("name", ["TOGETHER_KEY", "bucket", "together_api_key", "RAG_MILVUS_TOKEN"])
    def test_under_a_name_that_no_setting_has_are_refused(self, name: str) -> None:
        with raising(SettingError, "setting_unknown", "A safe", name):
            settings_supplied({name: SECRET}, by="A safe")

    @pytest.mark.parametrize("name", [*SECRETS, "RAG_CHUNK_SIZE"])
    def test_that_are_wrong_are_named_and_not_shown(self, name: str) -> None:
        with raising(SettingError, "setting", "A safe", "environment", name) as raised:
            settings_supplied({name: [SECRET]}, by="A safe")
        assert SECRET not in "".join(traceback.format_exception(raised.value))


class TestLists:
    @pytest.mark.parametrize(
        ("text", "hosts"),
        [("localhost:8100", ("localhost:8100",)), ("a.org, b.org c.org", ("a.org", "b.org", "c.org")), (" , ", ())],
    )
    def test_are_parted_by_commas_or_spaces(
        self, monkeypatch: pytest.MonkeyPatch, text: str, hosts: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv("RAG_SOURCE_HOSTS", text)
        assert read_settings().source_hosts == hosts

    def test_may_be_given_as_they_are(self) -> None:
        assert read_settings(source_hosts=("a.org", "b.org")).source_hosts == ("a.org", "b.org")


class TestPrices:
    def test_are_given_as_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_MODEL_PRICES", '{"acme/one": [0.5, 2]}')
        assert read_settings().model_prices == {"acme/one": (0.5, 2.0)}

    def test_of_a_model_are_two_numbers_that_are_not_negative(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for value in ('{"acme/one": [0.5]}', '{"acme/one": [0.5, -2]}', '{"acme/one": 3}'):
            monkeypatch.setenv("RAG_MODEL_PRICES", value)
            with raising(SettingError, "setting") as raised:
                read_settings()
            assert "RAG_MODEL_PRICES.ACME/ONE" in str(raised.value).upper()


class TestOneSetting:
    def test_is_read_although_others_are_wrong_or_unknown(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_BUCKET", "!")
        monkeypatch.setenv("RAG_BUDGET", "5")
        monkeypatch.setenv("RAG_NOTIFIERS", '[{"class": "acme.Notifier", "to": "me"}]')
        assert read_one("notifiers") == ({"class": "acme.Notifier", "to": "me"},)
        assert read_one("notifiers", notifiers=[{"class": "acme.Other"}]) == ({"class": "acme.Other"},)
        assert read_one("task_hours") == 2.0
        assert read_one("aws_region") is None

    def test_that_is_wrong_itself_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_TASK_HOURS", "many")
        with raising(SettingError, "setting", "RAG_TASK_HOURS"):
            read_one("task_hours")


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("RAG_BUCKET", "Not A Bucket"),
            ("RAG_CHUNK_SIZE", "many"),
            ("RAG_MODEL_CONCURRENCY", "0"),
            ("RAG_MAX_FAILED_SHARE", "2"),
            ("RAG_MAX_PAGE_BYTES", "1"),
            ("RAG_BUDGET_USD", "-1"),
            ("RAG_BUDGET_USD", "inf"),
            ("RAG_TURN_TIMEOUT_S", "inf"),
            ("RAG_MODEL_TIMEOUT_S", "1e999"),
            ("RAG_MAX_SHRINK_SHARE", "nan"),
            ("RAG_MODEL_PRICES", "cheap"),
            ("RAG_MODEL_PRICES", "{1: 2}"),
            ("RAG_NOTIFIERS", "acme.Notifier"),
            ("RAG_NOTIFIERS", '["acme.Notifier"]'),
            ("RAG_NOTIFIERS", '{"class": "acme.Notifier"}'),
        ],
    )
    def test_name_the_setting_and_where_it_was_looked_for(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with raising(SettingError, "setting", "environment", ".env", "data/services.env", name):
            read_settings()

    def test_name_every_wrong_setting_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_BUCKET", "!")
        monkeypatch.setenv("RAG_CHUNK_SIZE", "many")
        with raising(SettingError, "setting", "RAG_BUCKET", "RAG_CHUNK_SIZE"):
            read_settings()

    def test_name_the_parameter_of_a_recipe(self) -> None:
        with raising(SettingError, "setting", "chunk_overlap (250)", "chunk_size (250)"):
            validated_parameters(Settings(), chunker="fixed", chunk_size=250, chunk_overlap=250)
        with raising(SettingError, "setting", "chunk_size"):
            validated_parameters(Settings(), chunk_size=10)
        with raising(SettingError, "setting", "chunk_sise"):
            validated_parameters(Settings(), chunk_sise=600)
        with raising(SettingError, "setting", "chunker"):
            validated_parameters(Settings(chunker="clever"))

    def test_say_that_a_file_cannot_be_read(self, folder: Path) -> None:
        (folder / ".env").write_bytes(b"RAG_BUCKET=\xff\xfe\n")
        with raising(SettingError, "setting", ".env"):
            read_settings(project=folder)


class TestSecrets:
    def test_are_known_by_their_names(self) -> None:
        assert {*SECRETS, "RAG_API_KEYS"} == KEPT_SECRET

    def test_are_not_shown_where_there_are_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_API_KEYS", f"one-of-them-{SECRET}, {SECRET}")
        settings = read_settings()
        assert [key.get_secret_value() for key in settings.api_keys] == [f"one-of-them-{SECRET}", SECRET]
        assert SECRET not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"

    @pytest.mark.parametrize("name", ["RAG_API_KEYS", "RAG_OIDC_COOKIE_SECRET"])
    def test_that_people_choose_have_a_least_length(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, SECRET[:16])
        read_settings()
        if name != "RAG_API_KEYS":  # in which spaces divide
            monkeypatch.setenv(name, " " * 30)
            with raising(SettingError, "setting", name, "16"):
                read_settings()
        for short in ("x", SECRET[:15]):
            monkeypatch.setenv(name, f"{SECRET},{short}" if name == "RAG_API_KEYS" else short)
            with raising(SettingError, "setting", name, "16") as raised:
                read_settings()
            shown = "".join(traceback.format_exception(raised.value))
            assert SECRET not in shown
            assert short == "x" or short not in shown

    @pytest.mark.parametrize("name", SECRETS)
    def test_are_not_shown_by_the_settings(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, SECRET)
        settings = read_settings()
        assert getattr(settings, name.lower().removeprefix("rag_")).get_secret_value() == SECRET
        assert SECRET not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"

    @pytest.mark.parametrize("name", SECRETS)
    def test_are_not_shown_by_an_error_about_another_setting(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, SECRET)
        monkeypatch.setenv("RAG_BUCKET", "!")
        with raising(SettingError, "setting") as raised:
            read_settings()
        assert SECRET not in "".join(traceback.format_exception(raised.value))

    def test_are_not_shown_by_an_error_about_the_setting_they_were_put_in_by_mistake(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("RAG_BUCKET", "RAG_CHUNK_SIZE", "RAG_MODEL_TIMEOUT_S"):
            monkeypatch.setenv(name, SECRET.upper())
        write(folder / ".env", f"RAG_MODEL_ATTEMPTS={SECRET}\n")
        with raising(SettingError, "setting") as raised:
            read_settings(project=folder, together_api_key=[SECRET])
        shown = "".join(traceback.format_exception(raised.value))
        assert "RAG_MODEL_ATTEMPTS" in shown
        assert SECRET not in shown
        assert SECRET.upper() not in shown


class TestModels:
    @pytest.mark.parametrize("role", ["context", "embedding", "chat"])
    def test_run_here_where_no_key_is_set(self, role: Role) -> None:
        assert read_settings().model_for(role).startswith("offline/")

    def test_are_reranked_by_none_where_no_key_is_set(self) -> None:
        assert read_settings().model_for("rerank") == ""

    @pytest.mark.parametrize("role", ["context", "embedding", "chat", "rerank"])
    def test_are_togethers_where_a_key_is_set_unless_named(self, monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
        monkeypatch.setenv("TOGETHER_API_KEY", SECRET)
        assert "/" in read_settings().model_for(role)
        assert not read_settings().model_for(role).startswith("offline/")
        monkeypatch.setenv(f"RAG_{role.upper()}_MODEL", "mine")
        assert read_settings().model_for(role) == "mine"
