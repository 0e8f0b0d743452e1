"""The list of essays of an index page.

Nothing here fetches. The first rule reads the bulleted table of the essay site; the second reads any page that lists
others, and tells its lists from its menus, see `links.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import SplitResult, parse_qsl, unquote, urldefrag, urlencode, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from contextual_rag.model import Entry
from contextual_rag.pipeline.plain import named
from contextual_rag.readers.characters import decode
from contextual_rag.readers.links import listed, unlisted
from contextual_rag.readers.markup import read_markup, text_of
from contextual_rag.readers.metadata import base_of
from contextual_rag.readers.registry import LINKED_SUFFIXES, TYPE_OF_SUFFIX, lacking_extra
from contextual_rag.record import Record

__all__ = ["Index", "Link", "entries_of", "hashed", "index_of", "is_list", "read_index", "split", "unread"]

_ELSEWHERE = "leads elsewhere: not a page of this site"
_BULLET_PIXELS = 15
# What an address ends in says little of what it is. These are never pages, and are not asked for.
_NO_PAGES = re.compile(
    r"\.(?:pdf|ps|djvu|epub|mobi|docx?|pptx?|xlsx?|odt|ods|odp|rtf|csv|zip|gz|tgz|bz2|xz|7z|rar|tar|iso|dmg|exe|apk|jar|"
    r"jpe?g|png|gif|svg|webp|avif|bmp|ico|tiff?|mp3|ogg|oga|wav|flac|m4a|mp4|m4v|webm|mov|avi|mkv|css|js|json|xml|rss|atom|ics)",
    re.IGNORECASE,
)
# Pages that list others, by the addresses that the common systems give them.
_LISTS = re.compile(
    r"(?:/@[^/]+|/(?:tag|tags|category|categories|author|authors|label|labels)(?:/[^/]+)?|/(?:archives?)(?:/\d{4}(?:/\d\d)?)?|"
    r"/page/\d+|/(?:feed|rss|atom|search|login|wp-login\.php)|/comments/feed|/.+/comments)(?:/page/\d+|/feed)?(?:/|/?index\.html?|\.html?|\.php)?",
    re.IGNORECASE,
)
# What documentation and lists of files have beside their pages: an index of words, a search, another order.
_BESIDE = re.compile(r".*/(?:genindex(?:-\w+)?|py-modindex|search)\.html", re.IGNORECASE)
_ORDER = re.compile(r"C=[NMSD][;&]O=[AD]")
_LIST_QUERIES = frozenset(
    {"page", "paged", "tag", "cat", "category", "author", "replytocom", "share", "feed", "s", "q", "search"}
)
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id|igshid|ref_src", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
_NOT_SLUG = re.compile(r"[^A-Za-z0-9._~-]+")


class Link(Record):
    """A link that is not followed, with its title on the page and why; `url` is absolute if possible."""

    title: str
    url: str
    reason: str = _ELSEWHERE


class Index(Record):
    """The links of an index page: essays to fetch, and links that are not, each with the reason."""

    entries: tuple[Entry, ...]
    elsewhere: tuple[Link, ...]


def read_index(html: bytes, base_url: str, charset: str | None = None) -> Index:
    """The essays that an index page names, in its order; two links to one address are one essay.

    The address is an essay's identity. Its slug is the last part of it, with a hash of the address if another essay has
    the same last part.

    `base_url` is the page's own address: an essay is a page of the same scheme, host and port. `charset` is the one
    that the server declared. Both parts are empty if the page has no links. Never raises.
    """
    soup = read_markup(decode(html, charset))
    bullets = _bulleted(soup)
    links: list[tuple[str, str, str | None]]
    if bullets:
        links = [(str(anchor["href"]), named(text_of(anchor)), None) for anchor in bullets]
    else:
        links = [*((str(anchor["href"]), title, menu) for anchor, title, menu in listed(soup)), *unlisted(soup)]
    return index_of(links, base_of(soup, base_url), base_url)


def index_of(links: Iterable[tuple[str, str, str | None]], base: str, base_url: str) -> Index:
    """Tell the essays among links from the others: each an address, a title, and why it is not followed, if so.

    Addresses start from `base`; `base_url` is the address of what lists them.
    """
    found: dict[str, tuple[SplitResult, str]] = {}
    elsewhere: dict[str, Link] = {}
    own_parts: dict[str, Link] = {}
    followed: list[tuple[SplitResult, str]] = []
    for address, title, menu in links:
        href = address.strip()
        parts = split(base, href)
        parts = parts and _secured(parts, urlsplit(base_url))
        is_here = (
            parts is not None
            and _origin(parts) == _origin(urlsplit(base_url))
            and (parts.path.strip("/") or parts.query)
        )
        why_not = unread(parts.path) if parts and is_here else _ELSEWHERE
        if _is_same_page(parts, base_url):
            own_parts.setdefault(href, Link(title=title, url=href, reason="leads to a part of the same page"))
        elif parts is None or why_not:
            url = href if parts is None else parts.geturl()
            elsewhere.setdefault(url, Link(title=title, url=url, reason=menu or why_not or _ELSEWHERE))
        elif menu is None:
            followed.append((parts, title))
        else:
            elsewhere.setdefault(parts.geturl(), Link(title=title, url=parts.geturl(), reason=menu))
    lists = [is_list(parts) for parts, _ in followed]
    for (parts, title), is_one in zip(followed, lists, strict=True):
        url = parts.geturl()
        if is_one and not all(lists):
            elsewhere[url] = Link(title=title, url=url, reason="lists other pages: a tag, an archive or a feed")
        elif (twin := url.removesuffix("/") if url.endswith("/") else f"{url}/") in found:
            elsewhere.setdefault(url, Link(title=title, url=url, reason=f"is listed as {twin}"))
        else:
            found.setdefault(url, (parts, title))
    if not found:  # a page that is one document, of which it lists the parts
        elsewhere |= own_parts
    left_out = tuple(link for url, link in elsewhere.items() if url not in found)
    return Index(entries=tuple(entries_of(found)), elsewhere=left_out)


def entries_of(found: Mapping[str, tuple[SplitResult, str]]) -> Iterator[Entry]:
    """Yield an entry for each address and title; its slug is the last part of the address, if no other has that."""
    taken = Counter(_slug(parts).casefold() for parts, _ in found.values())
    for url, (parts, title) in found.items():
        slug = _slug(parts)
        if taken[slug.casefold()] > 1:
            slug = hashed(parts, slug)
        yield Entry(slug=slug, url=url, title=title or slug)


def unread(path: str) -> str | None:
    """Return why a path is not that of a page, or of a file that can be read here; None if it may be."""
    suffix = PurePosixPath(path).suffix.lower() if path[-1:] != "/" else ""
    if suffix in LINKED_SUFFIXES:
        return lacking_extra(TYPE_OF_SUFFIX[suffix])
    return _ELSEWHERE if _NO_PAGES.fullmatch(suffix) else None


def is_list(parts: SplitResult) -> bool:
    """Return whether an address is that of a page which lists others."""
    queries = {name.lower() for name, _ in parse_qsl(parts.query)}
    is_beside = _BESIDE.fullmatch(parts.path) or _ORDER.fullmatch(parts.query)
    return bool(_LISTS.fullmatch(parts.path) or is_beside or queries & _LIST_QUERIES)


def _bulleted(soup: BeautifulSoup) -> list[Tag]:
    """Return the links of a table whose cells have a small bullet image and then the link in a `<font>`."""
    images = [image for image in soup.find_all("img") if _is_small(image, "width") and _is_small(image, "height")]
    if not images:
        return []
    first_links: dict[int, Tag] = {}
    for link in soup.find_all("a", href=True):
        for above in link.parents:
            if id(above) in first_links:
                break  # and so is what is above it
            first_links[id(above)] = link
    cells = {id(image.parent): image.parent for image in images if image.parent and image.parent.name == "td"}
    fonts = [cell.find("font", recursive=False) for cell in cells.values()]
    return [first_links[id(font)] for font in fonts if font and id(font) in first_links]


def _is_small(image: Tag, side: str) -> bool:
    digits = re.match(r"\s*(\d{1,4})", str(image.get(side, "")))
    return digits is not None and int(digits[1]) <= _BULLET_PIXELS


def split(base_url: str, href: str) -> SplitResult | None:
    """Return the address of a link, without its fragment and what tracks readers; None if it is no address."""
    try:
        parts = urlsplit(urldefrag(urljoin(base_url, href)).url)
        _ = parts.port
    except ValueError:
        return None
    if _TRACKING.search(parts.query):
        kept = [
            (name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if not _TRACKING.fullmatch(name)
        ]
        parts = parts._replace(query=urlencode(kept))
    return parts


def _is_same_page(parts: SplitResult | None, url: str) -> bool:
    return parts is not None and parts.geturl() in (url, url.partition("#")[0])


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Return scheme, host and port; a host is the same one with and without www."""
    host = (parts.hostname or "").removeprefix("www.")
    return parts.scheme, host, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _secured(parts: SplitResult, base: SplitResult) -> SplitResult:
    """Return the https:// address of what a page with such an address still links to with http://."""
    secure = parts._replace(scheme="https", netloc=parts.hostname or "")
    is_plain = (parts.scheme, base.scheme) == ("http", "https") and _origin(parts)[2] == _DEFAULT_PORTS["http"]
    return secure if is_plain and _origin(secure) == _origin(base) else parts


def _slug(parts: SplitResult) -> str:
    """Return the path's last part without its suffix; add a hash of the address if that part is no valid identity."""
    last = PurePosixPath(parts.path).name
    name = unquote(last.removesuffix(".html").removesuffix(".htm"))
    if _SLUG.fullmatch(name) and not parts.query:
        return name
    return hashed(parts, name)


def hashed(parts: SplitResult, name: str) -> str:
    """Return a slug that no other address has: the readable part of a name, and a hash of the address."""
    readable = _NOT_SLUG.sub("-", name).strip("-._~")[:80] or "essay"
    address = f"{parts.path}?{parts.query}"
    return f"{readable}-{hashlib.sha256(address.encode(errors='replace')).hexdigest()[:8]}"
