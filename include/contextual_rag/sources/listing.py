"""What a source lists, whatever kind it is: of a page its content says so, not its address."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol, runtime_checkable

from contextual_rag.errors import RetriableError, SkippableError, SourceError
from contextual_rag.ports import Response, Site
from contextual_rag.readers.html import moved_to
from contextual_rag.readers.index_page import Index, index_of, read_index
from contextual_rag.readers.registry import FILE_TYPES
from contextual_rag.sources.feed import FEED_ROOTS, json_posts, read_feed, read_json_feed
from contextual_rag.sources.markup import root_name, unpacked
from contextual_rag.sources.sitemap import SITEMAP_ROOTS, only_addresses, read_sitemap

__all__ = ["FEED_TYPES", "PACKED_TYPES", "Kind", "Listing", "read_source", "refreshed"]

# What servers call a feed; no document is ever one.
FEED_TYPES: Final = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"}
)
# Those of a sitemap that is packed.
PACKED_TYPES: Final = frozenset({"application/gzip", "application/x-gzip"})

_MOST_MOVES = 3

Kind = Literal["index page", "feed", "sitemap", "folder", "crawl", "bucket", "class", "uploads"]


@runtime_checkable
class _Lister(Site, Protocol):
    """A site that lists itself."""

    kind: Kind

    def listing(self) -> Index:
        """Return what there is. Raises SourceError."""


class Listing(NamedTuple):
    """What kind of source it is, and what was found; `size` is how many bytes were read for it."""

    kind: Kind
    found: Index
    size: int = 0


def read_source(site: Site, url: str) -> Listing:
    """Read what a source lists. Raises SourceError if it cannot be read, RetriableError if it may later."""
    if isinstance(site, _Lister):
        return Listing(site.kind, site.listing())
    try:
        response = refreshed(site, site.get(url))
        response = response._replace(body=unpacked(response.body))
    except RetriableError:
        raise
    except SkippableError as error:
        raise SourceError(f"Cannot read the source: {error}") from error
    root, size = root_name(response.body), len(response.body)
    if root is None and (posts := json_posts(response.body)) is not None:
        return Listing("feed", read_json_feed(posts, response.url), size)
    if root is None and (addresses := only_addresses(response.body)):
        return Listing("sitemap", index_of(((url, "", None) for url in addresses), response.url, response.url), size)
    if root in FEED_ROOTS:
        return Listing("feed", read_feed(response.body, response.url), size)
    if root in SITEMAP_ROOTS:
        return Listing("sitemap", read_sitemap(site, response), size)
    return Listing("index page", read_index(response.body, response.url, response.charset), size)


def refreshed(site: Site, response: Response) -> Response:
    """Return the page to which a page without a text of its own sends its readers, or else the page itself."""
    for _ in range(_MOST_MOVES):
        target = None if response.media_type in FILE_TYPES else moved_to(response)
        if target is None or target == response.url:
            break
        response = site.get(target)
    return response
