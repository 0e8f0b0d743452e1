"""`rag sources check`: what each source would bring and what it would leave out, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from contextual_rag.commands.console import CommandError
from contextual_rag.commands.sources import check
from contextual_rag.errors import SettingError
from tests.raising import raising
from tests.servers.faulty_site import FaultySite, page

INDEX = b'<ul><li><a href="one.html">One</a><li><a href="two.html">Two</a><li><a href="x.zip">File</a></ul>'


@pytest.fixture
def site() -> Iterator[FaultySite]:
    with FaultySite() as served:
        served.routes["/list.html"] = page(INDEX)
        yield served


@pytest.fixture
def file(site: FaultySite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of sources: one that brings pages, one that brings nothing, one that is not there."""
    monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.zip").write_text("x")
    file = tmp_path / "sources.toml"
    file.write_text(f'[web]\nurl = "{site.url("/list.html")}"\n[notes]\nurl = "./notes"\n[gone]\nurl = "./gone"\n')
    return file


def checked(capsys: pytest.CaptureFixture[str], source: str, *, as_json: bool = True) -> tuple[Any, str]:
    """What the command prints, and the code that it ends with."""
    code = ""
    try:
        check(source, as_json=as_json)
    except CommandError as error:
        code = error.code
    out = capsys.readouterr().out
    return (json.loads(out) if as_json else out), code


def test_shows_each_of_several_and_ends_with_a_code_if_one_brings_nothing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, code = checked(capsys, str(file))
    assert (code, found["kind"]) == ("source", "sources")
    assert {one["name"]: (one["kind"], len(one["brings"]), len(one["left_out"])) for one in found["sources"]} == {
        "web": ("index page", 2, 1),
        "notes": ("folder", 0, 1),
        "gone": ("unread", 0, 0),
    }
    assert ["error" in one for one in found["sources"]] == [False, False, True]
    assert [one["source"] for one in found["brings"]] == ["web", "web"]
    said, _ = checked(capsys, str(file), as_json=False)
    for part in ("web: index page", "one.html", "left out", "x.zip", "a.zip", "gone: unread", "not read"):
        assert part in said


def test_of_one_source_says_what_it_always_said(
    site: FaultySite, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, code = checked(capsys, site.url("/list.html"))
    assert (code, list(found)) == ("", ["source", "name", "kind", "brings", "left_out"])
    assert [list(one) for one in found["brings"]] == [["slug", "url", "title", "date"]] * 2
    assert [list(one) for one in found["left_out"]] == [["title", "url", "reason"]]


def test_takes_the_source_with_and_without_the_option_but_not_two(
    site: FaultySite, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.url("/list.html")
    check(named=url, as_json=True)
    assert json.loads(capsys.readouterr().out) == checked(capsys, url)[0]
    with pytest.raises(typer.BadParameter):
        check(url, named=url)


def test_of_a_wrong_file_names_its_line(file: Path) -> None:
    file.write_text("[web]\nurl = 1\n")
    with raising(SettingError, "setting_sources", "line 2"):
        check(str(file), as_json=True)
