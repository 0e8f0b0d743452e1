"""`rag up`: services that start together, are found by other commands, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from dotenv import dotenv_values

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(120)


class Up:
    """A `rag up` of this test's own data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.process: subprocess.Popen[str] | None = None

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start it, in a session of its own as in a terminal."""
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / "rag"), "up"],
            cwd=ROOT,
            env={**os.environ, "RAG_DATA_DIR": str(self.data_dir), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self.process

    def ready(self, **environment: str) -> dict[str, str | None]:
        """Start it and return where its services are, once they are there."""
        process = self.start(**environment)
        assert process.stderr
        for line in process.stderr:
            if "ready" in line:
                return dotenv_values(self.data_dir / "services.env")
        raise AssertionError(f"rag up ended with {process.wait()}")

    def end(self, with_signal: int) -> int:
        """Send a signal; return the exit code."""
        assert self.process
        self.process.send_signal(with_signal)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def left(self) -> list[str]:
        """The commands of processes that carry this data folder's mark."""
        return list(self._marked())

    def service(self, command: str) -> psutil.Process:
        """The service with this in its command."""
        return next(process for line, process in self._marked().items() if command in line)

    def _marked(self) -> dict[str, psutil.Process]:
        found = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get("RAG_EMBEDDED_IN") == str(self.data_dir):
                    found[" ".join(process.cmdline())] = process
            except (psutil.Error, OSError):
                continue
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Services on a fresh data folder; killed at the end if a test left them."""
    services = Up(tmp_path / "up")
    yield services
    if services.process and services.process.poll() is None:
        services.process.kill()
        services.process.communicate()


@pytest.fixture(scope="module")
def running_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Services for tests that only look at them; a port was taken while they started.

    Ctrl-C ends them, and leaves nothing behind either.
    """
    services = Up(tmp_path_factory.mktemp("running") / "up")
    services.data_dir.mkdir()
    services.data_dir.chmod(0o755)  # as an earlier release made it
    with socket.create_server(("127.0.0.1", 0)):
        services.ready()
    yield services
    assert len(services.left()) >= 2
    assert services.end(signal.SIGINT) == 0
    assert services.left() == []


def rag(up: Up, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Another command, in the same folder, that is told nothing but where the data is."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "rag"), *arguments],
        env={**os.environ, "RAG_DATA_DIR": str(up.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


class TestEnding:
    def test_by_a_signal_leaves_nothing_behind(self, up: Up) -> None:
        up.ready()
        assert len(up.left()) >= 2
        assert up.end(signal.SIGTERM) == 0
        assert up.left() == []

    def test_of_one_service_is_said_at_once_and_ends_all(self, up: Up) -> None:
        up.ready()
        assert up.process
        assert up.process.stderr
        slow = up.service("embedded.object_store")
        slow.suspend()  # it does not end when it is told to
        up.service("milvus-lite").kill()
        said = ""
        while "The service milvus ended (signal 9)" not in said:
            said += up.process.stderr.readline()
        assert slow.status() == psutil.STATUS_STOPPED
        slow.resume()
        _, rest = up.process.communicate(timeout=30)
        assert up.process.returncode == 4
        assert str(up.data_dir / "logs" / "milvus.log") in said
        assert rest.splitlines()[-1].startswith("ServiceUnavailable: ")
        assert up.left() == []

    def test_by_kill_is_mended_by_the_next_start(self, up: Up) -> None:
        first = up.ready()
        assert up.process
        os.kill(up.process.pid, signal.SIGKILL)
        up.process.communicate()
        second = up.ready()
        assert second["AWS_ENDPOINT_URL"] == first["AWS_ENDPOINT_URL"]
        assert up.end(signal.SIGINT) == 0
        assert up.left() == []


class TestPorts:
    def test_that_are_taken_are_exchanged_and_found_by_other_commands(self, running_up: Up) -> None:
        said = rag(running_up, "doctor").stdout
        assert "can be written" in " ".join(said.split())

    def test_that_a_setting_names_and_that_are_taken_name_the_setting(self, up: Up) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            process = up.start(RAG_MILVUS_PORT=port)
            _, said = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "Setting: " in said
        assert all(name in said for name in (port, "milvus", "RAG_MILVUS_PORT"))
        assert up.left() == []

    def test_listen_on_loopback_alone(self, running_up: Up) -> None:
        addresses = set()
        for process in psutil.process_iter():
            try:
                if process.environ().get("RAG_EMBEDDED_IN") == str(running_up.data_dir):
                    addresses |= {c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
            except (psutil.Error, OSError):
                continue
        assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


class TestFiles:
    def test_are_their_owners_alone(self, running_up: Up) -> None:
        assert stat.S_IMODE(running_up.data_dir.stat().st_mode) == 0o700
        files = list(running_up.data_dir.rglob("*"))
        assert running_up.data_dir / "services.env" in files
        assert [str(path) for path in files if path.lstat().st_mode & 0o077 and not path.is_symlink()] == []


class TestMilvus:
    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_does_not_speak_the_protocol_of_web_pages(self, running_up: Up, method: str) -> None:
        uri = str(dotenv_values(running_up.data_dir / "services.env")["MILVUS_URI"])
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.request(method, uri, trust_env=False)


class TestASecondStart:
    def test_on_the_same_data_is_refused(self, running_up: Up) -> None:
        again = rag(running_up, "up")
        assert again.returncode == 1
        assert again.stderr.splitlines()[-1].startswith("Setting: ")
        assert str(running_up.data_dir) in again.stderr
