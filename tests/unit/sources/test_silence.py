"""Nothing that a source names is left out in silence: it is a document, or it is named with a reason."""

from __future__ import annotations

import pytest

from contextual_rag.errors import PageError
from contextual_rag.ports import Response
from contextual_rag.sources.listing import Listing, read_source
from tests.memory_world import ServedPages

SITE = "http://essays.example/"
ESSAYS = "<li><a href=a>Alpha one</a><li><a href=b>Beta two</a><li><a href=c>Gamma three</a>"
POST = "<item><title>A</title><link>/a</link></item>"
ATOM = 'xmlns="http://www.w3.org/2005/Atom"'
URL = f"<url><loc>{SITE}a</loc></url>"


class Pages(ServedPages):
    """Bytes by their addresses."""

    def __init__(self, **pages: str | bytes) -> None:
        super().__init__()
        self.pages = pages

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Answer one request."""
        body = self.pages.get(url.removeprefix(SITE))
        if body is None:
            raise PageError(f"{url} is not there.")
        return Response(200, body if isinstance(body, bytes) else body.encode(), None, None, None, url)


def read(body: str | bytes, **more: str) -> Listing:
    return read_source(Pages(index=body, **more), f"{SITE}index")


def named(listing: Listing) -> tuple[list[str], set[str]]:
    """What is brought and what is left out, each by its address below the site."""
    assert all(link.reason for link in listing.found.elsewhere)
    return (
        [entry.url.removeprefix(SITE) for entry in listing.found.entries],
        {link.url.removeprefix(SITE) for link in listing.found.elsewhere},
    )


@pytest.mark.parametrize(
    ("page", "left_out"),
    [
        (f"<ul>{ESSAYS}</ul><map><area href=d alt=Delta><area alt=none></map>", {"d"}),
        (f"<nav><a href=https://other.example/x>Other</a></nav><ul>{ESSAYS}</ul>", {"https://other.example/x"}),
        (f"<nav><a href=/x.zip>A file</a><a href=#top>Skip</a></nav><ul>{ESSAYS}</ul>", {"x.zip"}),
        (f"<ul>{ESSAYS}</ul><iframe src=more></iframe><iframe src=about:blank></iframe>", {"more"}),
        (f"<link rel=next href=/page/2><ul>{ESSAYS}</ul>", {"page/2"}),
        (f"<ul>{ESSAYS}</ul><p><a rel='next nofollow' href='?page=2'>&gt;</a></p>", {"index?page=2"}),
        (
            f"<ul>{ESSAYS}<li><a href='http://['>Broken</a><li><a href='mailto:x@y'>Mail</a></ul>",
            {"http://[", "mailto:x@y"},
        ),
        (f"<ul>{ESSAYS}</ul>", set()),
        (f"<link rel=stylesheet href=/s.css><img src=i.png><ul>{ESSAYS}<li><a>Nothing</a></ul>", set()),
    ],
)
def test_of_an_index_page(page: str, left_out: set[str]) -> None:
    assert named(read(page)) == (["a", "b", "c"], left_out)


@pytest.mark.parametrize(
    ("page", "left_out"),
    [
        ("<frameset><frame src=menu><frame src=list></frameset>", {"menu", "list"}),
        ("<ul><li><a href=#one>One</a><li><a href='index#two'>Two</a></ul>", {"#one", "index#two"}),
        ("<map><area href=a><area href=b></map>", {"a", "b"}),
    ],
)
def test_of_a_page_that_brings_nothing(page: str, left_out: set[str]) -> None:
    assert named(read(page)) == ([], left_out)


def test_of_a_page_that_sends_its_readers_to_the_list() -> None:
    moved = "<meta http-equiv=refresh content='0; url=/list'>"
    assert named(read(moved, list=f"<ul>{ESSAYS}</ul>")) == (["a", "b", "c"], set())


@pytest.mark.parametrize(
    ("feed", "left_out"),
    [
        (
            f'<rss><channel><link xmlns="{ATOM[7:-1]}" rel="next" href="/feed?page=2"/>{POST}</channel></rss>',
            {"feed?page=2"},
        ),
        (f'<feed {ATOM}><link rel="prev-archive" href="/2019"/><entry><link href="/a"/></entry></feed>', {"2019"}),
        (f"<rss><channel>{POST}<item><title>B</title><link>/b</li", {"index", "b"}),
        (f"<rss><channel>{POST}<item><title>B", {"index", ""}),
        (f"<rss><channel>{POST}<item><enclosure url='/b.mp3'/></item></channel></rss>", {""}),
        (
            f'<feed {ATOM}><link rel="self" href="/feed"/><entry><link href="/a"/></entry></feed>\n<!-- made today -->',
            set(),
        ),
        (f'<?xml version="1.0" encoding="utf-16"?><rss><channel>{POST}</channel></rss>', set()),
    ],
)
def test_of_a_feed(feed: str, left_out: set[str]) -> None:
    found = read(feed.encode("utf-16") if "utf-16" in feed else feed)
    assert found.kind == "feed"
    brought, others = named(found)
    assert brought[:1] == ["a"]
    assert {*brought[1:], *others} == left_out


@pytest.mark.parametrize(
    ("sitemap", "left_out"),
    [
        (f"<urlset>{URL}<url><lastmod>2020</lastmod></url></urlset>", {"index"}),
        (f"<urlset>{URL}<url><loc> </loc></url></urlset>", {"index"}),
        (f"<urlset>{URL}<loc>{SITE}z</loc><Url><Loc>{SITE}y</Loc></Url></urlset>", {"z", "y"}),
        (f"<urlset>{URL}<url><loc>{SITE}b", {"b", "index"}),
        (f"<urlset>{URL}</url><url><loc>{SITE}b</loc></url>", {"index"}),
        (
            f'<urlset xmlns:x="http://www.w3.org/1999/xhtml"><url><loc>{SITE}a</loc><x:link rel="alternate" '
            f'hreflang="en" href="{SITE}a"/><x:link rel="alternate" hreflang="de" href="{SITE}de/a"/></url></urlset>',
            {"de/a"},
        ),
        (f"<sitemapindex><sitemap/><sitemap><loc>{SITE}one</loc></sitemap></sitemapindex>", {"index"}),
        (f"<sitemapindex><sitemap><loc>{SITE}cut</loc></sitemap></sitemapindex>", {"cut"}),
        (f"<sitemapindex><sitemap><loc>{SITE}one</loc></sitemap>{URL}</sitemapindex>", set()),
        (f"<urlset>{URL}<!-- <url> --></urlset>\n", set()),
        ("<s:urlset xmlns:s='x'><s:url><s:loc>/a</s:loc></s:url></s:urlset >", set()),
    ],
)
def test_of_a_sitemap(sitemap: str, left_out: set[str]) -> None:
    found = read(sitemap, one=f"<urlset>{URL}</urlset>", cut=f"<urlset>{URL}")
    assert found.kind == "sitemap"
    brought, others = named(found)
    assert brought[:1] == ["a"]
    assert {*brought[1:], *others} == left_out


def test_of_a_sitemap_that_is_a_text() -> None:
    found = read(f"\ufeff{SITE}a\r\n{SITE}tag/x\n\nhttps://other.example/b\n")
    assert found.kind == "sitemap"
    assert named(found) == (["a"], {"tag/x", "https://other.example/b"})


@pytest.mark.parametrize("text", ["", f"See {SITE}a", f"{SITE}a and more", "a\nb"])
def test_a_text_with_words_is_no_sitemap(text: str) -> None:
    found = read(text)
    assert (found.kind, found.found.entries) == ("index page", ())
