"""The tree of errors is what the drawing at its head says, its groups decide what is tried again, its codes last."""

from __future__ import annotations

import ast
import copy
import multiprocessing
import pickle
import re
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

import pytest

from contextual_rag import errors
from contextual_rag.errors import FatalError, GateError, PageError, RagError, RetriableError, SkippableError
from tests.conftest import ROOT
from tests.raising import raising

GROUPS = {FatalError, RetriableError, SkippableError}
CLASSES = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, RagError)
}
# The codes of commands, which no class has.
COMMANDS = {"usage", "interrupted", "stale"}


def drawn() -> dict[str, set[type]]:
    """The leaves of the drawing, and the groups that each stands under."""
    leaves: defaultdict[str, set[type]] = defaultdict(set)
    group: type[RagError] = RagError
    for indent, name in re.findall(r"^    ([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        if not indent:
            group = CLASSES[name]
        else:
            leaves[name].add(group)
    return leaves


class TestTree:
    @pytest.mark.parametrize("leaf", sorted(drawn()))
    def test_has_each_leaf_in_exactly_the_groups_that_are_drawn(self, leaf: str) -> None:
        assert GROUPS & set(CLASSES[leaf].__mro__) == drawn()[leaf]

    def test_is_drawn_whole(self) -> None:
        assert set(drawn()) == set(CLASSES) - {"RagError", *(group.__name__ for group in GROUPS)}

    def test_has_no_leaf_below_a_leaf(self) -> None:
        parents = {base for error in CLASSES.values() for base in error.__bases__}
        assert parents == {Exception, ImportError, RagError, *GROUPS}

    def test_lists_every_error_in_all(self) -> None:
        assert set(errors.__all__) == set(CLASSES)

    def test_gives_each_group_a_root_in_common(self) -> None:
        assert all(issubclass(error, RagError) for error in CLASSES.values())


def documented() -> list[tuple[str, str]]:
    """The rows of the tables in docs/errors.md: a code, and the class that it belongs to."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(\w+)` \| (\w*) ?\| \S[^|]* \| \S[^|]* \|$", text, re.MULTILINE)


def raised() -> set[str]:
    """The codes that are written where errors are raised: the texts of each argument `code`."""
    files = [
        file for folder in ("include", "streamlit_app", "plugins", "dags") for file in (ROOT / folder).rglob("*.py")
    ]
    texts = [text for file in files if "code=" in (text := file.read_text(encoding="utf-8"))]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    given = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "code"]
    parts = [part for value in given for part in ast.walk(value)]
    return {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}


class TestCodes:
    def test_are_of_one_class_each(self) -> None:
        own = [error.code for error in CLASSES.values() if "code" in vars(error)]
        assert len(own) == len(CLASSES) == len(set(own))

    @pytest.mark.parametrize("name", sorted(CLASSES))
    def test_of_a_class_are_documented(self, name: str) -> None:
        assert (CLASSES[name].code, name) in documented()

    def test_of_situations_are_documented(self) -> None:
        of_situations = {code for code, name in documented() if not name or code != CLASSES[name].code}
        assert of_situations == raised() - {error.code for error in CLASSES.values()} | COMMANDS

    def test_of_situations_begin_with_the_code_of_their_class(self) -> None:
        for code, name in documented():
            assert not name or code == CLASSES[name].code or code.startswith(f"{CLASSES[name].code}_")

    def test_are_documented_once_and_belong_to_a_class_or_to_commands(self) -> None:
        codes = [code for code, _ in documented()]
        assert len(codes) == len(set(codes))
        assert {code for code, name in documented() if not name} == COMMANDS


def specific() -> GateError:
    return GateError("Too many essays failed.", code="gate_some")


class TestAnError:
    def test_has_the_code_of_its_class_or_its_own(self) -> None:
        assert (GateError("Too many.").code, specific().code, GateError.code) == ("gate", "gate_some", "gate")

    @pytest.mark.parametrize("error", [specific(), *(error("What happened.") for error in CLASSES.values())])
    def test_is_the_same_after_copying_and_pickling(self, error: RagError) -> None:
        for other in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
            assert (type(other), other.code, str(other)) == (type(error), error.code, str(error))

    def test_comes_whole_out_of_another_process(self) -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as pool:
            error = pool.submit(specific).result()
        assert (type(error), error.code, str(error)) == (GateError, "gate_some", str(specific()))


class TestRaising:
    """The helper of the tests refuses what it should."""

    def test_accepts_class_code_and_names(self) -> None:
        with raising(GateError, "gate_some", "essays") as caught:
            raise specific()
        assert caught.value.code == "gate_some"

    @pytest.mark.parametrize(
        ("kind", "code", "name"),
        [(GateError, "gate", ""), (FatalError, "gate_some", ""), (GateError, "gate_some", "x9")],
    )
    def test_refuses_another_code_class_or_name(self, kind: type[RagError], code: str, name: str) -> None:
        with pytest.raises(AssertionError), raising(kind, code, name):
            raise specific()

    def test_leaves_an_error_of_another_kind_alone(self) -> None:
        with pytest.raises(GateError), raising(PageError, "page"):
            raise specific()
