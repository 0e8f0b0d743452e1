"""A wrong parameter of the recipe is named before anything is fetched, wherever it was set."""

from __future__ import annotations

import re

from tests.faults.commands import Commands
from tests.faults.small_site import index_url
from tests.servers.faulty_site import FaultySite

_WRONG = {
    "overlap as large as the chunk": ({"chunker": "fixed", "chunk_size": "200", "chunk_overlap": "200"}, "overlap"),
    "an overlap that recursive chunks do not have": ({"chunk_overlap": "30"}, "chunk_overlap"),
    "a negative overlap": ({"chunker": "fixed", "chunk_overlap": "-1"}, "chunk_overlap"),
    "size 0": ({"chunk_size": "0"}, "chunk_size"),
    "a negative size": ({"chunk_size": "-800"}, "chunk_size"),
    "an absurd size": ({"chunk_size": "1000000000"}, "chunk_size"),
    "an unknown chunker": ({"chunker": "semantic"}, "chunker"),
}


def test_it_is_named_as_an_option(commands: Commands, small_site: FaultySite) -> None:
    runs: list[tuple[list[str], dict[str, str]]] = []
    for parameters, _ in _WRONG.values():
        options = [part for name, value in parameters.items() for part in (f"--{name.replace('_', '-')}", value)]
        runs.append((["build", "--source", index_url(small_site), *options], {}))
    _assert_named(commands.all_fail(*runs))
    assert small_site.seen == []


def test_it_is_named_as_a_setting(commands: Commands, small_site: FaultySite) -> None:
    build = ("build", "--source", index_url(small_site))
    wrong = [{f"RAG_{name.upper()}": value for name, value in parameters.items()} for parameters, _ in _WRONG.values()]
    _assert_named(commands.all_fail(*((build, settings) for settings in wrong)))
    assert small_site.seen == []


def _assert_named(errors: list[str]) -> None:
    for error, (_, named) in zip(errors, _WRONG.values(), strict=True):
        assert error.startswith("Setting: ")
        assert named in error


def test_a_setting_that_is_no_number_is_named_with_the_places_where_it_was_looked_for(commands: Commands) -> None:
    names = ("RAG_CHUNK_SIZE", "RAG_PAGE_TIMEOUT_S", "RAG_MAX_FAILED_SHARE")
    errors = commands.all_fail(*((["versions"], {name: "marker-value"}) for name in names))
    for name, error in zip(names, errors, strict=True):
        assert name in error
        assert ".env" in error
        assert "marker-value" not in error


def test_doctor_names_it_too(commands: Commands) -> None:
    done = commands.run("doctor", RAG_CHUNK_SIZE="0")
    assert done.returncode == 1
    assert re.search("^bad  recipe: .*chunk_size", done.stdout, re.MULTILINE)


def test_an_option_that_the_command_itself_refuses_is_named(commands: Commands) -> None:
    each = (["build", "--limit", "0"], ["search", "bell", "-k", "0"], ["search", "bell", "-k", "1000"])
    for arguments, done in zip(each, commands.run_all(*((arguments, {}) for arguments in each)), strict=True):
        assert done.returncode == 2
        assert f"Invalid value for '{arguments[-2]}'" in done.stderr
