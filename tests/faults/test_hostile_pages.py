"""A site with hostile pages: the build ends, names each page that it refused, and publishes the others."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest

from bench.linear import seconds
from contextual_rag.adapters.http import Site
from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Entry, Source
from contextual_rag.pipeline.chunks import split
from contextual_rag.pipeline.contexts import structural
from contextual_rag.pipeline.words import tokenise
from contextual_rag.qa.answer import answer
from contextual_rag.readers.html import parse_document
from contextual_rag.recipe import Recipe
from tests.faults.small_site import QUESTION, SLUGS, essay_page, index_page, index_url
from tests.memory_world import MemoryWorld
from tests.servers.faulty_site import FaultySite, Reply, drip, gzip_bomb, moved, page, raw
from tests.small_world import WordCounts

LIMIT = 400_000
MOST = 60
NOISE_S = 0.004
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def _of(unit: bytes, size: int = 20_000, *, before: bytes = b"", after: bytes = b"") -> bytes:
    return before + unit * (size // len(unit)) + after


# Pages that are read, each hard in another way.
READ: dict[str, bytes] = {
    "marks": _of(b"#", before=b"<p># a", after=b"b"),
    "run": _of(b"a", 60_000),
    "nested": _of(b"<b>", 300_000, after=b"deep down"),
    "attribute": _of(b"a", LIMIT - 100, before=b'<p title="', after=b'">some words'),
    "headings": _of(b"<h2>The bell of it</h2>"),
    "mixed": "<p>naïve café ".encode() * 1000 + "<p>naïve café ".encode("cp1252") * 900 + b"\xff\x81" * 50,
    "paragraphs": _of(b"<p>w"),
    "breaks": _of(b"w<br>"),
    "rows": _of(b"<tr><td>1<td>two", before=b"<table>"),
    "marked": _of("e\u0301\u0316\u0323".encode(), before=b"<p>word "),
    "turned": _of("\u202e\u2066a ".encode(), before=b"<p>word "),
    "title": _of(b"Alma ", LIMIT - 100, before=b"<title>", after=b"</title><p>some words"),
    "laughs": b'<!DOCTYPE l [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (n + 1, b"&%c;" % n * 10) for n in range(97, 107))
    + b"]><p>some words &k;",
    "digits": _of(b"1", LIMIT - 100, before=b"<p>some words &#", after=b";"),
    "tabs": _of(b"\tx", before=b"<pre>some words"),
    "endings": _of(b"</p>word", before=b"<p>"),
}
# Pages that hold no essay, although nothing is wrong with how they come.
EMPTY: dict[str, bytes] = {
    "unclosed": _of(b"<b><i><a href=x.html>word "),
    "equals": _of(b"= ", before=b"<h1>"),
    "entities": _of(b"&amp;", LIMIT - 100, before=b"<p>"),
    "halved": b"\xff\xfe" + b"\x00\xd8" * 20_000 + b"x",
    "commented": _of(b"word ", before=b"<!--"),
    "zeros": _of(b"\0\1"),
}


def refused(site: FaultySite) -> dict[str, tuple[Reply, str]]:
    """What is refused while it comes, each with a part of its reason."""
    return {
        "large": (page(_of(b"words ", LIMIT + 6)), str(LIMIT)),
        "slow": (drip(_OK + b"\r\n"), "RAG_PAGE_DEADLINE_S"),
        "circle": (moved(site.url("/circle.html")), "redirects"),
        "bomb": (gzip_bomb(20_000_000), str(LIMIT)),
        "lying": (raw(_OK + b"Content-Length: 90000\r\n\r\n<p>some words"), "broke off"),
        "chunks": (raw(_OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx"), "invalid HTTP"),
        "heads": (raw(_OK + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n<p>some words"), "invalid HTTP"),
        "picture": (page(b"<p>some words", "image/png"), "image/png"),
    }


class HostileWorld(MemoryWorld):
    """A world whose site comes over a real socket, within short limits."""

    def site(self, source: str, part: Source | None = None) -> Site:
        """The client of every build, which tries each page once."""
        return Site(source, user_agent="tests", max_bytes=LIMIT, deadline_s=1, attempts=1, min_interval_s=0)


def test_a_site_of_hostile_pages_is_built_without_those_that_are_refused(
    small_site: FaultySite, tmp_path: Path
) -> None:
    failing = refused(small_site)
    small_site.routes |= {f"/{slug}.html": page(body) for slug, body in (READ | EMPTY).items()}
    small_site.routes |= {f"/{slug}.html": reply for slug, (reply, _) in failing.items()}
    small_site.routes["/articles.html"] = page(index_page([*READ, *EMPTY, *failing, *SLUGS]))
    world = HostileWorld(tmp_path)
    built = world.build(source=index_url(small_site), max_failed_share=0.6)
    assert built.published
    reasons = {failure.slug: failure.reason for failure in built.failed}
    assert set(reasons) == {*EMPTY, *failing}
    for slug, reason in reasons.items():
        assert f"/{slug}.html" in reason
        assert re.search(failing[slug][1] if slug in failing else "none is prose|not text", reason), reason
    version = world.registry.resolve()
    assert {essay.slug for essay in version.essays} == {*READ, *SLUGS}
    said = answer(world.indexes.open(version), world.vectors, WordCounts(), QUESTION, chat=None)
    assert any(one.verified and one.chunk and one.chunk.slug == "bell" for one in said.citations)


@pytest.mark.parametrize("name", READ | EMPTY)
def test_a_hostile_page_costs_no_more_than_its_size(name: str) -> None:
    body = (READ | EMPTY)[name]
    good = essay_page("bell") * (len(body) // len(essay_page("bell")) + 1)
    # An element takes time, however small it is: some twenty times as much as prose of the same size.
    assert any(seconds(_read, body) < MOST * max(seconds(_read, good), NOISE_S) for _ in range(2))


def test_a_reader_that_costs_more_is_noticed() -> None:
    def compares_all_with_all(body: bytes) -> int:
        return sum(one == other for one in body for other in body)

    body = EMPTY["unclosed"][:4000]
    assert seconds(compares_all_with_all, body) > MOST * NOISE_S


def _read(body: bytes) -> None:
    with suppress(EmptyDocumentError):
        document = parse_document(body, Entry(slug="page", url="http://essays.example/page.html", title="Page"))
        chunks = split(document, Recipe())
        structural(document, chunks)
        for chunk in chunks:
            tokenise(chunk.text, Recipe())
