"""What a source lists, whatever kind it is: of a page its content says so, not its address."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol, runtime_checkable

from contextual_rag.errors import RetriableError, SkippableError, SourceError
from contextual_rag.ports import Site
from contextual_rag.readers.index_page import Index, read_index
from contextual_rag.sources.feed import FEED_ROOTS, read_feed
from contextual_rag.sources.markup import root_name
from contextual_rag.sources.sitemap import SITEMAP_ROOTS, read_sitemap

__all__ = ["FEED_TYPES", "Kind", "Listing", "read_source"]

# What servers call a feed; no document is ever one.
FEED_TYPES: Final = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml"})

Kind = Literal["index page", "feed", "sitemap", "folder", "crawl", "bucket", "class"]


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
        response = site.get(url)
    except RetriableError:
        raise
    except SkippableError as error:
        raise SourceError(f"Cannot read the source: {error}") from error
    root, size = root_name(response.body), len(response.body)
    if root in FEED_ROOTS:
        return Listing("feed", read_feed(response.body, response.url), size)
    if root in SITEMAP_ROOTS:
        return Listing("sitemap", read_sitemap(site, response), size)
    return Listing("index page", read_index(response.body, response.url, response.charset), size)
