"""What docs/your-own-corpus.md shows runs as it is written, and it documents exactly the public names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import contextual_rag
from contextual_rag.building.build import Built
from contextual_rag.wiring import World
from tests.conftest import ROOT, ServedSite
from tests.servers.faulty_site import FaultySite, page
from tests.servers.ollama import OllamaServer

PAGE = (ROOT / "docs" / "your-own-corpus.md").read_text(encoding="utf-8")
# By the heading that stands above them, in order.
BLOCKS = {
    part.partition("\n")[0]: re.findall(r"^```(?:python|toml)\n(.*?)^```", part, re.DOTALL | re.MULTILINE)
    for part in re.split(r"^###? ", PAGE, flags=re.MULTILINE)
}
SITE = "http://127.0.0.1:8100/articles.html"
FERRY = "The ferry to Ulvsund leaves at dawn, when the herring are landed and the nets are dry."
SUBTITLES = "1\n00:00:01 --> 00:00:04\nThe mill grinds\nrye on Tuesdays.\n\n2\n00:00:05 --> 00:00:09\nAnd barley never."
FEED = "<rss version='2.0'><channel><item><title>The ferry</title><link>/ferry</link></item><item/></channel></rss>"


def test_the_documented_names_are_the_public_ones() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted(contextual_rag.__all__)


def test_the_first_block_has_under_ten_lines_and_uses_public_names_alone() -> None:
    (first,) = BLOCKS["From Python"]
    lines = first.splitlines()
    assert len([line for line in lines if line]) < 10
    imported = re.fullmatch(r"from contextual_rag import (.+)", lines[0])
    assert imported
    assert set(imported[1].split(", ")) <= set(contextual_rag.__all__)


@pytest.fixture
def blog() -> Iterator[FaultySite]:
    """A blog with a feed, and a manual of three pages."""
    with FaultySite() as site:
        site.routes["/feed.xml"] = page(FEED.encode(), "application/rss+xml")
        site.routes["/ferry"] = page(f"<main><h1>The ferry</h1><p>{FERRY}</p></main>".encode())
        for path, links in {"": ("oars", "sails"), "oars": ("sails",), "sails": ()}.items():
            menu = "".join(f'<li><a href="/guide/{link}">{link}</a>' for link in links)
            prose = f"<main><h1>Page {path}</h1><p>How {path or 'boats'} are mended.</p></main>"
            site.routes[f"/guide/{path}"] = page(f"<nav><ul>{menu}</ul></nav>{prose}".encode())
        yield site


def test_the_blocks_run_in_order(
    built: Built,
    world: World,
    sample_site: ServedSite,
    blog: FaultySite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first build finds what was made of the sample site's first day; the others make a few documents anew."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "kiln.md").write_text("# The kiln\n\nThe lime kiln is fired for nine days.")
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "mill.srt").write_text(SUBTITLES)
    pages = [{"id": str(n), "title": f"Page {n}", "edited": "1", "text": f"Page {n} is about oars."} for n in (1, 2)]
    (tmp_path / "wiki.json").write_text(json.dumps(pages))
    world.store.put("papers/2026/tides.md", b"# Tides\n\nThe tide gauge stands on the mole.")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    def run(heading: str) -> str:
        """Run the blocks below a heading; one that begins with the name of a file is that file."""
        for block in BLOCKS[heading]:
            text = block.replace(SITE, sample_site.url).replace("/srv/", f"{tmp_path}/")
            text = re.sub(r"https://(?:blog|manual)\.example", blog.url(""), text)
            text = text.replace("s3://papers", f"s3://{world.settings.bucket}/papers")
            text = text.replace("http://127.0.0.1:11434", ollama.url)
            if file := re.match(r"# (\w+\.(?:py|toml))\n", text):
                (tmp_path / file[1]).write_text(text)
            else:
                exec(text, names)
        return capsys.readouterr().out

    with OllamaServer() as ollama:
        first = run("From Python")
        assert first.startswith("17 essays, 101 chunks\n[")
        assert "verified: True" in first
        some = run("Some documents alone")
        assert some.startswith("document jug or When You Don't Know, dated from 2010-01-01 [")
        assert "uncertain" in some.splitlines()[1]
        version = run("Reading a version")
        assert version.startswith("127.0.0.1")
        assert " 1350 0.7\n" in version
        assert len(version.splitlines()) == 18
        assert run("A recipe of your own").strip()
        assert (names["built"].essays, names["built"].published, names["built"].current) == (3, True, False)

        said = run("A blog")
        assert said.startswith("1 ['a post that has no link']")
        assert "leaves at dawn" in said
        assert run("A folder") == "file:notes/kiln.md\n"
        assert run("Several sources at once").count("'") == 2 * len(("blog", "manual", "notes", "papers"))
        assert (names["built"].essays, names["built"].failed, names["built"].state) == (6, (), "moved")
        of_notes = contextual_rag.Filter(sources=("notes",))
        found = contextual_rag.search(names["rag"], "How are oars mended?", where=of_notes).hits
        assert {hit.chunk.url for hit in found} == {"file:notes/kiln.md"}
        assert run("A source of your own") == "['wiki:1', 'wiki:2']\n"
        assert run("A format that no reader knows") == ""
        (tmp_path / "films.toml").write_text('[films]\nclass = "my_subtitles:Subtitles"\n')
        contextual_rag.build(names["rag"], source="films.toml", promote=True)
        (hit, *_) = contextual_rag.search(names["rag"], "What does the mill grind?").hits
        assert (hit.chunk.url, hit.chunk.text) == (
            "films:mill.srt",
            "The mill grinds rye on Tuesdays.\n\nAnd barley never.",
        )
        assert run("A model on this machine").strip()
        assert [call.model for call in ollama.calls("chat")] == ["llama3.2"]
