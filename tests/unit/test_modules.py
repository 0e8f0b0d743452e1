"""Every module says what it offers, is small, and is in no circle with others."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Mapping, Set
from pathlib import Path

import grimp
import pytest

import contextual_rag

LONGEST = 350
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(contextual_rag.__path__, "contextual_rag.")
    if not module.ispkg and not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
class TestModules:
    def test_have_all_and_every_name_in_it_exists(self, name: str) -> None:
        module = importlib.import_module(name)
        assert [public for public in module.__all__ if not hasattr(module, public)] == []

    def test_name_nothing_twice_or_that_is_private(self, name: str) -> None:
        names = importlib.import_module(name).__all__
        assert len(set(names)) == len(names)
        assert [public for public in names if public.startswith("_")] == []

    def test_have_a_docstring(self, name: str) -> None:
        specification = importlib.util.find_spec(name)
        assert specification is not None
        assert specification.loader is not None
        source = specification.loader.get_source(name)  # type: ignore[attr-defined]
        assert ast.get_docstring(ast.parse(source))

    def test_have_fewer_than_350_lines(self, name: str) -> None:
        specification = importlib.util.find_spec(name)
        assert specification is not None
        assert specification.origin is not None
        assert len(Path(specification.origin).read_text(encoding="utf-8").splitlines()) < LONGEST


def in_circles(imports: Mapping[str, Set[str]]) -> list[str]:
    """Return what is in a circle of imports or leads to one: what is left when all leaves are taken away."""
    left = dict(imports)
    while leaves := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in leaves}
    return sorted(left)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("contextual_rag", "streamlit_app")
    assert in_circles({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}) == []


def test_a_circle_would_be_found() -> None:
    assert in_circles({"a": {"b"}, "b": {"a"}, "c": {"a"}, "d": set()}) == ["a", "b", "c"]
