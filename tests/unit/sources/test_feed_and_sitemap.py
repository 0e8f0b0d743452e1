"""A feed or a sitemap as a source: told by its content, followed like the links of an index page."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from contextual_rag.building.fetch import list_source
from contextual_rag.errors import PageError, PageUnavailableError, SourceError
from contextual_rag.model import Source
from contextual_rag.ports import Response
from contextual_rag.readers.index_page import read_index
from contextual_rag.settings import read_settings
from contextual_rag.sources.listing import Listing, read_source
from contextual_rag.wiring import World
from tests.memory_world import MemoryWorld, ServedPages, text_of
from tests.raising import raising
from tests.servers.faulty_site import FaultySite, page

SITE = "http://essays.example/"
SOURCE = f"{SITE}articles.html"

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
<title>Quay</title><link>http://essays.example/</link><atom:link rel="self" href="http://essays.example/feed"/>
<item><title>Lamps &amp;amp; <![CDATA[<b>piers</b>]]></title><atom:link rel="replies" href="/r"/>
 <link> http://essays.example/2019/lamps?utm_source=rss </link><pubDate>Sat, 02 Mar 2019 23:30:00 +0000</pubDate></item>
<item><title>Weirs</title><guid>http://essays.example/weirs.html</guid><dc:date>2020-05-06T01:02:03Z</dc:date></item>
<item><title>Not a link</title><guid isPermaLink="false">http://essays.example/no</guid></item>
<item><title>Abroad</title><link>http://other.example/abroad</link></item>
<item><title>A file</title><link>http://essays.example/talk.mp3</link></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://essays.example/posts/">
<link href="http://essays.example/"/><title>Quay</title>
<entry><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">On <em>lamps</em></div></title>
<link rel="enclosure" href="lamps.mp3"/><link type="application/json" href="lamps.json"/><link href="lamps"/>
<published>2019-03-02T10:00:00+02:00</published><updated>2023-01-01T00:00:00Z</updated></entry>
<entry><title>Weirs</title><link rel="alternate" type="text/html" href="/weirs"/><updated>2023-01-01T00:00:00Z</updated>
<source><title>Another</title><link href="http://essays.example/another"/></source></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="http://essays.example/"><title>Quay</title>
<link>http://essays.example/</link></channel><item rdf:about="http://essays.example/lamps"><title>Lamps</title>
<link>http://essays.example/lamps</link><dc:date>2019-03-02</dc:date></item></rdf:RDF>"""
URLSET = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"><url><loc>http://essays.example/</loc></url>
<url><loc>
 http://essays.example/lamps </loc><lastmod>2023-01-01</lastmod>
<image:image><image:loc>http://essays.example/lamp</image:loc></image:image></url>
<url><loc>http://essays.example/tag/piers</loc></url><url><loc>http://other.example/abroad</loc></url></urlset>"""
BOMB = '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
SMALL = '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">]>'
FILE = '<!DOCTYPE urlset [<!ENTITY f SYSTEM "file:///etc/hostname">]><urlset><url><loc>http://essays.example/&f;</loc>'


