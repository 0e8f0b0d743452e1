"""What a build gets from a site: its pages where they are, and the last good text of those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextual_rag import keys
from contextual_rag.building.build import Built
from contextual_rag.errors import PageError
from contextual_rag.model import Document, Snapshot
from contextual_rag.objects import load, save
from contextual_rag.ports import Response
from contextual_rag.readers.registry import READERS
from tests.memory_world import MemoryWorld, ServedPages, names, text_of
from tests.unit.readers import files

SITE = "http://essays.example/"


class RawPages(ServedPages):
    """Pages as they are written here, by their addresses: markup, or markup and media type."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, str | tuple[str, str]] = {}
        self.asked: list[tuple[str, str | None]] = []

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Answer with the page and a validator, and with 304 if it is known."""
        self.asked.append((url, etag))
        found = self.pages.get(url.removeprefix(SITE))
        if found is None:
            raise PageError(f"{url} is not there.", code="page_gone")
        html, kind = (found, "text/html") if isinstance(found, str) else found
        tag = f'"{hash(html)}"'
        if etag == tag:
            return Response(304, b"", None, tag, None, url)
        return Response(200, html.encode(), "utf-8", tag, None, url, kind)


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    made = MemoryWorld(tmp_path, max_failed_share=1)
    made.sites[made.pages.url] = RawPages()
    return made


@pytest.fixture
def pages(world: MemoryWorld) -> dict[str, str | tuple[str, str]]:
    """An index page of three essays, and the essays."""
    found = raw(world).pages
    found["articles.html"] = "<ul>" + "".join(f"<li><a href={n}>Essay {n}</a>" for n in names(3)) + "</ul>"
    found.update({name: f"<h1>Essay {name}</h1><p>{text_of(name)}</p>" for name in names(3)})
    return found


def raw(world: MemoryWorld) -> RawPages:
    site = world.sites[world.pages.url]
    assert isinstance(site, RawPages)
    return site


def texts(world: MemoryWorld, built: Built) -> dict[str, str]:
    index = world.indexes.open(world.registry.resolve(built.version))
    return {slug: " ".join(chunk.text for chunk in index.essay(slug)) for slug in index.essays}


def reasons(built: Built) -> dict[str, str]:
    return {failure.slug: failure.reason for failure in built.failed}


NO_ESSAYS = {
    "an error": "<title>Page not found</title><h1>404</h1><p>Sorry, this page does not exist.</p>",
    "a wall": "<title>Just a moment...</title><p>Checking your browser. Enable JavaScript and cookies to continue.</p>",
    "a shell": "<title>Essays</title><div id=root>Loading...</div><script>x()</script>",
    "nothing": "<title>Essay</title>",
}


@pytest.mark.parametrize("page", NO_ESSAYS)
def test_a_page_that_is_no_essay_takes_no_essays_place_and_is_named(
    world: MemoryWorld, pages: dict[str, str | tuple[str, str]], page: str
) -> None:
    before = texts(world, world.build())
    pages["essay1"] = NO_ESSAYS[page]
    built = world.build(days=1)
    assert list(reasons(built)) == ["essay1"]
    assert (texts(world, built) if built.version else before) == before


def test_a_page_that_sends_its_readers_on_is_read_where_it_is(
    world: MemoryWorld, pages: dict[str, str | tuple[str, str]]
) -> None:
    pages["new/place"] = pages["essay1"]
    pages["essay1"] = '<meta http-equiv="Refresh" content="0; URL=new/">If nothing happens, <a href=new/>go there</a>.'
    pages["new/"] = "<META HTTP-EQUIV=REFRESH CONTENT=0;URL='place'>"
    built = world.build()
    assert reasons(built) == {}
    assert "essaybb" in texts(world, built)["essay1"]
    # What the new address said of its age is not told to the old one.
    raw(world).asked.clear()
    world.build(days=1)
    assert dict(raw(world).asked)[SITE + "essay1"] is None


@pytest.mark.parametrize(
    "target",
    ["essay1", "loop", "http://other.example/essay", "gone"],
    ids=["itself", "a circle", "another site", "nowhere"],
)
def test_one_that_leads_nowhere_fails_and_is_named(
    world: MemoryWorld, pages: dict[str, str | tuple[str, str]], target: str
) -> None:
    pages["essay1"] = f'<meta http-equiv=refresh content="0;url={target}">'
    pages["loop"] = '<meta http-equiv=refresh content="0;url=essay1">'
    assert list(reasons(world.build())) == ["essay1"]


def test_an_essay_that_is_only_loaded_again_now_and_then_is_read_as_it_is(
    world: MemoryWorld, pages: dict[str, str | tuple[str, str]]
) -> None:
    pages["essay1"] = f'<meta http-equiv=refresh content="5;url=other"><p>{text_of("essay1")}</p>' * 3
    built = world.build()
    assert reasons(built) == {}
    assert SITE + "other" not in dict(raw(world).asked)


def test_a_page_that_earlier_readers_read_is_read_again_and_nothing_is_made_again_if_it_is_the_same(
    world: MemoryWorld, pages: dict[str, str | tuple[str, str]]
) -> None:
    first = world.build()
    (key,) = world.store.list(keys.SNAPSHOTS)
    snapshot = load(world.store, key, Snapshot)
    assert snapshot is not None
    assert {page.readers for page in snapshot.pages} == {READERS}
    # What the release before made of the second page: another document.
    second = snapshot.pages[1]
    wrong = Document(slug="essay1", url=second.url, title="Wrong", date=None, text="Wrong.", paragraphs=())
    save(world.store, keys.document("wrong"), wrong)
    earlier = [page.model_copy(update={"readers": 1}) for page in snapshot.pages]
    earlier[1] = earlier[1].model_copy(update={"document": "wrong"})
    save(world.store, key, snapshot.model_copy(update={"pages": tuple(earlier)}))
    built = world.build(days=1)
    assert [etag is not None for url, etag in raw(world).asked if "essay" in url.removeprefix(SITE)][-3:] == [True] * 3
    assert texts(world, built) == texts(world, first)
    assert built.version == first.version


def test_text_and_markdown_are_read_too_and_what_is_left_out_is_named(
    world: MemoryWorld, pages: dict[str, str | tuple[str, str]]
) -> None:
    pages["articles.html"] = (
        "<nav><a href=/about>About</a></nav><ul><li><a href=essay0>One</a><li><a href=a.txt>Two</a>"
        "<li><a href=b>Three</a><li><a href=c.zip>Four</a><li><a href=/tag/sea>Sea</a></ul>"
    )
    pages["a.txt"] = (f"The bell <rings>.\n\n{text_of('essay1')}", "text/plain")
    pages["b"] = (f"---\ntitle: On Bells\ndate: 2019-03-02\n---\n\n# Bells\n\n{text_of('essay2')}", "text/markdown")
    built = world.build()
    index = world.indexes.open(world.registry.resolve(built.version))
    assert dict(index.essays) == {"essay0": "Essay essay0", "a.txt": "Two", "b": "On Bells"}
    assert "The bell <rings>." in texts(world, built)["a.txt"]
    assert {link.slug: link.reason.split(":")[0].split(",")[0] for link in built.elsewhere} == {
        "About": "stands in a menu",
        "Four": "leads elsewhere",
        "Sea": "lists other pages",
    }


def test_a_linked_file_is_a_document_and_what_it_says_of_moving_is_text(
    world: MemoryWorld, pages: dict[str, str | tuple[str, str]]
) -> None:
    made = files.pdf(
        [["It says <meta http-equiv=refresh content='0;url=/essay1'>."], [text_of("essay2")]], packed=False
    )
    pages["articles.html"] = "<ul><li><a href=essay0>One</a><li><a href=report.pdf>Report</a></ul>"
    pages["report.pdf"] = (made.decode("ascii", "replace").replace("\ufffd", "?"), "application/pdf")
    built = world.build()
    assert (built.failed, built.elsewhere) == ((), ())
    index = world.indexes.open(world.registry.resolve(built.version))
    assert index.essays["report.pdf"] == "Report"
    assert [chunk.where for chunk in index.essay("report.pdf")] == ["page 1 – page 2"]
    assert "refresh" in texts(world, built)["report.pdf"]
