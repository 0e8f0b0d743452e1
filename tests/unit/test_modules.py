"""Every module says what it offers, is small, and is in no circle with others."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Mapping, Set
from pathlib import Path

import grimp

import contextual_rag

LONGEST = 350
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(contextual_rag.__path__, "contextual_rag.")
    if not module.ispkg and not module.name.endswith("__main__")
)


def source_of(name: str) -> str:
    """The text of a module, which is not imported."""
    specification = importlib.util.find_spec(name)
    assert specification is not None
    assert specification.origin is not None
    return Path(specification.origin).read_text(encoding="utf-8")


class TestModules:
    def test_have_all_and_every_name_in_it_exists(self) -> None:
        modules = map(importlib.import_module, MODULES)
        assert [f"{m.__name__}.{name}" for m in modules for name in m.__all__ if not hasattr(m, name)] == []

    def test_name_nothing_twice_or_that_is_private(self) -> None:
        offered = {name: importlib.import_module(name).__all__ for name in MODULES}
        assert [name for name, names in offered.items() if len(set(names)) < len(names)] == []
        assert [name for name, names in offered.items() if any(one.startswith("_") for one in names)] == []

    def test_have_a_docstring(self) -> None:
        assert [name for name in MODULES if not ast.get_docstring(ast.parse(source_of(name)))] == []

    def test_have_fewer_than_350_lines(self) -> None:
        lines = {name: len(source_of(name).splitlines()) for name in MODULES}
        assert len(lines) > 100
        assert {name: count for name, count in lines.items() if count >= LONGEST} == {}


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
