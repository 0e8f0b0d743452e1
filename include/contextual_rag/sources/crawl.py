"""A bounded crawl: the pages to which links lead from a start page, so many steps deep, so many, below one address.

Pages that list others are looked at and are no documents. The next page of a list costs no step; tags, archives,
searches and feeds are not asked for.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, Self
from urllib.parse import SplitResult, parse_qsl, urljoin

from contextual_rag import keys
from contextual_rag.errors import EmptyDocumentError, RetriableError, SkippableError, SourceError
from contextual_rag.model import Entry
from contextual_rag.ports import Response, Site
from contextual_rag.readers.characters import decode
from contextual_rag.readers.index_page import Index, Link, entries_of, is_list, split, unread
from contextual_rag.readers.markup import read_markup
from contextual_rag.readers.metadata import base_of
from contextual_rag.readers.registry import FILE_TYPES, LINKED_SUFFIXES, read_document
from contextual_rag.sources.feed import FEED_ROOTS
from contextual_rag.sources.markup import root_name
from contextual_rag.sources.sitemap import SITEMAP_ROOTS

__all__ = ["Crawl"]

_NEXT_PAGE: Final = re.compile(r".*/page/?\d+(?:/|/?index\.html?|\.html?)?", re.IGNORECASE)
# Below the address of a crawl, such pages may stand anywhere.
_TAGS: Final = re.compile(
    r".*/(?:tags?|categor(?:y|ies)|authors?)/[^/]+(?:/page/\d+|/feed)?(?:/|/?index\.html?|\.html?)?|"
    r".*/archives?/\d{4}(?:/.*)?|.*/(?:feed|rss|atom)/?",
    re.IGNORECASE,
)
_PAGE_QUERIES: Final = frozenset({"page", "paged"})
_WITH_LINKS: Final = frozenset({None, "text/html", "application/xhtml+xml", "application/xml", "text/xml"})


class Crawl:
    """A site of which the links are followed. A page that was read for its links has a digest as its `change`."""

    kind: Final = "crawl"

    def __init__(self, site: Site, start: str, *, prefix: str | None = None, depth: int = 3, count: int = 500) -> None:
        self._site, self._start = site, start
        self._prefix, self._depth, self._count = prefix, depth, count

    def __enter__(self) -> Self:
        self._site.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._site.__exit__(*error)

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Return a page."""
        return self._site.get(url, etag=etag, last_modified=last_modified)

    def listing(self) -> Index:
        """Follow the links.

        Raises SourceError if the first page cannot be read. Raises RetriableError if any page may be read later: what
        lies behind it would seem to be gone.
        """
        start = split(self._start, "")
        if start is None:
            raise SourceError(f"{self._start} is not an address.")
        try:
            first = self._site.get(self._start)
        except RetriableError:
            raise
        except SkippableError as error:
            raise SourceError(f"Cannot read the source: {error}") from error
        # A site that sends its readers to https:// or to www. is followed there.
        walk = _Walk(self._site, self._prefix or urljoin(first.url, "."), self._depth, self._count)
        return walk.from_page(split(first.url, "") or start, first)


