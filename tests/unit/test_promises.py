"""docs/promises.md names a test for each promise, and each of these exists."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

ROWS = re.findall(
    r"^\| ([A-Z`].*?) \| (`tests/.*) \|$", (ROOT / "docs" / "promises.md").read_text("utf-8"), re.MULTILINE
)


def test_there_is_a_row_for_each_promise() -> None:
    lines = (ROOT / "docs" / "promises.md").read_text("utf-8").splitlines()
    assert (
        len(ROWS) == sum(line.startswith("| ") and not line.startswith(("| promise", "| ---")) for line in lines) > 30
    )


@pytest.mark.parametrize("named", sorted({name for _, tests in ROWS for name in re.findall(r"`([^`]+)`", tests)}))
def test_each_test_exists(named: str) -> None:
    file, _, place = named.partition("::")
    text = (ROOT / file).read_text("utf-8")
    assert "def test_" in text
    assert not place or re.search(rf"^class {place}\b", text, re.MULTILINE)
