"""The client is polite, stays on its site, ends in time, and raises only our own errors."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from contextual_rag.adapters.addresses import is_allowed_address
from contextual_rag.adapters.http import Site, retry_after_seconds
from contextual_rag.errors import PageError, PageUnavailableError, RagError, SettingError
from tests.raising import raising
from tests.servers.faulty_site import (
    FaultySite,
    Reply,
    Wire,
    drip,
    endless,
    gzip_bomb,
    moved,
    page,
    raw,
    sequence,
    silent,
    status,
)

Follow = Callable[..., Site]
SECRET = b"words of the body"


@pytest.fixture
def server() -> Iterator[FaultySite]:
    with FaultySite() as running:
        yield running


@pytest.fixture
def other() -> Iterator[FaultySite]:
    with FaultySite() as running:
        yield running


@pytest.fixture
def follow(server: FaultySite) -> Iterator[Follow]:
    """Open clients with short waits."""
    opened: list[Site] = []

    def open_site(source_url: str = server.url(), **settings: object) -> Site:
        quick = {
            "user_agent": "essay-tests/1.0 (+https://example.org/bot)",
            "timeout_s": 2,
            "deadline_s": 2,
            "min_interval_s": 0,
            "backoff_s": 0.01,
        }
        opened.append(Site(source_url, **(quick | settings)))  # type: ignore[arg-type]
        return opened[-1]

    yield open_site
    for site in opened:
        site.close()


class TestAPage:
    def test_comes_with_its_bytes_its_declared_charset_and_its_validators(
        self, server: FaultySite, follow: Follow
    ) -> None:
        server.routes["/a.html"] = page(
            b"caf\xe9", 'Text/HTML; Charset="Windows-1252"', ETag='"v1"', Last_Modified="Mon, 05 Jan 2026 00:00:00 GMT"
        )
        found = follow().get(server.url("/a.html#note1"))
        assert found == (
            200,
            b"caf\xe9",
            "Windows-1252",
            '"v1"',
            "Mon, 05 Jan 2026 00:00:00 GMT",
            server.url("/a.html"),
            "text/html",
        )

    @pytest.mark.parametrize("content_type", ["text/html", "text/plain", None])
    def test_has_no_charset_unless_one_is_declared(
        self, server: FaultySite, follow: Follow, content_type: str | None
    ) -> None:
        server.routes["/a.html"] = page(SECRET, content_type)
        assert follow().get(server.url("/a.html")).charset is None

    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            pytest.param(gzip.compress(SECRET) + b"\r\n<!-- cache 7 -->", {"Content_Encoding": "gzip"}, id="trailer"),
            pytest.param(
                gzip.compress(SECRET[:9]) + gzip.compress(SECRET[9:]), {"Content_Encoding": "gzip"}, id="members"
            ),
            pytest.param(gzip.compress(gzip.compress(SECRET)), {"Content_Encoding": "gzip, gzip"}, id="twice"),
            pytest.param(zlib.compress(SECRET), {"Content_Encoding": "deflate"}, id="deflate"),
            pytest.param(zlib.compress(SECRET)[2:-4], {"Content_Encoding": "Deflate"}, id="raw deflate"),
            pytest.param(SECRET, {"Content_Encoding": "UTF-8"}, id="a charset"),
            pytest.param(SECRET, {"Content_Encoding": "none"}, id="none"),
            pytest.param(SECRET, {"Content_Encoding": "identity, "}, id="identity"),
            pytest.param(SECRET, {"code": "203 Non-Authoritative"}, id="203"),
            pytest.param(SECRET, {"content_type": "text/html, text/html; charset=utf-8"}, id="two types"),
            pytest.param(SECRET, {"content_type": "application/xhtml+xml; charset=utf-8"}, id="XHTML"),
            pytest.param(SECRET, {"content_type": "unknown/unknown"}, id="no known type"),
            pytest.param(SECRET, {"content_type": "html"}, id="no type"),
        ],
    )
    def test_is_taken_where_browsers_take_it(
        self, server: FaultySite, follow: Follow, body: bytes, headers: dict[str, str]
    ) -> None:
        server.routes["/a.html"] = page(body, **headers)
        assert follow().get(server.url("/a.html")).body == SECRET

    def test_that_says_that_it_is_packed_and_is_not_is_taken_as_it_is(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = page(b"<p>An essay.", Content_Encoding="gzip")
        assert follow().get(server.url("/a.html")).body == b"<p>An essay."

    def test_is_requested_with_our_user_agent_and_without_cookies(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = page(Set_Cookie="who=me")
        site = follow()
        site.get(server.url("/a.html"))
        site.get(server.url("/a.html"))
        asked = server.seen[-1].headers
        assert asked["user-agent"].startswith("essay-tests/1.0")
        assert asked["host"] == f"127.0.0.1:{server.port}"
        assert "cookie" not in asked

    def test_is_decompressed_even_from_several_gzip_members(self, server: FaultySite, follow: Follow) -> None:
        body = gzip.compress(b"one ") + gzip.compress(b"two")
        server.routes["/a.html"] = page(body, Content_Encoding="gzip")
        assert follow().get(server.url("/a.html")).body == b"one two"

    def test_is_fetched_directly_despite_a_proxy_in_the_environment(
        self, server: FaultySite, follow: Follow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        server.routes["/a.html"] = page()
        assert follow().get(server.url("/a.html")).status == 200

    def test_reuses_a_connection_after_a_304(self, server: FaultySite, follow: Follow) -> None:
        answer = b"HTTP/1.1 304 Not Modified\r\n\r\n"
        connections: list[int] = []

        def twice(wire: Wire) -> None:
            connections.append(1)
            wire.send(answer)
            wire.receive_request()
            wire.send(answer)

        server.routes["/a.html"] = twice
        site = follow()
        assert [site.get(server.url("/a.html"), etag='"v1"').status for _ in range(2)] == [304, 304]
        assert len(connections) == 1


class TestAKnownPage:
    def test_is_requested_conditionally_and_keeps_its_validators(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = status(304, ETag='"v2"')
        found = follow().get(server.url("/a.html"), etag='"v1"', last_modified="Mon, 05 Jan 2026 00:00:00 GMT")
        assert server.seen[-1].headers["if-none-match"] == '"v1"'
        assert server.seen[-1].headers["if-modified-since"] == "Mon, 05 Jan 2026 00:00:00 GMT"
        assert found[:5] == (304, b"", None, '"v2"', "Mon, 05 Jan 2026 00:00:00 GMT")

    def test_returns_a_non_ascii_etag_unchanged(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = page(ETag='"\xe9dition"')
        site = follow()
        site.get(server.url("/a.html"), etag=site.get(server.url("/a.html")).etag)
        assert server.seen[-1].headers["if-none-match"] == '"\xe9dition"'

    @pytest.mark.parametrize("etag", ['"a\r\nX: y"', '"\u201c"', "\x00", " "])
    def test_is_requested_without_an_invalid_validator(self, server: FaultySite, follow: Follow, etag: str) -> None:
        server.routes["/a.html"] = page()
        assert follow().get(server.url("/a.html"), etag=etag).status == 200
        assert "if-none-match" not in server.seen[-1].headers

    def test_cannot_be_unchanged_without_a_validator(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = status(304)
        with raising(PageError, "page", "304"):
            follow().get(server.url("/a.html"))


class TestTrouble:
    @pytest.mark.parametrize("failure", [status(500), status(503), status(429), status(408), raw(b""), Wire.cut])
    def test_that_is_temporary_is_overcome(self, server: FaultySite, follow: Follow, failure: Reply) -> None:
        server.routes["/a.html"] = sequence(failure, failure, page())
        assert follow().get(server.url("/a.html")).status == 200
        assert server.paths() == ["/a.html"] * 3

    def test_that_is_permanent_makes_the_page_unavailable_after_the_last_attempt(
        self, server: FaultySite, follow: Follow
    ) -> None:
        server.routes["/a.html"] = page(SECRET, code="500 Oh")
        with raising(PageUnavailableError, "page_unavailable", "/a.html", "500"):
            follow(attempts=2).get(server.url("/a.html"))
        assert server.paths() == ["/a.html"] * 2

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451, 204, 206, 300])
    def test_that_a_retry_cannot_help_is_not_retried(self, server: FaultySite, follow: Follow, code: int) -> None:
        server.routes["/a.html"] = status(code)
        with raising(PageError, "page_gone" if code in {404, 410} else "page", "/a.html", code):
            follow().get(server.url("/a.html"))
        assert server.paths() == ["/a.html"]

    def test_waits_as_long_as_the_site_asks(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = sequence(status(429, Retry_After="1"), page())
        follow().get(server.url("/a.html"))
        first, second = (seen.at for seen in server.seen[-2:])
        assert 1 <= second - first < 2

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            ("7", 7),
            ("3600", 30),
            ("9" * 5000, 30),
            # Named, because parallel workers must agree on the names of the tests.
            pytest.param(format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True), 30, id="tomorrow"),
            ("Mon, 05 Jan 2015 00:00:00 GMT", 0),
            ("Mon, 05 Jan 2015 00:00:00 -0000", 0),
            *((nonsense, 0) for nonsense in ("", "soon", "-1", "1.5", "nan", "²", "Mon, 99 Jan 99999 99:99:99 +9999")),
        ],
    )
    def test_is_waited_for_up_to_thirty_seconds(self, value: str, seconds: float) -> None:
        assert retry_after_seconds(value) == seconds


class TestLimits:
    def test_a_declared_size_is_refused_before_the_body_is_read(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = silent(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n")
        with raising(PageError, "page_too_large", 10_000_000):
            follow().get(server.url("/a.html"))

    def test_a_large_body_without_a_size_is_read_no_further_than_the_limit(
        self, server: FaultySite, follow: Follow
    ) -> None:
        server.routes["/a.html"] = raw(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(20_000_000))
        with raising(PageError, "page_too_large", "/a.html"):
            follow(max_bytes=100_000).get(server.url("/a.html"))

    def test_an_endless_body_ends(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = endless()
        with raising(PageError, "page_too_large", "/a.html"):
            follow(max_bytes=1_000_000).get(server.url("/a.html"))

    def test_a_gzip_bomb_is_never_held_in_memory(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = gzip_bomb(100_000_000)
        site = follow(max_bytes=1_000_000)
        tracemalloc.start()
        try:
            with raising(PageError, "page_too_large", 1_000_000):
                site.get(server.url("/a.html"))
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()

    def test_a_page_of_exactly_the_limit_is_taken(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = page(b"x" * 1000)
        server.routes["/b.html"] = page(gzip.compress(b"x" * 1000), Content_Encoding="gzip")
        site = follow(max_bytes=1000)
        assert [len(site.get(server.url(path)).body) for path in ("/a.html", "/b.html")] == [1000, 1000]

    def test_a_file_has_a_limit_of_its_own(self, server: FaultySite, follow: Follow) -> None:
        kinds = ["application/pdf", "text/html"]
        for n, (kind, size) in enumerate([(kinds[0], 2000), (kinds[0], 2001), (kinds[1], 2000)]):
            server.routes[f"/{n}"] = page(b"x" * size, Content_Type=kind)
        site = follow(max_bytes=1000, max_file_bytes=2000, media_types=kinds, file_types=kinds[:1])
        assert (site.get(server.url("/0")).media_type, len(site.get(server.url("/0")).body)) == (kinds[0], 2000)
        for path in ("/1", "/2"):
            with raising(PageError, "page_too_large", path):
                site.get(server.url(path))

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-Slow: ",
            b"",
        ],
        ids=["body", "headers", "status line"],
    )
    def test_a_slow_drip_ends_at_the_deadline(self, server: FaultySite, follow: Follow, head: bytes) -> None:
        server.routes["/a.html"] = drip(head)
        began = time.monotonic()
        with raising(PageUnavailableError, "page_unavailable_timeout", "/a.html"):
            follow(deadline_s=0.3, attempts=1).get(server.url("/a.html"))
        assert time.monotonic() - began < 1.5

    def test_silence_ends_at_the_timeout(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = silent()
        with raising(PageUnavailableError, "page_unavailable_timeout", "/a.html"):
            follow(timeout_s=0.1, attempts=2).get(server.url("/a.html"))


class TestPoliteness:
    def test_never_more_than_two_requests_at_once(self, server: FaultySite, follow: Follow) -> None:
        together, places, thirds = threading.Barrier(2), threading.Semaphore(2), []

        def in_pairs(wire: Wire) -> None:
            if not places.acquire(blocking=False):
                thirds.append(wire)
            together.wait(timeout=5)
            wire.pause(0.1)  # long enough for a third to show itself
            places.release()
            page()(wire)

        server.routes["/a.html"] = in_pairs
        site = follow(timeout_s=5, deadline_s=5)
        with ThreadPoolExecutor(6) as threads:
            found = list(threads.map(lambda _: site.get(server.url("/a.html")).status, range(6)))
        assert (found, thirds) == ([200] * 6, [])

    def test_requests_begin_an_interval_apart_even_from_two_threads(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = page()
        site = follow(min_interval_s=0.1)
        begun = time.monotonic()  # and not when the server saw the first, which may have been kept waiting
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: site.get(server.url("/a.html")), range(5)))
        assert len(server.seen) == 6
        assert max(seen.at for seen in server.seen) - begun >= 0.1 * 5

    def test_a_crawl_delay_is_kept(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/robots.txt"] = page(b"User-agent: *\nCrawl-delay: 0.3", "text/plain")
        server.routes["/a.html"] = page()
        site = follow()
        begun = time.monotonic()
        site.get(server.url("/a.html"))
        site.get(server.url("/a.html"))
        assert server.seen[-1].at - begun >= 0.3

    def test_what_robots_txt_disallows_is_not_asked_for(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/robots.txt"] = page(b"User-agent: essay-tests\nDisallow: /private/", "application/octet-stream")
        server.routes["/a.html"] = page()
        site = follow()
        assert site.get(server.url("/a.html")).status == 200
        with raising(PageError, "page_disallowed", "/private/a.html", "essay-tests"):
            site.get(server.url("/private/a.html"))
        assert server.paths() == ["/a.html"]

    def test_robots_txt_is_asked_for_once(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = page()
        site = follow()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: site.get(server.url("/a.html")), range(8)))
        assert [seen.path for seen in server.seen].count("/robots.txt") == 1

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
    def test_a_site_without_robots_txt_allows_everything(self, server: FaultySite, follow: Follow, code: int) -> None:
        server.routes |= {"/robots.txt": page(b"User-agent: *\nDisallow: /", code=f"{code} No"), "/a.html": page()}
        assert follow().get(server.url("/a.html")).status == 200

    @pytest.mark.parametrize("failure", [status(500), status(503), status(429), Wire.cut, raw(b"no HTTP")])
    def test_a_site_whose_robots_txt_fails_allows_nothing(
        self, server: FaultySite, follow: Follow, failure: Reply
    ) -> None:
        server.routes |= {"/robots.txt": failure, "/a.html": page()}
        site = follow(attempts=2)
        for _ in range(2):
            with raising(PageUnavailableError, "page_unavailable_robots", "/a.html"):
                site.get(server.url("/a.html"))
        assert [seen.path for seen in server.seen] == ["/robots.txt"] * 2

    @pytest.mark.parametrize("rules", [b"\xff\xfe\x00", b"User-agent: *\nDisallow: //[\nCrawl-delay: nan", b"<html>"])
    def test_a_robots_txt_that_makes_no_sense_does_no_harm(
        self, server: FaultySite, follow: Follow, rules: bytes
    ) -> None:
        server.routes |= {"/robots.txt": page(rules), "/a.html": page()}
        assert follow().get(server.url("/a.html")).status == 200

    def test_robots_txt_may_be_elsewhere_on_the_site(self, server: FaultySite, follow: Follow) -> None:
        server.routes |= {"/robots.txt": moved("/r.txt"), "/r.txt": page(b"User-agent: *\nDisallow: /")}
        with raising(PageError, "page_disallowed"):
            follow().get(server.url("/a.html"))


class TestRedirects:
    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    def test_are_followed_on_the_site(self, server: FaultySite, follow: Follow, code: int) -> None:
        server.routes |= {"/old.html": moved("new/a.html", code), "/new/a.html": page(b"here")}
        found = follow().get(server.url("/old.html"))
        assert (found.body, found.url) == (b"here", server.url("/new/a.html"))

    def test_are_followed_five_times_and_no_more(self, server: FaultySite, follow: Follow) -> None:
        server.routes |= {f"/{n}": moved(f"/{n + 1}") for n in range(6)} | {"/6": page()}
        assert follow().get(server.url("/1")).status == 200
        with raising(PageError, "page_redirects"):
            follow().get(server.url("/0"))

    def test_in_a_loop_end(self, server: FaultySite, follow: Follow) -> None:
        server.routes["/a.html"] = moved("/a.html")
        with raising(PageError, "page_redirects"):
            follow().get(server.url("/a.html"))

    def test_obey_robots_txt_at_every_hop(self, server: FaultySite, follow: Follow) -> None:
        server.routes |= {"/robots.txt": page(b"User-agent: *\nDisallow: /no"), "/a.html": moved("/no/b.html")}
        with raising(PageError, "page_disallowed"):
            follow().get(server.url("/a.html"))
        assert server.paths() == ["/a.html"]

    def test_to_another_port_of_the_same_private_host_are_refused_unasked(
        self, server: FaultySite, other: FaultySite, follow: Follow
    ) -> None:
        server.routes["/a.html"] = moved(other.url("/secret"))
        with raising(PageError, "page_foreign", "/a.html", f"127.0.0.1:{other.port}", "RAG_SOURCE_HOSTS"):
            follow().get(server.url("/a.html"))
        assert not other.seen

    def test_to_an_extra_host_are_followed_under_its_own_robots_txt(
        self, server: FaultySite, other: FaultySite, follow: Follow
    ) -> None:
        server.routes["/a.html"] = moved(other.url("/b.html"))
        other.routes["/b.html"] = page(b"there")
        site = follow(extra_hosts=(f"127.0.0.1:{other.port}",))
        assert site.get(server.url("/a.html")).body == b"there"
        assert [seen.path for seen in other.seen] == ["/robots.txt", "/b.html"]

    @pytest.mark.parametrize(
        "location",
        [
            "http://127.0.0.2/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
            "http://localhost/",
            "//example.com/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://me:secret@127.0.0.1/",
            "http://[::1",
            "http://a..b/",
            "http://127.0.0.1:99999/",
            "",
            "/" + "long" * 5000,
            "http://\u00e9\u00e9/",
        ],
    )
    def test_to_anywhere_else_are_refused(self, server: FaultySite, follow: Follow, location: str) -> None:
        server.routes["/a.html"] = moved(location)
        with pytest.raises(PageError) as refusal:
            follow().get(server.url("/a.html"))
        assert refusal.value.code in {"page", "page_foreign"}
        assert "/a.html" in str(refusal.value)
        assert server.paths() == ["/a.html"]
        assert "secret" not in str(refusal.value)
        assert len(str(refusal.value)) < 1000


class TestHosts:
    @pytest.mark.parametrize(
        ("source_url", "url"),
        [
            ("http://example.com/", "http://example.org/"),
            ("http://example.com/", "http://sub.example.com/"),
            ("http://example.com/", "http://example.com:8080/"),
            ("https://example.com/", "http://example.com/"),
            ("http://example.com:8080/", "https://example.com/"),
            ("http://127.0.0.1/", "https://127.0.0.1/"),
            ("http://localhost/", "http://www.localhost/"),
            ("http://localhost/", "http://127.0.0.1/"),
        ],
    )
    def test_that_are_not_the_site_are_refused(self, follow: Follow, source_url: str, url: str) -> None:
        with raising(PageError, "page_foreign", url):
            follow(source_url).get(url)

    @pytest.mark.parametrize("literal", ["127.0.0.1", "localhost"])
    def test_named_literally_by_the_operator_may_be_private(
        self, server: FaultySite, follow: Follow, literal: str
    ) -> None:
        server.routes["/a.html"] = page()
        url = f"http://{literal}:{server.port}/a.html"
        assert follow(url).get(url).status == 200

    @pytest.mark.parametrize("literal", ["127.0.0.1", "localhost", "2130706433"])
    def test_named_literally_by_somebody_else_are_public_or_configured(
        self, server: FaultySite, follow: Follow, literal: str
    ) -> None:
        server.routes["/a.html"] = page()
        url = f"http://{literal}:{server.port}/a.html"
        with raising(PageError, "page_private", "RAG_SOURCE_HOSTS"):
            follow(url, private_source=False).get(url)
        assert not server.seen
        assert follow(url, private_source=False, extra_hosts=(f"{literal}:{server.port}",)).get(url).status == 200

    def test_whose_name_leads_to_a_private_address_are_not_connected_to(
        self, server: FaultySite, follow: Follow
    ) -> None:
        # The resolver knows this name for 127.0.0.1, as it would after DNS rebinding; it is no literal address to us.
        url = f"http://0x7f000001:{server.port}/a.html"
        server.routes["/a.html"] = page()
        with raising(PageError, "page_private", "0x7f000001", "127.0.0.1"):
            follow(url).get(url)
        assert not server.seen
        assert follow(url, extra_hosts=(f"0x7f000001:{server.port}",)).get(url).status == 200

    @pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0/"])
    def test_that_are_link_local_or_nowhere_are_refused_even_when_configured(self, follow: Follow, url: str) -> None:
        with raising(PageError, "page_private"):
            follow(url, extra_hosts=(url,)).get(url)

    @pytest.mark.parametrize(
        "setting",
        [
            {"source_url": "ftp://example.com/"},
            {"source_url": "essays"},
            {"source_url": "http://me:secret@example.com/"},
            {"extra_hosts": ("[::1",)},
            {"user_agent": "two\r\nlines"},
            {"user_agent": ""},
        ],
    )
    def test_that_cannot_be_are_a_matter_of_settings(self, follow: Follow, setting: dict[str, object]) -> None:
        with raising(SettingError, "setting") as refusal:
            follow(**setting)
        assert "secret" not in str(refusal.value)


class TestAddresses:
    @pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
    def test_that_are_public_are_allowed(self, address: str) -> None:
        assert is_allowed_address(address, configured=False)

    @pytest.mark.parametrize(
        "address",
        [
            *(
                "127.0.0.1",
                "127.8.8.8",
                "10.0.0.1",
                "172.16.0.1",
                "192.168.1.1",
                "100.64.0.1",
                "192.0.2.1",
                "240.0.0.1",
            ),
            *(
                "::1",
                "fd00::1",
                "2001:db8::1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "2002:7f00:1::",
                "64:ff9b::7f00:1",
            ),
        ],
    )
    def test_that_are_private_are_allowed_only_if_configured(self, address: str) -> None:
        assert not is_allowed_address(address, configured=False)
        assert is_allowed_address(address, configured=True)

    @pytest.mark.parametrize(
        "address",
        [
            *("169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "2002:a9fe:a9fe::"),
            *("64:ff9b::a9fe:a9fe", "0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1"),
        ],
    )
    def test_that_are_link_local_or_reach_many_are_never_allowed(self, address: str) -> None:
        assert not is_allowed_address(address, configured=True)


class TestNothingForeignLeaks:
    """Whatever a server sends and whatever is asked for, only our errors come out, and no word of a body in them."""

    @pytest.mark.parametrize(
        "reply",
        {
            "not HTTP": raw(SECRET + b"\r\n\r\n"),
            "nothing": raw(b""),
            "reset": Wire.cut,
            "cut headers": raw(b"HTTP/1.1 200 OK\r\nContent-Ty"),
            "cut body": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + SECRET),
            "cut chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + SECRET),
            "bad chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + SECRET),
            "header without colon": raw(b"HTTP/1.1 200 OK\r\n" + SECRET + b"\r\n\r\n"),
            "header with NUL": raw(b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n"),
            "headers too long": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
            "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
            "length no number": raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + SECRET),
            "length too long": raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n" + SECRET),
            "status no number": raw(b"HTTP/1.1 abc OK\r\n\r\n" + SECRET),
            "status 999": raw(b"HTTP/1.1 999 Oh\r\n\r\n" + SECRET),
            "switching protocols": raw(b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + SECRET),
            "bad gzip": page(SECRET, Content_Encoding="gzip"),
            "cut gzip": page(gzip.compress(SECRET * 100)[:-9], Content_Encoding="gzip"),
            "unknown encoding": page(SECRET, Content_Encoding="br"),
            "image": page(SECRET, "image/png"),
            "type of junk": page(SECRET, "a/\xff;;;=" + "x" * 5000),
            "server error": page(SECRET, code="500 Oh"),
            "client error": page(SECRET, code="418 Oh"),
            "redirect of junk": moved("http://[\xff::" + "x" * 5000),
            "redirect nowhere": status(301),
        }.items(),
        ids=lambda item: item[0],
    )
    def test_from_what_a_server_sends(self, server: FaultySite, follow: Follow, reply: tuple[str, Reply]) -> None:
        server.routes["/a.html"] = reply[1]
        with pytest.raises(RagError) as caught:
            follow(attempts=2, timeout_s=0.5).get(server.url("/a.html"))
        assert type(caught.value) in {PageError, PageUnavailableError}
        assert "/a.html" in str(caught.value)
        assert SECRET.decode() not in str(caught.value)
        assert len(str(caught.value)) < 1000

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "a.html",
            "//example.com/",
            "http://",
            "http:///a",
            "http://[::1",
            "http://exa mple/",
            "http://a..b/",
            "http://" + "a" * 70 + ".org/",
            "http://\u200b/",
            "http://x\x00y/",
            "http://127.0.0.1:port/",
            "http://127.0.0.1:99999/",
            "https://xn--/",
            "\ud800",
            "http://127.0.0.1/\ud800",
            "http://user:" + SECRET.decode() + "@127.0.0.1/",
            "file:///etc/passwd",
            "data:text/html,hello",
        ],
    )
    def test_from_what_is_asked_for(self, follow: Follow, url: str) -> None:
        with pytest.raises(PageError) as caught:
            follow().get(url)
        assert SECRET.decode() not in str(caught.value)
        str(caught.value).encode("ascii", "strict")

    @pytest.mark.parametrize("path", ["/caf\u00e9 \u201cx\u201d.html", "/%zz%", "/a\\b", "/?q=[]{}|^`", "/;a,b"])
    def test_from_odd_but_possible_paths(self, server: FaultySite, follow: Follow, path: str) -> None:
        with raising(PageError, "page_gone"):
            follow().get(server.url(path))

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_when_nobody_listens_or_speaks_tls(self, server: FaultySite, follow: Follow, scheme: str) -> None:
        with FaultySite() as closed:
            port = closed.port
        port = server.port if scheme == "https" else port
        url = f"{scheme}://127.0.0.1:{port}/a.html"
        with raising(PageUnavailableError, "page_unavailable_connection", url):
            follow(url, attempts=2).get(url)

    @pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 63 + ".invalid"])
    def test_when_a_name_is_unknown(self, follow: Follow, host: str) -> None:
        with raising(PageUnavailableError, "page_unavailable_connection", host):
            follow(f"http://{host}/", attempts=1).get(f"http://{host}/")
