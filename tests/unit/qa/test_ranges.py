"""The numbers of a mark: a dash or "to" between two of them is a range, other signs are none."""

from __future__ import annotations

import pytest

from contextual_rag.qa.marks import citation_marks


@pytest.mark.parametrize("mark", ["[1-3]", "[1 – 3]", "[1 to 3]", "[sources 1 TO 3]", "[1—doc 3]"])
def test_a_range_names_all_between(mark: str) -> None:
    assert [found.numbers for found in citation_marks(f"It rang {mark}.", ())] == [(1, 2, 3)]


@pytest.mark.parametrize("mark", ["[1, 3]", "[1 and 3]", "[1; ref. 3]", "[1 & 3]"])
def test_other_signs_name_no_more_than_is_written(mark: str) -> None:
    assert [found.numbers for found in citation_marks(f"It rang {mark}.", ())] == [(1, 3)]


def test_a_range_that_goes_down_is_none() -> None:
    assert [found.numbers for found in citation_marks("It rang [3-1].", ())] == [(3, 1)]
