"""What a page declares to programs about the essay in it: titles, dates, its site's name, its own address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from contextual_rag.readers.authors import authors_in, names_in
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.markup import text_of

__all__ = ["Declared", "base_of", "declared"]

_ARTICLES = (
    "article",
    "blogposting",
    "newsarticle",
    "techarticle",
    "scholarlyarticle",
    "report",
    "creativework",
    "webpage",
)
_LISTS = ("collectionpage", "searchresultspage")
_DATES = (
    "article:published_time", "datepublished", "dc.date.issued", "dcterms.issued", "dcterms.created", "dc.date.created",
    "dc.date", "dcterms.date", "citation_publication_date", "citation_date", "parsely-pub-date", "sailthru.date",
    "date", "pubdate", "publish-date", "publishdate", "og:published_time",
)  # fmt: skip
_AUTHORS = (
    "author", "citation_author", "dc.creator", "dcterms.creator", "article:author", "parsely-author", "sailthru.author",
)  # fmt: skip
_TITLES = ("og:title", "citation_title", "dc.title", "dcterms.title", "parsely-title", "twitter:title")
_SITES = ("og:site_name", "application-name", "apple-mobile-web-app-title")
_NODES, _CHARACTERS, _SCRIPTS = 2000, 200_000, 20


class Declared(NamedTuple):
    """What the page declares, each in the order of its worth; `title` is that of the window."""

    title: str = ""
    titles: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    address: str | None = None
    is_list: bool = False
    authors: tuple[str, ...] = ()


def declared(soup: BeautifulSoup, url: str) -> Declared:
    """Return what the page at an address declares."""
    title = soup.find("title")
    window = text_of(title) if isinstance(title, Tag) and title.find_parent("svg") is None else ""
    metas: dict[str, str] = {}
    authors: dict[str, list[str]] = {}
    for meta in soup.find_all("meta"):
        content = tidy(str(meta.get("content", ""))[:1000])
        for name in ("property", "name", "itemprop"):
            if content and meta.has_attr(name):
                called = str(meta[name]).strip().lower()
                metas.setdefault(called, content)
                if called in _AUTHORS:
                    authors.setdefault(called, []).append(content)
    objects = list(_objects(soup))
    articles = [one for one in objects if _is_a(one, _ARTICLES)]
    # Of several articles, those that the page recommends have other headlines.
    own = [one for one in articles if _own(one, url, window)] or articles[:1] * (len(articles) == 1)
    names = (one.get("name") for one in objects if _is_a(one, ("website", "organization", "blog")))
    return Declared(
        title=window,
        titles=_texts([*(one.get("headline") for one in own), *(metas.get(name) for name in _TITLES)]),
        dates=_texts([*(one.get("datePublished") for one in own), *(metas.get(name) for name in _DATES)]),
        sites=_texts([*(metas.get(name) for name in _SITES), *names]),
        address=_canonical(soup, url),
        is_list=any(_is_a(one, _LISTS) for one in objects) and not any(one.get("headline") for one in articles),
        authors=_authors(own, objects)
        or next(filter(None, (names_in(authors.get(name, ())) for name in _AUTHORS)), ()),
    )


def base_of(soup: BeautifulSoup, url: str) -> str:
    """Return the address that the page's links start from."""
    base = soup.find("base", href=True)
    try:
        return urljoin(url, str(base["href"]).strip()) if isinstance(base, Tag) else url
    except ValueError:
        return url


def _objects(soup: BeautifulSoup) -> Iterator[dict[str, Any]]:
    """Yield the objects of the page's JSON-LD."""
    for script in soup.find_all("script", type="application/ld+json", limit=_SCRIPTS):
        text = (script.string or "").strip().removeprefix("<!--").removeprefix("//<![CDATA[").removesuffix("-->")
        try:
            left = (
                [json.loads(text.strip().removesuffix("//]]>").strip("; \n"), strict=False)]
                if len(text) <= _CHARACTERS
                else []
            )
        except (ValueError, RecursionError):
            continue
        for _ in range(_NODES):
            if not left:
                break
            node = left.pop(0)
            if isinstance(node, list):
                left = [*node[:_NODES], *left]
            elif isinstance(node, dict):
                yield node
                left += [
                    node[key]
                    for key in ("@graph", "mainEntity", "blogPost", "hasPart", "isPartOf", "publisher")
                    if key in node
                ]


def _authors(articles: list[dict[str, Any]], objects: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return who wrote the first of the articles that says so; an author may be named by another object's id."""
    by_id = {one["@id"]: one for one in objects if isinstance(one.get("@id"), str) and "name" in one}
    for article in articles:
        said = article.get("author")
        people = [
            by_id.get(str(one.get("@id")), one) if isinstance(one, dict) and "name" not in one else one
            for one in (said if isinstance(said, list) else [said])
        ]
        if names := authors_in(people):
            return names
    return ()


def _is_a(node: dict[str, Any], kinds: tuple[str, ...]) -> bool:
    found = node.get("@type")
    return any(isinstance(one, str) and one.lower() in kinds for one in (found if isinstance(found, list) else [found]))


def _own(node: dict[str, Any], url: str, title: str) -> bool:
    """Return whether an article of the JSON-LD is the one of this page."""
    main = node.get("mainEntityOfPage")
    addresses = [node.get("url"), node.get("@id"), main.get("@id") if isinstance(main, dict) else main]
    path = urlsplit(url).path.rstrip("/")
    here = any(
        isinstance(one, str) and path and urlsplit(one[:2000].replace("[", "")).path.rstrip("/") == path
        for one in addresses
    )
    headline = node.get("headline")
    return here or (isinstance(headline, str) and bool(headline.strip()) and headline.strip() in title)


def _texts(found: list[Any]) -> tuple[str, ...]:
    return tuple(text for one in found if isinstance(one, str) and (text := tidy(one[:1000])))


def _canonical(soup: BeautifulSoup, url: str) -> str | None:
    """Return the address that the page gives itself, if it differs in what names no other page.

    Many pages name their site's home, or another essay, by mistake.
    """
    link = soup.find("link", rel="canonical", href=True)
    if not isinstance(link, Tag):
        return None
    try:
        found, here = urlsplit(urljoin(base_of(soup, url), str(link["href"]).strip())), urlsplit(url)
    except ValueError:
        return None
    is_same = found.path.strip("/") != "" and _last(found.path) == _last(here.path)
    hosts = {host.removeprefix("www.") for host in (found.netloc.lower(), here.netloc.lower())}
    if (
        found.scheme not in ("http", "https")
        or len(hosts) > 1
        or not is_same
        or (here.query and found.query != here.query and not _tracks(here.query))
    ):
        return None
    return found._replace(fragment="").geturl()


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2].removesuffix(".html").removesuffix(".htm").lower()


def _tracks(query: str) -> bool:
    """Return whether a query only says where a reader came from."""
    return all(
        part.partition("=")[0].startswith(("utm_", "fbclid", "gclid", "ref", "source", "mc_"))
        for part in query.split("&")
    )