class _Walk:
    """A crawl on its way."""

    def __init__(self, site: Site, prefix: str, depth: int, count: int) -> None:
        self._site, self._prefix, self._depth, self._count = site, prefix, depth, count
        self._found: dict[str, tuple[SplitResult, str]] = {}
        self._changes: dict[str, str] = {}
        self._left_out: dict[str, str] = {}
        self._others: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._queue: deque[tuple[SplitResult, int]] = deque()

    def from_page(self, start: SplitResult, first: Response) -> Index:
        """Return what is found from a page that was read."""
        self._seen.add(_path(start.geturl()))
        self._read(start, first, 0)
        for _ in range(self._count - 1):
            if not self._queue:
                break
            self._visit(*self._queue.popleft())
        for parts, _ in self._queue:
            self._left_out[parts.geturl()] = f"comes after the first {self._count:,} pages (crawl.count)"
        entries = (one.model_copy(update={"change": self._changes.get(one.url)}) for one in entries_of(self._found))
        left_out = {url: reason for url, reason in self._left_out.items() if url not in self._found}
        left_out |= {url: f"leads elsewhere ({number} links)" for url, number in self._others.items()}
        return Index(
            entries=tuple(entries),
            elsewhere=tuple(Link(title="", url=url, reason=reason) for url, reason in left_out.items()),
        )

    def _visit(self, parts: SplitResult, depth: int) -> None:
        url = parts.geturl()
        if depth == self._depth or PurePosixPath(parts.path).suffix.lower() in LINKED_SUFFIXES:
            self._found[url] = parts, ""  # a file, or too deep for its links to count: it is not read for them
            return
        try:
            response = self._site.get(url)
        except RetriableError:
            raise
        except SkippableError as error:
            self._left_out[url] = str(error)
            return
        if _path(response.url) == _path(url):
            self._read(parts, response, depth)
            return
        reached = split(response.url, "")
        reason = "is not an address" if reached is None else _why_not(reached, self._prefix)
        if _path(response.url) in self._seen:
            reason = "is looked at itself"
        if reason or reached is None:
            self._left_out[url] = f"leads to {response.url}, which {reason}"
            return
        self._seen.add(_path(response.url))
        self._read(reached, response, depth)

    def _read(self, parts: SplitResult, response: Response, depth: int) -> None:
        links = list(_links(response))
        url = parts.geturl()
        if reason := _no_document(response, parts, has_links=bool(links)):
            self._left_out[url] = reason
        else:
            self._found[url] = parts, ""
            self._changes[url] = keys.page_digest(response.body)
        for link in links:
            address = link.geturl()
            if link.scheme not in {"http", "https"} or _host(link) != _host(parts):
                self._others[f"{link.scheme}:" + (f"//{link.netloc}/" if link.netloc else "")] += 1
            elif _path(address) in self._seen:
                continue
            elif reason := _why_not(link, self._prefix):
                self._left_out.setdefault(address, reason)
            elif depth == self._depth:
                self._left_out.setdefault(address, f"is more than {depth} steps from the start (crawl.depth)")
            else:
                self._seen.add(_path(address))
                self._queue.append((link, depth if _is_next_page(link) else depth + 1))


def _links(response: Response) -> Iterator[SplitResult]:
    """Yield where the links of a page lead, in order."""
    if response.media_type not in _WITH_LINKS:
        return
    soup = read_markup(decode(response.body, response.charset))
    base = base_of(soup, response.url)
    for tag in soup.find_all(["a", "area", "frame", "iframe"]):
        address = tag.get("href") if tag.name in {"a", "area"} else tag.get("src")
        parts = split(base, str(address).strip()) if address else None
        if parts is not None and parts.scheme != "javascript":
            yield parts


def _why_not(parts: SplitResult, prefix: str) -> str | None:
    """Why a link is not followed."""
    url = parts.geturl()
    if not _path(url).startswith(_path(prefix)):
        return f"is not below {prefix} (crawl.prefix)"
    if reason := unread(parts.path):
        return reason
    below = parts._replace(path=f"/{_path(url)[len(_path(prefix)) :]}".partition("?")[0])
    is_tag = _TAGS.fullmatch(parts.path)
    if is_tag or ((is_list(parts) or is_list(below)) and not _is_next_page(parts)):
        return "lists other pages: a tag, an archive, a search or a feed"
    return None


def _no_document(response: Response, parts: SplitResult, *, has_links: bool) -> str | None:
    """Why a page that was read is no document. The build names an error or a login, and keeps the last text."""
    if _is_next_page(parts):
        return "lists other pages, which are followed"
    if response.media_type in FILE_TYPES:
        return None
    try:
        if root_name(response.body) in FEED_ROOTS | SITEMAP_ROOTS:
            return "is a feed or a sitemap"
        read_document(
            response.body, Entry(slug="page", url=response.url, title=""), response.media_type, response.charset
        )
    except (EmptyDocumentError, SourceError) as error:
        if error.code == "empty_document_list" or (has_links and error.code == "empty_document"):
            return "lists other pages, which are followed"
    return None


def _is_next_page(parts: SplitResult) -> bool:
    queries = {name.lower() for name, _ in parse_qsl(parts.query)}
    return bool(_NEXT_PAGE.fullmatch(parts.path) or (queries and queries <= _PAGE_QUERIES))


def _host(parts: SplitResult) -> str:
    return parts.netloc.lower().removeprefix("www.")


def _path(url: str) -> str:
    """Return an address without its scheme and www.: whichever a link has, the page is the same."""
    return url.partition("://")[2].removeprefix("www.")
