"""Whom the page may listen to without login, whether a worker is alive, and secrets that are files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from contextual_rag.commands.console import CommandError
from contextual_rag.commands.page import check_listening
from contextual_rag.commands.worker import worker
from contextual_rag.errors import SettingError
from contextual_rag.settings import Settings, read_settings
from tests.raising import raising

LOOPBACK = "http://127.0.0.1:8501"


class TestAPageWithoutLogin:
    def test_may_listen_to_others_behind_a_proxy_on_loopback(self) -> None:
        check_listening("0.0.0.0", Settings(trusted_proxies=1, page_url=LOOPBACK))

    @pytest.mark.parametrize(
        ("proxies", "url"),
        [(0, LOOPBACK), (1, None), (1, "https://essays.example.org"), (1, "http://127.0.0.1.example.org")],
    )
    def test_may_not_otherwise(self, proxies: int, url: str | None) -> None:
        with raising(SettingError, "setting_login"):
            check_listening("0.0.0.0", Settings(trusted_proxies=proxies, page_url=url))


class TestAWorkersSignOfLife:
    @pytest.fixture
    def alive(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path))
        return tmp_path / f"worker-{os.uname().nodename}.alive"

    def test_is_found_if_it_is_new(self, alive: Path) -> None:
        alive.touch()
        worker(check=True)

    @pytest.mark.parametrize("age_s", [None, 60])
    def test_is_missed_if_it_is_old_or_there_is_none(self, alive: Path, age_s: int | None) -> None:
        if age_s:
            alive.touch()
            os.utime(alive, (time.time() - age_s,) * 2)
        with pytest.raises(CommandError) as refused:
            worker(check=True)
        assert refused.value.code == "service_unavailable"


class TestSecretsThatAreFiles:
    @pytest.fixture
    def folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setenv("RAG_SECRETS_DIR", str(tmp_path))
        return tmp_path

    def test_are_read_by_the_name_of_the_setting(self, folder: Path) -> None:
        (folder / "TOGETHER_API_KEY").write_text("secret-of-a-file\n")
        key = read_settings().together_api_key
        assert key is not None
        assert key.get_secret_value() == "secret-of-a-file"

    def test_are_not_set_if_they_are_empty(self, folder: Path) -> None:
        (folder / "TOGETHER_API_KEY").touch()
        assert read_settings().offline

    def test_never_replace_what_the_environment_says(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MILVUS_URI", "http://127.0.0.1:1")
        (folder / "MILVUS_URI").write_text("http://127.0.0.1:2")
        assert read_settings().milvus_uri == "http://127.0.0.1:1"
