"""Pages: decodes the bytes of a page, parses its markup, and reads the list of essays of an index page.

Nothing here fetches. To follow another site, replace `read_index`: its first rule reads the bulleted table of the essay
site, its second any plain list of links.
"""

from __future__ import annotations

import codecs
import hashlib
import re
import unicodedata
from collections import Counter
from contextlib import suppress
from pathlib import PurePosixPath
from urllib.parse import SplitResult, unquote, urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from bs4.element import NavigableString, PageElement

from contextual_rag.model import Entry
from contextual_rag.pipeline.markup import read_markup
from contextual_rag.record import Record

__all__ = ["Index", "Link", "decode", "named", "read_index", "tidy"]

_BULLET_PIXELS = 15
_HTML_SUFFIXES = frozenset({"", ".htm", ".html"})
_NAVIGATION = frozenset({"nav", "header", "footer", "aside"})
# A title is repeated with each chunk.
_LONGEST_TITLE = 300
_LINK_NODES = 1000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
_NOT_SLUG = re.compile(r"[^A-Za-z0-9._~-]+")

# The encodings of WHATWG's standard, without the Western ones, which the bytes themselves distinguish.
_TRUSTED_CODEC = re.compile(
    r"cp125[01345678]|cp8(66|74)|iso8859-([2-8]|1[03456])|koi8-[ru]|mac-cyrillic|gb\w+|big5\w*|shift_jis|cp932|euc_\w+"
)
# A page declares its encoding at its beginning. bs4 searches the first 5% of this, in quadratic time.
_DECLARATION_BYTES = 100_000
_HIGH_BYTES = re.compile(
    rb"([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})|[\x80-\xff]"  # UTF-8, or stray
)
_CUT_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{0,2}\Z")
_WORD_PIECE = re.compile(r"\S{1,1024}")
# Remove control characters, except white space; those of the C1 range are wrongly decoded cp1252. Soft hyphens,
# zero-width spaces and replacement characters are not part of a word; surrogates cannot be stored.
_CONTROLS = {
    **dict.fromkeys([*range(0x09), *range(0x0E, 0x20), 0x7F, 0xAD, 0x200B, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF]),
    **dict.fromkeys(range(0xD800, 0xE000)),
    **{code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)},
}


class Link(Record):
    """A link of the list, with its title on the page; `url` is absolute if possible."""

    title: str
    url: str


class Index(Record):
    """The links of an index page: essays to fetch, and links that are not HTML essays of the same site."""

    entries: tuple[Entry, ...]
    elsewhere: tuple[Link, ...]


def read_index(html: bytes, base_url: str, charset: str | None = None) -> Index:
    """The essays that an index page names, in its order; of two links to one address the first stays.

    The address is an essay's identity. Its slug is the last part of it, with a hash of the address if another essay has
    the same last part.

    `base_url` is the page's own address: an essay is an HTML page of the same scheme, host and port. `charset` is the
    one that the server declared. Both parts are empty if the page has no links. Never raises.
    """
    soup = read_markup(decode(html, charset))
    found: dict[str, tuple[SplitResult, str]] = {}
    elsewhere: dict[str, Link] = {}
    for anchor in _bulleted(soup) or _listed(soup):
        href = str(anchor["href"]).strip()
        title = _text(anchor)
        parts = _split(base_url, href)
        if parts is None or not _is_essay(parts, base_url):
            url = href if parts is None else parts.geturl()
            elsewhere.setdefault(url, Link(title=title, url=url))
        elif parts.geturl() != base_url:
            found.setdefault(parts.geturl(), (parts, title))
    taken = Counter(_slug(parts).casefold() for parts, _ in found.values())
    entries = []
    for url, (parts, title) in found.items():
        slug = _slug(parts)
        if taken[slug.casefold()] > 1:
            slug = _hashed(parts, slug)
        entries.append(Entry(slug=slug, url=url, title=title or slug))
    return Index(entries=tuple(entries), elsewhere=tuple(elsewhere.values()))


