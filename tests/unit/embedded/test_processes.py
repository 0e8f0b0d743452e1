"""Services as child processes: which one ended is known at once, whatever it leaves behind, and its log is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from contextual_rag.embedded.processes import Processes, started

# A service that starts a process of its own, says both numbers and waits. `exec` as in the project's Procfile.
PARENT = """echo $$; sleep 300 & echo $!; exec sleep 300"""

Start = Callable[..., Processes]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start services by name and command; their logs are in `logs`."""
    with ExitStack() as stack:

        def start(**commands: str) -> Processes:
            (tmp_path / "Procfile").write_text("".join(f"{name}: {command}\n" for name, command in commands.items()))
            environment = {"PATH": os.environ["PATH"]}
            return stack.enter_context(
                started(list(commands), folder=tmp_path, environment=environment, logs=tmp_path / "logs")
            )

        yield start


def said(log: Path, lines: int) -> list[str]:
    """The first lines of a log, once they are written."""
    while len(found := log.read_text().splitlines()) < lines:
        pass
    return found


def ended(processes: Processes) -> str:
    while not (message := processes.ended()):
        pass
    return message


class TestEnded:
    def test_names_the_service_and_the_last_lines_of_its_log(self, start: Start) -> None:
        message = ended(start(well="exec sleep 300", ill="seq 1 40; exit 7"))
        assert "service ill ended (exit code 7)" in message
        assert message.splitlines()[1:] == [str(number) for number in range(26, 41)]

    def test_notices_a_kill_though_what_it_started_lives_on(self, start: Start, tmp_path: Path) -> None:
        processes = start(parent=PARENT)
        parent, child = map(int, said(tmp_path / "logs" / "parent.log", 2))
        assert processes.pids == {"parent": parent}
        os.kill(parent, signal.SIGKILL)
        assert "service parent ended (signal 9)" in ended(processes)
        assert psutil.pid_exists(child)

    def test_is_none_while_all_run(self, start: Start) -> None:
        assert start(one="exec sleep 300", two="exec sleep 300").ended() is None


class TestTheEnd:
    def test_stops_what_the_services_started_too(self, tmp_path: Path) -> None:
        (tmp_path / "Procfile").write_text(f"parent: {PARENT}\n")
        with started(["parent"], folder=tmp_path, environment=os.environ, logs=tmp_path / "logs"):
            both = [psutil.Process(int(pid)) for pid in said(tmp_path / "logs" / "parent.log", 2)]
        assert psutil.wait_procs(both, timeout=10)[1] == []


class TestLogs:
    def test_of_earlier_starts_are_kept_but_not_for_ever(self, start: Start, tmp_path: Path) -> None:
        for number in range(8):
            ended(start(one=f"echo {number}"))
        kept = {path.name: path.read_text().strip() for path in (tmp_path / "logs").iterdir()}
        assert kept == {"one.log": "7"} | {f"one.{n}.log": str(7 - n) for n in range(1, 6)}
