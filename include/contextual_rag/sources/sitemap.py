"""Sitemaps, and indexes of sitemaps, one level deep: https://www.sitemaps.org/protocol.html."""

from __future__ import annotations

from typing import Final

from contextual_rag.errors import RetriableError, SkippableError, SourceError
from contextual_rag.ports import Response, Site
from contextual_rag.readers.index_page import Index, Link, index_of
from contextual_rag.sources.markup import root_name, root_of, text_in

__all__ = ["SITEMAP_ROOTS", "read_sitemap"]

SITEMAP_ROOTS: Final = frozenset({"urlset", "sitemapindex"})
_MOST_SITEMAPS = 50


def read_sitemap(site: Site, response: Response) -> Index:
    """Return the pages of a sitemap and of those that it lists, by the rules for the links of an index page.

    A sitemap that cannot be read is named among the links that are not followed. Raises RetriableError.
    """
    pages, left_out = _pages(response.body), []
    for n, url in enumerate(_addresses(response.body, "sitemap")):
        if n >= _MOST_SITEMAPS:
            left_out.append(Link(title="", url=url, reason=f"the source lists more than {_MOST_SITEMAPS} sitemaps"))
            continue
        try:
            body = site.get(url).body
            if root_name(body) != "urlset":
                left_out.append(Link(title="", url=url, reason="is not a sitemap of pages"))
                continue
            pages += _pages(body)
        except RetriableError:
            raise
        except (SkippableError, SourceError) as error:
            left_out.append(Link(title="", url=url, reason=str(error)))
    index = index_of(((url, "", None) for url in pages), response.url, response.url)
    return index.model_copy(update={"elsewhere": (*index.elsewhere, *left_out)})


def _pages(body: bytes) -> list[str]:
    return _addresses(body, "url")


def _addresses(body: bytes, name: str) -> list[str]:
    found = (text_in(one, "loc") for one in root_of(body).iterchildren(f"{{*}}{name}"))
    return [address for address in found if address]
