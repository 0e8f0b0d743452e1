"""What docs/your-own-corpus.md shows runs as it is written, and it documents exactly the public names."""

from __future__ import annotations

import re
from typing import Any

import pytest

import contextual_rag
from contextual_rag.building.build import Built
from tests.conftest import ROOT, ServedSite

PAGE = (ROOT / "docs" / "your-own-corpus.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SITE = "http://127.0.0.1:8100/articles.html"


def test_the_documented_names_are_the_public_ones() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted(contextual_rag.__all__)


def test_the_first_block_has_under_ten_lines_and_uses_public_names_alone() -> None:
    lines = BLOCKS[0].splitlines()
    assert len([line for line in lines if line]) < 10
    imported = re.fullmatch(r"from contextual_rag import (.+)", lines[0])
    assert imported
    assert set(imported[1].split(", ")) <= set(contextual_rag.__all__)


def test_the_blocks_run_in_order(built: Built, sample_site: ServedSite, capsys: pytest.CaptureFixture[str]) -> None:
    """The first build finds what was made of the sample site's first day; the last one makes three essays anew."""
    names: dict[str, Any] = {}
    printed = []
    for block in BLOCKS:
        exec(block.replace(SITE, sample_site.url), names)
        printed.append(capsys.readouterr().out)
    first, some, version, recipe = printed
    assert first.startswith("17 essays, 101 chunks\n[")
    assert "verified: True" in first
    assert some.startswith("document jug or When You Don't Know, dated from 2010-01-01 [")
    assert "uncertain" in some.splitlines()[1]
    assert version.startswith("127.0.0.1")
    assert " 1350 0.7\n" in version
    assert len(version.splitlines()) == 18
    assert recipe.strip()
    assert (names["built"].essays, names["built"].published, names["built"].current) == (3, True, False)
