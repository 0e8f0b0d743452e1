"""RSS 0.9 to 2.0, Atom and JSON Feed: the posts of a feed, with the titles and days that it gives them."""

from __future__ import annotations

import json
import re
from datetime import date
from email.utils import parsedate
from typing import Any, Final

from lxml import etree

from contextual_rag.pipeline.plain import named
from contextual_rag.readers.authors import authors_in, names_in
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.dates import iso_day
from contextual_rag.readers.index_page import Index, Link, index_of, split
from contextual_rag.readers.markup import read_markup, text_of
from contextual_rag.sources.markup import children, is_cut_off, root_of, text_in

__all__ = ["FEED_ROOTS", "json_posts", "read_feed", "read_json_feed"]

_IN_PARENTHESES: Final = re.compile(r"\s*+[^\s@]++@[^\s(]++\s*+\((.*)\)\s*", re.DOTALL)
FEED_ROOTS: Final = frozenset({"rss", "RDF", "feed"})


def read_feed(body: bytes, base_url: str) -> Index:
    """Return the posts of a feed, by the rules for the links of an index page; one without a link is named."""
    links: list[tuple[str, str, None]] = []
    said: dict[str, dict[str, Any]] = {}
    lacking = []
    for post in root_of(body).iter("{*}item", "{*}entry"):
        title = named(text_of(read_markup(text_in(post, "title"))).strip())
        address = _address(post)
        if not address:
            lacking.append(Link(title=title, url="", reason="a post that has no link"))
            continue
        url = _joined(_joined(base_url, post.base or ""), address)
        links.append((url, title, None))
        said.setdefault(url, {"date": _day(post), "authors": _authors(post)})
    found = index_of(links, base_url, base_url)
    for link in root_of(body).iter("{*}link"):
        if link.get("rel") in {"next", "prev-archive"} and link.get("href"):
            reason = "is an older part of the feed, which is not followed: take the sitemap"
            lacking.append(Link(title="", url=_joined(base_url, str(link.get("href"))), reason=reason))
    if is_cut_off(body):
        lacking.append(
            Link(title="", url=base_url, reason="the feed is cut off: what it lists after that is not known")
        )
    entries = (entry.model_copy(update=said.get(entry.url, {})) for entry in found.entries)
    return Index(entries=tuple(entries), elsewhere=(*found.elsewhere, *lacking))


def json_posts(body: bytes) -> list[Any] | None:
    """Return the posts of a JSON Feed (https://www.jsonfeed.org/version/1.1), None if the bytes are none."""
    if b"jsonfeed.org/version" not in body:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_feed = isinstance(found, dict) and "jsonfeed.org/version" in str(found.get("version"))
    return found["items"] if is_feed and isinstance(found.get("items"), list) else None


def read_json_feed(posts: list[Any], base_url: str) -> Index:
    """Return the posts of a JSON Feed, by the rules for the links of an index page; one without a link is named."""
    links: list[tuple[str, str, None]] = []
    said: dict[str, dict[str, Any]] = {}
    lacking = []
    for post in (one for one in posts if isinstance(one, dict)):
        title = named(tidy(str(post.get("title") or "")))
        addresses = (str(post.get("url") or ""), str(post.get("id") or ""))
        address = addresses[0] or (addresses[1] if addresses[1].startswith(("http://", "https://")) else "")
        if not address:
            lacking.append(Link(title=title, url="", reason="a post that has no link"))
            continue
        url = _joined(base_url, address)
        links.append((url, title, None))
        day = iso_day([str(post.get("date_published") or "")])
        said.setdefault(url, {"date": day, "authors": authors_in(post.get("authors") or post.get("author"))})
    found = index_of(links, base_url, base_url)
    entries = (entry.model_copy(update=said.get(entry.url, {})) for entry in found.entries)
    return Index(entries=tuple(entries), elsewhere=(*found.elsewhere, *lacking))


def _joined(base: str, address: str) -> str:
    """Return where an address leads from a base; what is no address stays as it is, and is named as such."""
    parts = split(base, address)
    return parts.geturl() if parts else address


def _address(post: etree._Element) -> str:
    """Return the address of a post: that of its link, or of its id, which is one in many feeds."""
    # A service between a blog and its readers may give links of its own.
    if own := text_in(post, "origLink"):
        return own
    links = children(post, "link")
    shown = [link for link in links if link.get("href") and link.get("rel", "alternate") == "alternate"]
    # RSS may have Atom's links too, which name the feed or the comments.
    own = next((text for link in links if (text := (link.text or "").strip())), "")
    if own or shown:
        return own or str(min(shown, key=lambda link: "html" not in link.get("type", "html")).get("href"))
    ids = (one for one in children(post, "guid", "id") if one.get("isPermaLink") != "false")
    address = next(((one.text or "").strip() for one in ids), "")
    return address if address.startswith(("http://", "https://")) else ""


def _day(post: etree._Element) -> str | None:
    """Return the day on which a post was published; when it was changed is another matter."""
    if day := iso_day([text_in(post, "published", "issued", "date"), text_in(post, "pubDate")]):
        return day
    try:
        # The day counts, even if the time of day is none.
        found = parsedate(text_in(post, "pubDate"))
        return date(*found[:3]).isoformat() if found else None
    except (ValueError, TypeError, OverflowError):
        return None


def _authors(post: etree._Element) -> tuple[str, ...]:
    """Return who wrote a post. In RSS, an author is an e-mail address with the name after it in parentheses."""
    found = [text for one in children(post, "creator") if (text := "".join(one.itertext()))]
    for one in children(post, "author"):
        name = one.find("{*}name")
        text = "".join((one if name is None else name).itertext())
        mailed = _IN_PARENTHESES.fullmatch(text)
        found.append(mailed[1] if mailed else text)
    return names_in(found)
