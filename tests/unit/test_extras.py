"""Each part of the project says which extra it needs, and needs no other."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable

import pytest

from contextual_rag.errors import MissingExtraError
from contextual_rag.extras import EXTRAS, needs
from contextual_rag.settings import PROJECT

_ROOMS = {"worker": "contextual_rag.conversation", "airflow": "contextual_rag.airflow", "page": "streamlit_app"}
# Runs code in a Python in which some libraries are not installed.
_WITHOUT = """
import sys
from importlib.abc import MetaPathFinder
class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {missing!r}:
            raise ModuleNotFoundError(name)
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {missing!r} else find(name, package)
sys.meta_path.insert(0, Missing())
{code}
"""


def without(extras: Iterable[str], code: str) -> subprocess.CompletedProcess[str]:
    """Run code without the libraries of some extras."""
    alone = {module for extra in extras for module in EXTRAS[extra]} - {"uvicorn"}
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT.format(missing=alone, code=code)], capture_output=True, text=True, check=False
    )


def test_every_extra_brings_what_it_says() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(declared) - {"deployment"} == set(EXTRAS)
    names = {"airflow": "apache-airflow", "markdown_it": "markdown-it-py", "milvus_lite": "milvus-lite"}
    names["prometheus_client"] = "prometheus-client"
    for extra, modules in EXTRAS.items():
        brought = {re.split(r"[\[=<>]", line)[0] for line in declared[extra]}
        assert {names.get(module, module) for module in modules} <= brought


@pytest.mark.parametrize("extra", _ROOMS)
def test_a_room_without_its_extra_says_which_to_install(extra: str) -> None:
    found = without([extra], f"import {_ROOMS[extra]}")
    assert f"contextual-rag[{extra}]" in found.stderr
    assert "MissingExtraError" in found.stderr


def test_the_command_and_asking_need_none() -> None:
    code = (
        "import contextual_rag.cli, contextual_rag.wiring, contextual_rag.commands.ask, contextual_rag.building.steps"
    )
    found = without(EXTRAS, code)
    assert (found.returncode, found.stderr) == (0, "")


def test_each_command_is_there_without_any() -> None:
    # `docker compose run --rm rag …` has what a page needs, and no more.
    code = (
        "import contextual_rag.commands as commands, importlib, pkgutil\n"
        "for one in pkgutil.iter_modules(commands.__path__):\n"
        "    importlib.import_module(f'contextual_rag.commands.{one.name}')"
    )
    found = without(EXTRAS, code)
    assert (found.returncode, found.stderr) == (0, "")


def test_what_is_installed_is_not_asked_for() -> None:
    for extra in EXTRAS:
        needs(extra)


def test_what_is_missing_is_an_import_error_and_one_of_ours() -> None:
    assert issubclass(MissingExtraError, ImportError)
