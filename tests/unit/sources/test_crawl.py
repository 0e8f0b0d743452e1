"""A bounded crawl: the pages below an address to which links lead, and nothing left out in silence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contextual_rag.errors import PageError, PageUnavailableError, SourceError
from contextual_rag.ports import Response
from contextual_rag.sources.crawl import Crawl
from contextual_rag.sources.listing import Listing, read_source
from tests.memory_world import MemoryWorld, ServedPages, text_of
from tests.raising import raising

SITE = "http://docs.example/guide/"
FEED = '<rss version="2.0"><channel><item><link>http://docs.example/guide/a</link></item></channel></rss>'


def text(*links: str, words: str = "") -> str:
    """A page of prose with a menu of links."""
    menu = "".join(f'<li><a href="{link}">{link}</a>' for link in links)
    return f"<nav><ul>{menu}</ul></nav><main><h1>A page</h1><p>{words or text_of('page')}</p></main>"


class Pages(ServedPages):
    """Pages by their path below the site; "!" does not answer, ">" leads to another address."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        super().__init__(SITE)
        self.pages = dict(pages)
        self.asked: list[str] = []

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Answer one request."""
        self.asked.append(url.removeprefix(SITE))
        body = self.pages.get(url.removeprefix(SITE))
        if body is None:
            raise PageError(f"{url} is not there.", code="page_gone")
        if body == "!":
            raise PageUnavailableError(f"{url} does not answer.")
        if body.startswith(">"):
            return self.get(body[1:])._replace(url=body[1:])
        return Response(200, body.encode(), "utf-8", None, None, url)


def crawled(pages: Mapping[str, str] | Pages, start: str = SITE, **bounds: Any) -> Listing:
    site = pages if isinstance(pages, Pages) else Pages(pages)
    return read_source(Crawl(site, start, **bounds), start)


def brought(listing: Listing) -> list[str]:
    return [entry.url.removeprefix(SITE) for entry in listing.found.entries]


def left_out(listing: Listing) -> dict[str, str]:
    return {link.url.removeprefix(SITE): link.reason for link in listing.found.elsewhere}


class TestACrawl:
    def test_brings_the_pages_below_the_start_wherever_links_to_them_stand(self) -> None:
        pages = {
            "": text("a", "b/", "../other", "http://docs.example/"),
            "a": text("b/c", "#top", "a?x=1#y", "./"),
            "b/": text(words='Some <a href="../a">words</a> of <a href="/guide/d">prose</a>.' * 9),
            "b/c": text(),
            "d": text(),
            "a?x=1": text(),
        }
        found = crawled(pages)
        assert found.kind == "crawl"
        assert sorted(brought(found)) == ["", "a", "a?x=1", "b/", "b/c", "d"]
        assert left_out(found).keys() == {"http://docs.example/other", "http://docs.example/"}

    @pytest.mark.parametrize(("depth", "read"), [(0, 1), (1, 1), (2, 2), (9, 4)])
    def test_ends_at_its_depth_and_asks_for_no_links_there(self, depth: int, read: int) -> None:
        pages = ["", "1", "2", "3"]
        site = Pages({"": text("1"), "1": text("2"), "2": text("3"), "3": text("")})
        found = crawled(site, depth=depth)
        assert (brought(found), site.asked) == (pages[: depth + 1], pages[:read])
        assert list(left_out(found)) == (["1"] if depth == 0 else [])

    def test_ends_at_its_count_and_names_what_comes_after_it(self) -> None:
        endless = {"": text(*map(str, range(40)))} | {str(n): text(*map(str, range(n, n + 40))) for n in range(400)}
        site = Pages(endless)
        found = crawled(site, count=20)
        assert (len(site.asked), len(brought(found))) == (20, 20)
        assert "crawl.count" in left_out(found)["39"]
        assert len(left_out(found)) >= 20

    def test_stays_below_its_prefix(self) -> None:
        pages = {"": text("en/a", "de/a", "ends"), "en/a": text("b", "../de/b"), "en/b": text(), "de/a": text()}
        found = crawled(pages, prefix=f"{SITE}en/")
        assert brought(found) == ["", "en/a", "en/b"]
        assert left_out(found).keys() == {"de/a", "de/b", "ends"}

    def test_follows_the_next_pages_of_a_list_without_a_step_and_takes_none_for_a_document(self) -> None:
        teasers = "".join(f'<h2><a href="p{{0}}{n}">Post {n}</a></h2><p>A few words.</p>' for n in range(5))
        pages = {"": teasers.format("a") + '<a href="page/2/">Older</a>'}
        for n in range(2, 9):
            older = f"page/{n + 1}/" if n < 8 else "?page=9"
            pages[f"page/{n}/"] = f'<base href="{SITE}">{teasers.format(n)}<a href="{older}">Older</a>'
        pages["?page=9"] = teasers.format(9)
        found = crawled(Pages(pages), depth=1)
        assert sorted(brought(found)) == sorted(f"p{list_}{n}" for list_ in "a23456789" for n in range(5))
        assert left_out(found).keys() == {"", "?page=9", *(f"page/{n}/" for n in range(2, 9))}

    def test_asks_for_no_tags_archives_searches_feeds_and_files_and_names_them(self) -> None:
        no_pages = ["tag/x", "category/x/page/2/", "archive/2020", "?s=words", "feed/", "a.zip", "b.jpg", "login"]
        site = Pages({"": text("a", *no_pages), "a": text("mailto:me@docs.example", "https://other.example/1")})
        site.pages["a"] += '<a href="https://other.example/2">x</a><a href="javascript:void(0)">y</a>'
        found = crawled(site)
        assert (brought(found), site.asked) == (["", "a"], ["", "a"])
        assert left_out(found).keys() == {*no_pages, "mailto:", "https://other.example/"}
        assert "2 links" in left_out(found)["https://other.example/"]

    def test_takes_a_file_that_a_reader_knows_for_a_document_and_does_not_read_it_for_links(self) -> None:
        site = Pages({"": text("a.pptx"), "a.pptx": "PK"})
        assert (brought(crawled(site)), site.asked) == (["", "a.pptx"], [""])

    def test_takes_no_feed_for_a_document_and_a_page_that_only_links_for_none(self) -> None:
        hub = "<ul>" + "".join(f'<li><a href="{name}">{name}</a>' for name in ("a", "posts", "c")) + "</ul>"
        found = crawled({"": hub, "a": text(), "posts": FEED, "c": "<urlset></urlset>"})
        assert brought(found) == ["a"]
        assert left_out(found).keys() == {"", "posts", "c"}

    def test_brings_a_page_once_however_it_is_linked(self) -> None:
        links = [
            "a",
            "./a",
            "http://docs.example/guide/a#x",
            "https://docs.example/guide/a",
            "a?utm_source=x",
            "old",
            "older",
        ]
        pages = {"": text(*links), "a": text(), "old": f">{SITE}a", "older": ">http://elsewhere.example/x"}
        pages["http://elsewhere.example/x"] = text()
        found = crawled(pages)
        assert brought(found) == ["", "a"]
        assert left_out(found).keys() == {"old", "older"}

    def test_names_a_link_that_leads_nowhere(self) -> None:
        found = crawled({"": text("a", "gone"), "a": text()})
        assert (brought(found), list(left_out(found))) == (["", "a"], ["gone"])

    def test_keeps_an_error_that_is_served_as_a_page_for_the_build_to_name(self) -> None:
        found = crawled({"": text("a"), "a": "<title>404</title><h1>Page not found</h1><p>The page was not found.</p>"})
        assert brought(found) == ["", "a"]

    def test_waits_for_a_page_that_does_not_answer_since_others_may_lie_behind_it(self) -> None:
        with raising(PageUnavailableError, "page_unavailable"):
            crawled({"": text("a"), "a": "!"})

    def test_whose_start_is_gone_is_named(self) -> None:
        with raising(SourceError, "source", SITE):
            crawled({})

    def test_follows_a_start_that_leads_elsewhere_on_the_site(self) -> None:
        new = "https://www.docs.example/new/"
        found = crawled({"": f">{new}", new: text("a", f"{SITE}b"), f"{new}a": text()})
        assert [entry.url for entry in found.found.entries] == [new, f"{new}a"]
        assert list(left_out(found)) == ["b"]


def test_a_build_fetches_again_only_what_changed(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(f'[docs]\nurl = "{SITE}"\ncrawl = {{ depth = 2 }}\n')
    world = MemoryWorld(tmp_path)
    pages = world.sites[SITE] = Pages(
        {"": text("a", words=text_of("home")), "a": text("b", words=text_of("aa")), "b": text(words=text_of("bb"))}
    )
    built = world.build(source=str(file))
    assert (built.state, built.essays) == ("moved", 3)
    assert sorted(pages.asked) == ["", "", "a", "a", "b"]
    pages.asked.clear()
    assert world.build(days=1, source=str(file)).version == built.version
    # "b" is the last step: it was never read for its links, so the site is asked whether it changed.
    assert sorted(pages.asked) == ["", "a", "b"]
    pages.pages["a"] = text("b", "c", words=text_of("changed"))
    pages.pages["c"] = text(words=text_of("cc"))
    again = world.build(days=2, source=str(file))
    assert (again.essays, again.work.embedded) == (4, 2)