def decode(html: bytes, charset: str | None = None) -> str:
    """Return the page's characters, even if its declared charset is wrong.

    Tries in order: a byte order mark; UTF-8 if the bytes are valid, since other text hardly ever is by accident; the
    charset of the server, then of the page, if it is not Western and fits; otherwise cp1252, which browsers use for
    undeclared, ASCII and Latin-1 pages (https://encoding.spec.whatwg.org/#names-and-labels). A UTF-8 page with some
    stray cp1252 bytes is decoded as that mixture.
    """
    if html.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return html.decode("utf-16", errors="ignore")
    try:
        # The incremental decoder accepts a page that was cut within its last character.
        return codecs.getincrementaldecoder("utf-8-sig")().decode(html)
    except UnicodeDecodeError:
        pass
    for label in (charset, EncodingDetector.find_declared_encoding(html[:_DECLARATION_BYTES], is_html=True)):
        codec = _codec(label)
        if codec:
            with suppress(UnicodeDecodeError):
                return html.decode(codec)
    sequences = [sequence != b"" for sequence in _HIGH_BYTES.findall(html)]
    if sum(sequences) * 2 > len(sequences):
        html = _HIGH_BYTES.sub(lambda m: m[1] or _cp1252(m[0]).encode(), _CUT_CHARACTER.sub(b"", html))
        return html.decode("utf-8", errors="ignore")
    return _cp1252(html)


def tidy(text: str, *, keep_layout: bool = False) -> str:
    """Return `text` in NFC, without control characters; each run of white space, also no-break, becomes one space.

    With `keep_layout`, lines and indentation are kept, and tabs become spaces.
    """
    text = text.translate(_CONTROLS)
    if keep_layout:
        lines = text.expandtabs(8).replace("\xa0", " ").splitlines()
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
    else:
        text = " ".join(text.split())
    # Normalisation sorts combining marks in quadratic time; a word with thousands of them must not block a run.
    return text if text.isascii() else _WORD_PIECE.sub(lambda m: unicodedata.normalize("NFC", m[0]), text)


def named(text: str) -> str:
    """Return a text as a title, which is cut if it is longer than any title is."""
    return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"


def _codec(label: str | None) -> str | None:
    try:
        name = codecs.lookup((label or "").strip(" \t\r\n\"'")).name
    except (LookupError, ValueError):
        return None
    return name if _TRUSTED_CODEC.fullmatch(name) else None


def _cp1252(html: bytes) -> str:
    # The five bytes without a meaning in cp1252 are at best control characters.
    return html.decode("cp1252", errors="ignore")


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


def _listed(soup: BeautifulSoup) -> list[Tag]:
    """Return the links of a page without such bullets: those in list items, otherwise all except navigation."""
    content = soup.find("main") or soup.find("article") or soup
    navigation, items = _inside(soup, _NAVIGATION), _inside(soup, frozenset({"li"}))
    links = [a for a in content.find_all("a", href=True) if id(a.parent) not in navigation]
    return [a for a in links if id(a.parent) in items] or links


def _inside(soup: BeautifulSoup, names: frozenset[str]) -> set[int]:
    """Return the ids of the elements with such a name, and of all in them."""
    found: set[int] = set()
    for tag in soup.find_all(True):  # in the order of the page: parents come first
        if tag.name in names or id(tag.parent) in found:
            found.add(id(tag))
    return found


def _text(anchor: Tag) -> str:
    """Return the text of a link. A long one is cut: links may stand in each other."""
    words: list[str] = []
    left: list[PageElement] = [anchor]
    for _ in range(_LINK_NODES):
        if not left:
            break
        node = left.pop()
        if isinstance(node, Tag):
            words += [" "] if node.name == "br" else []
            left += reversed(node.contents[:_LINK_NODES])
        elif type(node) is NavigableString:  # its subclasses are comments, scripts and the like
            words.append(node[:_LINK_NODES])
    return named(tidy("".join(words)))


def _split(base_url: str, href: str) -> SplitResult | None:
    try:
        parts = urlsplit(urldefrag(urljoin(base_url, href)).url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_essay(parts: SplitResult, base_url: str) -> bool:
    suffix = PurePosixPath(parts.path).suffix.lower()
    return _origin(parts) == _origin(urlsplit(base_url)) and parts.path.strip("/") != "" and suffix in _HTML_SUFFIXES


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _slug(parts: SplitResult) -> str:
    """Return the path's last part without its suffix; add a hash of the address if that part is no valid identity."""
    last = PurePosixPath(parts.path).name
    name = unquote(last.removesuffix(".html").removesuffix(".htm"))
    if _SLUG.fullmatch(name) and not parts.query:
        return name
    return _hashed(parts, name)


def _hashed(parts: SplitResult, name: str) -> str:
    readable = _NOT_SLUG.sub("-", name).strip("-._~")[:80] or "essay"
    address = f"{parts.path}?{parts.query}"
    return f"{readable}-{hashlib.sha256(address.encode(errors='replace')).hexdigest()[:8]}"
