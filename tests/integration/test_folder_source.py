"""A folder of files, from the command line to an answer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Rag


def test_a_mixed_folder_is_checked_built_and_cited_without_telling_where_it_is(rag: Rag, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (notes / "deep").mkdir(parents=True)
    (notes / "ferry.md").write_text("# The ferry\n\nThe ferry to Ulvsund leaves at dawn when the herring are landed.")
    (notes / "deep" / "kiln.txt").write_text("The lime kiln is fired for nine days, and cools for four.")
    (notes / "mill.html").write_text("<h1>The mill</h1><p>The mill grinds rye on Tuesdays alone.</p>")
    (notes / "latin.txt").write_bytes(b"A caf\xe9 by the quay.")
    (notes / "away.md").symlink_to("/etc/passwd")

    checked = rag.json("sources", "check", str(notes))
    assert checked["kind"] == "folder"
    assert [one["url"] for one in checked["brings"]] == [
        "file:notes/ferry.md",
        "file:notes/mill.html",
        "file:notes/deep/kiln.txt",
    ]
    assert {one["title"] for one in checked["left_out"]} == {"latin.txt", "away.md"}

    built = rag.json("build", "--source", str(notes))
    assert (built["essays"], built["failed"], built["published"]) == (3, [], True)
    assert {one["slug"] for one in built["elsewhere"]} == {"latin.txt", "away.md"}

    (hit, *_) = rag.json("search", "On which day does the mill grind rye?")["hits"]
    assert (hit["url"], hit["slug"]) == ("file:notes/mill.html", "mill")
    assert str(tmp_path) not in json.dumps(hit)


def test_a_source_that_brings_nothing_ends_with_its_code(rag: Rag, tmp_path: Path) -> None:
    done = rag.run("sources", "check", str(tmp_path), "--json")
    assert done.returncode != 0
    assert json.loads(done.stdout)["brings"] == []
