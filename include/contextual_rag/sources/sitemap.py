"""Sitemaps, and indexes of sitemaps, also packed by gzip: https://www.sitemaps.org/protocol.html."""

from __future__ import annotations

from typing import Final

from lxml import etree

from contextual_rag.errors import RetriableError, SkippableError, SourceError
from contextual_rag.ports import Response, Site
from contextual_rag.readers.index_page import Index, Link, index_of
from contextual_rag.sources.markup import children, is_cut_off, root_name, root_of, unpacked

__all__ = ["SITEMAP_ROOTS", "only_addresses", "read_sitemap"]

SITEMAP_ROOTS: Final = frozenset({"urlset", "sitemapindex"})
_MOST_SITEMAPS = 50


def read_sitemap(site: Site, response: Response) -> Index:
    """Return the pages of a sitemap and of those that it lists, by the rules for the links of an index page.

    A sitemap that cannot be read is named among the links that are not followed. Raises RetriableError.
    """
    pages, sitemaps, left_out = _named(response)
    known = {response.url}
    # An index may list further ones, which are read after it, each once.
    for url in sitemaps:
        if url in known:
            continue
        known.add(url)
        if len(known) - 1 > _MOST_SITEMAPS:
            left_out.append(Link(title="", url=url, reason=f"the source lists more than {_MOST_SITEMAPS} sitemaps"))
            continue
        try:
            below = site.get(url)
            below = below._replace(body=unpacked(below.body))
            root = root_name(below.body)
            addresses = only_addresses(below.body) if root is None else []
            if root not in SITEMAP_ROOTS and not addresses:
                left_out.append(Link(title="", url=url, reason="is not a sitemap"))
                continue
            listed, further, unnamed = (addresses, [], []) if addresses else _named(below)
            pages += listed
            sitemaps += further
            left_out += unnamed
        except RetriableError:
            raise
        except (SkippableError, SourceError) as error:
            left_out.append(Link(title="", url=url, reason=str(error)))
    index = index_of(((url, "", None) for url in pages), response.url, response.url)
    brought = {entry.url for entry in index.entries}
    return index.model_copy(
        update={"elsewhere": (*index.elsewhere, *(link for link in left_out if link.url not in brought))}
    )


def only_addresses(body: bytes) -> list[str]:
    """Return the addresses of a sitemap that is a text, one a line; none if anything else stands in it."""
    lines = body.decode(errors="replace").removeprefix("\ufeff").split()
    return lines if all(line.startswith(("http://", "https://")) for line in lines) else []


def _named(response: Response) -> tuple[list[str], list[str], list[Link]]:
    """Return the pages and the sitemaps that a sitemap names, and what else stands in it."""
    found: dict[str, list[str]] = {"url": [], "sitemap": []}
    left_out: list[Link] = []
    for one in root_of(response.body).iterchildren("{*}*"):
        kind = str(etree.QName(one).localname)
        if kind not in found:
            if text := " ".join("".join(one.itertext()).split()):
                left_out.append(Link(title="", url=text[:200], reason=f"stands in <{kind}>, not in <url>"))
            continue
        addresses = [text for loc in children(one, "loc") if (text := (loc.text or "").strip())]
        found[kind] += addresses
        if not addresses:
            left_out.append(Link(title="", url=response.url, reason=f"a <{kind}> of this sitemap has no <loc>"))
        # Links of XHTML lead to the same page in other languages.
        others = [link.get("href") for link in children(one, "link") if link.get("rel") == "alternate"]
        reason = "is a translation, which has no <url> of its own"
        left_out += [Link(title="", url=url, reason=reason) for url in others if url]
    if is_cut_off(response.body):
        left_out.append(Link(title="", url=response.url, reason="is cut off: what it lists after that is not known"))
    return found["url"], found["sitemap"], left_out
