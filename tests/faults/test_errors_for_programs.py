"""With `--json`, a failing command prints one JSON object for programs; without it, one line for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from subprocess import CompletedProcess

import pytest

from contextual_rag.building.build import Built
from contextual_rag.commands.console import exit_code
from tests.faults.commands import Commands, error_of
from tests.faults.small_site import QUESTION, SLUGS, index_page, index_url
from tests.servers.faulty_site import FaultySite, page

UNKNOWN = "2020-01-01-00000000"
NOWHERE = "http://127.0.0.1:9"


def error_in(done: CompletedProcess[str]) -> dict[str, str]:
    """The error that standard output holds, and nothing else."""
    printed = json.loads(done.stdout)
    assert list(printed) == ["error"]
    assert list(printed["error"]) == ["code", "message"]
    error: dict[str, str] = printed["error"]
    return error


class TestAnErrorOfOurs:
    @pytest.mark.parametrize(
        ("arguments", "variables", "code", "kind", "named"),
        [
            (["versions"], {"RAG_CHUNK_SIZE": "many"}, "setting", "Setting", "RAG_CHUNK_SIZE"),
            (["history"], {"AWS_ENDPOINT_URL": NOWHERE}, "service_unavailable", "ServiceUnavailable", NOWHERE),
            (["ask", QUESTION, "--version", UNKNOWN], {}, "unknown_version", "UnknownVersion", UNKNOWN),
            (["ask", " "], {}, "question_empty", "Question", "empty"),
            (["build", "--day", "soon"], {}, "usage", "error", "soon"),
        ],
    )
    def test_is_one_json_object_with_it_and_one_line_without_it(
        self,
        commands: Commands,
        arguments: Sequence[str],
        variables: dict[str, str],
        code: str,
        kind: str,
        named: str,
    ) -> None:
        printed, shown = commands.run_all(([*arguments, "--json"], variables), (arguments, variables))
        error = error_in(printed)
        assert error["code"] == code
        assert named in error["message"]
        assert error["message"] not in printed.stderr
        assert printed.returncode == exit_code(code)

        assert shown.stdout == ""
        assert error_of(shown) == f"{kind}: {error['message']}"


class TestAWrongCall:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["versions", "--nonsense"], "--nonsense"),
            (["search"], "question"),
            (["search", "bell", "-k", "0"], "-k"),
            (["nonsense"], "nonsense"),
            (["pin"], "--why"),
        ],
    )
    def test_is_an_error_of_the_same_form_with_exit_code_2(
        self, commands: Commands, arguments: Sequence[str], named: str
    ) -> None:
        printed, shown = commands.run_all(([*arguments, "--json"], {}), (arguments, {}))
        error = error_in(printed)
        assert error["code"] == "usage"
        assert named in error["message"]
        assert (printed.returncode, printed.stderr) == (2, "")

        assert (shown.returncode, shown.stdout) == (2, "")
        assert named in shown.stderr

    def test_after_the_end_of_options_is_for_people(self, commands: Commands) -> None:
        done = commands.run("search", "-k", "0", "--", "--json")
        assert (done.returncode, done.stdout) == (2, "")


class TestExitCodes:
    """What a script does next."""

    @pytest.mark.parametrize(
        ("code", "number"),
        [
            ("usage", 2),
            ("gate", 3),
            ("gate_shrunk", 3),
            ("budget", 3),
            ("service_unavailable_timeout", 4),
            ("conflict", 4),
            ("page_unavailable", 4),
            ("unknown_version", 5),
            ("unknown_snapshot", 5),
            ("interrupted", 130),
            ("error", 1),
            ("setting_unknown", 1),
            ("page_gone", 1),
            ("gateway", 1),
        ],
    )
    def test_belong_to_the_codes_of_errors(self, code: str, number: int) -> None:
        assert exit_code(code) == number


class TestACommandThatSucceeds:
    def test_prints_no_error(self, commands: Commands, published: Built) -> None:
        (listed,) = commands.succeeds("versions")
        assert listed["version"] == published.version
        printed, shown, helped = commands.run_all((["history", "--json"], {}), (["history"], {}), (["--help"], {}))
        assert isinstance(json.loads(printed.stdout), list)
        assert "error" not in printed.stdout + shown.stdout
        assert [done.returncode for done in (printed, shown, helped)] == [0, 0, 0]


class TestACommandThatFailsAfterItsResult:
    def test_prints_the_result_alone_and_the_error_for_people(
        self, commands: Commands, published: Built, small_site: FaultySite
    ) -> None:
        small_site.routes["/articles.html"] = page(index_page(SLUGS[:3]))
        done = commands.run("build", "--source", index_url(small_site), "--json")
        refused = json.loads(done.stdout)["refused"]
        assert error_of(done) == f"error: {refused}"

    def test_says_by_its_exit_code_what_the_doctor_found(self, commands: Commands) -> None:
        done = commands.run("doctor", "--json", AWS_ENDPOINT_URL=NOWHERE)
        assert done.returncode == 1
        assert not all(finding["ok"] for finding in json.loads(done.stdout))
