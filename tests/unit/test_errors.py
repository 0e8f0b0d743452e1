"""The tree of errors is what the drawing at its head says, and the groups alone decide what is tried again."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from contextual_rag import errors
from contextual_rag.errors import FatalError, RagError, RetriableError, SkippableError

GROUPS = {FatalError, RetriableError, SkippableError}
CLASSES = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
}


def drawn() -> dict[str, set[type]]:
    """The leaves of the drawing, and the groups that each stands under."""
    leaves: defaultdict[str, set[type]] = defaultdict(set)
    group: type[Exception] = RagError
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
        assert parents == {Exception, RagError, *GROUPS}

    def test_lists_every_error_in_all(self) -> None:
        assert set(errors.__all__) == set(CLASSES)

    def test_gives_each_group_a_root_in_common(self) -> None:
        assert all(issubclass(error, RagError) for error in CLASSES.values())