class Pages(ServedPages):
    """Bytes by their addresses."""

    def __init__(self, pages: Mapping[str, str | bytes]) -> None:
        super().__init__()
        self.pages = dict(pages)

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Answer one request; what begins with an exclamation mark is a server that does not answer."""
        self.on_page(url)
        found = self.pages.get(url)
        if found is None:
            raise PageError(f"{url} is not there.", code="page_gone")
        if found == "!":
            raise PageUnavailableError(f"{url} does not answer.")
        body = found.encode() if isinstance(found, str) else found
        return Response(200, body, None, None, None, url, "application/rss+xml" if found == RSS else None)


def read(source: str | bytes, **others: str | bytes) -> Listing:
    return read_source(Pages({SOURCE: source} | {SITE + name: body for name, body in others.items()}), SOURCE)


def brought(listing: Listing) -> list[tuple[str, str, str | None]]:
    return [(entry.url.removeprefix(SITE), entry.title, entry.date) for entry in listing.found.entries]


class TestAFeed:
    def test_of_rss_brings_the_posts_of_its_host_and_names_the_others(self) -> None:
        found = read(RSS)
        assert found.kind == "feed"
        assert brought(found) == [
            ("2019/lamps", "Lamps & piers", "2019-03-02"),
            ("weirs.html", "Weirs", "2020-05-06"),
        ]
        assert {link.title for link in found.found.elsewhere} == {"Not a link", "Abroad", "A file"}

    def test_of_atom_takes_the_page_among_the_links_and_the_day_of_publication(self) -> None:
        assert brought(read(ATOM)) == [("posts/lamps", "On lamps", "2019-03-02"), ("weirs", "Weirs", None)]

    def test_of_rss_1_is_read_too(self) -> None:
        assert brought(read(RDF)) == [("lamps", "Lamps", "2019-03-02")]

    @pytest.mark.parametrize(
        "body",
        [
            f"\n\n{RSS}",
            RSS.replace("Weirs", "Weirs &nbsp; & dams"),
            RSS.encode("utf-8-sig"),
            f"\ufeff\n\n{RSS}",
            RSS.replace("UTF-8", "utf-16").encode("utf-16"),
            RSS.replace("<rss", "<!-- <html> --><?xml-stylesheet href='a.xsl'?><!DOCTYPE rss><rss"),
        ],
        ids=["blank lines", "wrong entities", "a mark", "a mark and blank lines", "UTF-16", "what stands before it"],
    )
    def test_is_read_with_the_usual_mistakes(self, body: str | bytes) -> None:
        assert [url for url, *_ in brought(read(body))] == ["2019/lamps", "weirs.html"]

    @pytest.mark.parametrize(
        "wrong", ["http://[weirs", "//[::1", "http://weirs.example:port/", "http://\u2100.example/"]
    )
    def test_names_what_is_no_address_and_brings_the_others(self, wrong: str) -> None:
        post = RSS.replace("http://essays.example/weirs.html", wrong)
        link = RSS.replace(" http://essays.example/2019/lamps?utm_source=rss ", wrong)
        base = ATOM.replace("<entry>", f'<link rel="next" href="{wrong}"/><entry xml:base="{wrong}">', 1)
        assert [url for url, *_ in brought(read(post))] == ["2019/lamps"]
        assert [url for url, *_ in brought(read(link))] == ["weirs.html"]
        assert wrong in {one.url for one in read(link).found.elsewhere}
        assert [url for url, *_ in brought(read(base))] == ["lamps", "weirs"]

    def test_takes_the_id_of_a_post_without_a_link_if_it_is_an_address(self) -> None:
        feed = "<feed><entry><id>{}</id></entry><entry><link href='/weirs'/></entry></feed>"
        assert [url for url, *_ in brought(read(feed.format(f"{SITE}old")))] == ["old", "weirs"]
        assert [url for url, *_ in brought(read(feed.format("tag:essays.example,2019:1")))] == ["weirs"]

    # rometools/rome#689 and crawler-commons/crawler-commons#258 are of this kind: the address in a feed is not taken
    # as its program wrote it.
    def test_keeps_an_address_whose_ampersand_is_not_escaped(self) -> None:
        feed = RSS.replace("http://essays.example/weirs.html", "http://essays.example/?p=1&b=2&amp;c=3")
        assert [url for url, *_ in brought(read(feed))] == ["2019/lamps", "?p=1&b=2&c=3"]
        packed = RSS.replace("<guid>http://essays.example/weirs.html", f"<guid><![CDATA[{SITE}?p=1&b=2&amp;c]]>")
        assert [url for url, *_ in brought(read(packed))] == ["2019/lamps", "?p=1&b=2&amp;c"]

    def test_takes_the_post_behind_the_link_of_a_service(self) -> None:
        own = f"<feedburner:origLink xmlns:feedburner='f'>{SITE}abroad</feedburner:origLink>"
        feed = RSS.replace("<title>Abroad</title>", f"<title>Abroad</title>{own}")
        assert [url for url, *_ in brought(read(feed))] == ["2019/lamps", "weirs.html", "abroad"]

    @pytest.mark.parametrize(
        ("stamp", "day"),
        [
            ("2019-03-02 10:00", "2019-03-02"),
            ("Sat, 02 Mar 2019 24:00:00 GMT", "2019-03-02"),
            ("2 Mar 2031 10:00:00 EST", "2031-03-02"),
            ("Sun, 31 Feb 2019 10:00:00 GMT", None),
            ("samedi", None),
        ],
    )
    def test_takes_a_day_only_where_it_is_one(self, stamp: str, day: str | None) -> None:
        feed = RSS.replace("Sat, 02 Mar 2019 23:30:00 +0000", stamp)
        assert brought(read(feed))[0] == ("2019/lamps", "Lamps & piers", day)

    def test_of_json_brings_its_posts(self) -> None:
        posts = [
            {"url": f"{SITE}lamps", "title": "Lamps", "date_published": "2019-03-02T10:00:00Z"},
            {"id": f"{SITE}weirs", "author": {"name": "Agnes Quill"}, "external_url": "http://other.example/"},
            {"id": "7", "title": "No link"},
            {"url": "http://other.example/abroad", "title": "Abroad"},
        ]
        found = read(json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": posts}))
        assert found.kind == "feed"
        assert brought(found) == [("lamps", "Lamps", "2019-03-02"), ("weirs", "weirs", None)]
        assert found.found.entries[1].authors == ("Agnes Quill",)
        assert {link.title for link in found.found.elsewhere} == {"No link", "Abroad"}

    @pytest.mark.parametrize(
        "body", ['{"version": "2", "items": []}', '{"a": "https://jsonfeed.org/version/1"}', '{"version": "https://jso']
    )
    def test_of_json_is_never_any_other_json(self, body: str) -> None:
        assert read(body).kind == "index page"

    def test_of_another_host_brings_nothing_and_fails_by_name(self) -> None:
        pages = Pages({SOURCE: RSS.replace("essays.example", "third.example")})
        with raising(SourceError, "source", SOURCE, "third.example"):
            list_source(pages, Source.at(SOURCE))


class TestASitemap:
    def test_brings_the_pages_of_its_host_and_names_the_others(self) -> None:
        found = read(URLSET)
        assert found.kind == "sitemap"
        assert brought(found) == [("lamps", "lamps", None)]
        assert {link.url for link in found.found.elsewhere} == {
            f"{SITE}",
            f"{SITE}tag/piers",
            "http://other.example/abroad",
        }

    def test_of_sitemaps_is_followed_and_what_cannot_be_read_is_named(self) -> None:
        def index(*names: str) -> str:
            listed = "".join(f"<sitemap><loc>{SITE}{name}</loc></sitemap>" for name in names)
            return f"<sitemapindex>{listed}</sitemapindex>"

        found = read(
            index("one", "gone", "deep", "page", "bomb", "two"),
            one=URLSET,
            two=URLSET.replace("lamps", "weirs"),
            deep=index("below"),
            below=URLSET.replace("lamps", "below"),
            page="<html><body><a href=/x>x</a>",
            bomb=FILE,
        )
        assert [url for url, *_ in brought(found)] == ["lamps", "weirs", "below"]
        named = {link.url.removeprefix(SITE) for link in found.found.elsewhere}
        assert {"gone", "page", "bomb"} <= named

    def test_may_be_packed_or_a_text_and_is_asked_for_once(self) -> None:
        asked: list[str] = []
        pages = Pages({SITE + "text": f"{SITE}weirs\n{SITE}dams\n", SITE + "packed": gzip.compress(URLSET.encode())})
        listed = "".join(f"<sitemap><loc>{SITE}{name}</loc></sitemap>" for name in ("packed", "text", "deep", "packed"))
        pages.pages[SITE + "deep"] = f"<sitemapindex>{listed}</sitemapindex>"
        pages.pages[SOURCE] = gzip.compress(pages.pages[SITE + "deep"].encode())  # type: ignore[union-attr]
        pages.on_page = asked.append
        assert [url for url, *_ in brought(read_source(pages, SOURCE))] == ["lamps", "weirs", "dams"]
        assert len(asked) == len(set(asked))
        assert [url for url, *_ in brought(read(gzip.compress(f"{SITE}weirs\n".encode())))] == ["weirs"]

    @pytest.mark.parametrize("wrong", [b"\x1f\x8bnot packed", gzip.compress(bytes(52_428_801), 1)])
    def test_that_unpacks_to_too_much_or_to_nothing_is_named(self, wrong: bytes) -> None:
        with raising(SourceError, "source"):
            read(wrong)
        index = f"<sitemapindex><sitemap><loc>{SITE}one</loc></sitemap></sitemapindex>"
        assert [link.url for link in read(index, one=wrong).found.elsewhere] == [f"{SITE}one"]

    def test_of_sitemaps_waits_for_one_that_does_not_answer(self) -> None:
        with raising(PageUnavailableError, "page_unavailable"):
            read(f"<sitemapindex><sitemap><loc>{SITE}one</loc></sitemap></sitemapindex>", one="!")

    def test_of_very_many_sitemaps_asks_for_some_and_names_the_rest(self) -> None:
        asked: list[str] = []
        pages = Pages({SITE + str(n): "<urlset/>" for n in range(80)})
        pages.pages[SOURCE] = "".join(
            ["<sitemapindex>", *(f"<sitemap><loc>{SITE}{n}</loc></sitemap>" for n in range(80)), "</sitemapindex>"]
        )
        pages.on_page = asked.append
        assert len(read_source(pages, SOURCE).found.elsewhere) == 30
        assert len(asked) == 51


class TestWhatAnAttackerWrites:
    @pytest.mark.parametrize(
        "body", [f"{BOMB}]><rss><channel><title>&j;</title></channel></rss>", FILE, f'{SMALL}<rss a="&a;"/>']
    )
    def test_is_refused_by_name(self, body: str) -> None:
        with raising(SourceError, "source_entities"):
            read(body)

    def test_brings_nothing_where_it_would_grow_before_anything_is_read(self) -> None:
        assert brought(read(f'{BOMB}]><rss a="&j;"><channel><item><link>{SITE}a</link></item></channel></rss>')) == []

    def test_is_refused_by_its_size(self) -> None:
        with FaultySite() as site:
            site.routes["/map.xml"] = page(f"<urlset>{' ' * 5000}</urlset>".encode(), "application/xml")
            with (
                World(read_settings(max_page_bytes=1000)).site(site.url("/map.xml")) as client,
                raising(SourceError, "source", "/map.xml", "1000", "RAG_MAX_PAGE_BYTES"),
            ):
                read_source(client, site.url("/map.xml"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        *((kind, RSS.encode()) for kind in ("application/rss+xml", "application/atom+xml", "text/xml", "text/plain")),
        ("application/feed+json", b'{"version": "https://jsonfeed.org/version/1", "items": []}'),
        ("application/x-gzip", gzip.compress(RSS.encode())),
    ],
)
def test_a_feed_is_one_whatever_its_server_calls_it(kind: str, body: bytes) -> None:
    with FaultySite() as site:
        site.routes["/feed"] = page(body, kind)
        with World(read_settings()).site(site.url("/feed")) as client:
            assert read_source(client, site.url("/feed")).kind == "feed"


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE html><html><body><ul><li><a href=lamps>Lamps</a></ul></body></html>",
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><ul><li><a href="lamps">Lamps</a></li></ul>'
        "<pre><rss/></pre></html>",
        '<!DOCTYPE html [<!ENTITY nbsp "&#160;">]><html><ul><li><a href="lamps">Lamps</a></li></ul></html>',
        "<ul><li><a href=lamps>Lamps</a></ul><rss></rss><urlset></urlset>",
        "Feeds: <rss> <feed> <ul><li><a href=lamps>Lamps</a></ul>",
        "<!-- <rss version='2.0'> --><ul><li><a href=lamps>Lamps</a></ul>",
        "",
    ],
)
def test_an_index_page_is_never_taken_for_a_feed(body: str) -> None:
    found = read(body)
    assert found.kind == "index page"
    assert found.found == read_index(body.encode(), SOURCE)


class TestABuild:
    def world(self, folder: Path, source: str, **pages: str) -> MemoryWorld:
        world = MemoryWorld(folder, max_failed_share=1)
        world.sites[SOURCE] = Pages({SOURCE: source} | {SITE + name: body for name, body in pages.items()})
        return world

    def test_dates_a_page_as_its_feed_does_only_if_the_page_says_nothing(self, tmp_path: Path) -> None:
        feed = ATOM.replace("/weirs", "weirs").replace(
            "</entry></feed>", "<published>2021-01-02</published></entry></feed>"
        )
        feed = feed.replace("posts/", "")
        world = self.world(
            tmp_path,
            feed,
            lamps=f"<article><p>{text_of('lamps')}</p></article>",
            weirs=f"<h1>Own name</h1><time pubdate datetime=2018-07-06>6 July 2018</time><p>{text_of('weirs')}</p>",
        )
        built = world.build()
        assert built.failed == ()
        index = world.indexes.open(world.registry.resolve(built.version))
        dates = {slug: index.essay(slug)[0].date for slug in index.essays}
        assert dates["lamps"] == "2019-03-02"
        assert "2018" in (dates["weirs"] or "")
        assert index.essays["lamps"] == "On lamps"
        again = world.build(days=1)
        assert (again.version, again.work.model_calls) == (built.version, 0)

    def test_never_takes_a_feed_for_a_document(self, tmp_path: Path) -> None:
        listed = URLSET.replace("<url>", f"<url><loc>{SITE}posts</loc></url><url>", 1)
        world = self.world(tmp_path, listed, lamps=f"<h1>Lamps</h1><p>{text_of('lamps')}</p>", posts=RSS)
        built = world.build()
        assert [failure.slug for failure in built.failed] == ["posts"]
        assert built.essays == 1

    def test_of_a_sitemap_takes_titles_from_the_pages(self, tmp_path: Path) -> None:
        world = self.world(tmp_path, URLSET, lamps=f"<h1>On the lamps</h1><p>{text_of('lamps')}</p>")
        built = world.build()
        assert dict(world.indexes.open(world.registry.resolve(built.version)).essays) == {"lamps": "On the lamps"}
        assert {link.url for link in built.elsewhere} >= {f"{SITE}tag/piers"}
