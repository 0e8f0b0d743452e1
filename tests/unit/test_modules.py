"""Every module says what it offers."""

from __future__ import annotations

import ast
import importlib
import pkgutil

import pytest

import contextual_rag

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
