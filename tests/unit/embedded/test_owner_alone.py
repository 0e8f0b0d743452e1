"""What is kept is for its owner alone: folders, secrets, Airflow's keys, the lock of the ports."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from contextual_rag.embedded import airflow, services
from contextual_rag.embedded.secrets import secret
from contextual_rag.folders import private_folder
from contextual_rag.settings import read_settings
from contextual_rag.wiring import connect


def mode(path: Path) -> int:
    """The permissions of a path."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A data folder of an earlier release, which everybody may read."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


class TestAFolder:
    def test_is_closed_to_others_if_it_was_open(self, open_folder: Path) -> None:
        assert mode(private_folder(open_folder)) == 0o700

    def test_is_made_closed(self, tmp_path: Path) -> None:
        assert mode(private_folder(tmp_path / "new" / "data")) == 0o700

    def test_that_all_users_share_is_left_as_it_is(self, open_folder: Path) -> None:
        open_folder.chmod(0o1777)
        assert mode(private_folder(open_folder)) == 0o1777

    def test_that_cannot_be_made_is_no_error_yet(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert not private_folder(tmp_path / "file" / "data").exists()

    def test_of_the_data_is_closed_by_every_command_that_uses_it(self, open_folder: Path) -> None:
        connect(read_settings(data_dir=open_folder))
        assert mode(open_folder) == 0o700


class TestASecret:
    def test_is_random_kept_and_its_owners_alone(self, open_folder: Path, tmp_path: Path) -> None:
        made = secret(open_folder, "one")
        assert len(made) >= 43
        assert secret(open_folder, "one") == made
        assert len({made, secret(open_folder, "two"), secret(tmp_path / "other", "one")}) == 3
        assert (mode(open_folder / "secrets"), mode(open_folder / "secrets" / "one")) == (0o700, 0o600)

    def test_that_everybody_could_read_is_closed(self, open_folder: Path) -> None:
        made = secret(open_folder, "one")
        (open_folder / "secrets").chmod(0o755)
        (open_folder / "secrets" / "one").chmod(0o644)
        assert secret(open_folder, "one") == made
        assert (mode(open_folder / "secrets"), mode(open_folder / "secrets" / "one")) == (0o700, 0o600)

    def test_whose_writing_was_interrupted_is_made_again(self, open_folder: Path) -> None:
        secret(open_folder, "one")
        (open_folder / "secrets" / "one").write_text("")
        assert len(secret(open_folder, "one")) >= 43


def test_airflow_encrypts_by_a_key_of_the_data_folder(open_folder: Path, tmp_path: Path) -> None:
    keys = [airflow.environment(folder, 8080)["AIRFLOW__CORE__FERNET_KEY"] for folder in (open_folder, tmp_path / "b")]
    assert keys[0] != keys[1]
    assert Fernet(keys[0]).decrypt(Fernet(keys[0]).encrypt(b"password")) == b"password"
    assert airflow.environment(open_folder, 8081)["AIRFLOW__CORE__FERNET_KEY"] == keys[0]


class TestTheLockOfThePorts:
    def test_is_where_no_other_user_can_hold_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        folder = services._ports_folder(tmp_path / "data")
        assert folder.is_relative_to(tmp_path / "home")
        assert (mode(folder), folder.stat().st_uid) == (0o700, os.getuid())

    def test_is_in_the_data_folder_where_there_is_no_home(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("HOME", str(tmp_path / "file"))
        assert services._ports_folder(tmp_path / "data") == tmp_path / "data"
