"""HTML: reads a page as title, date and paragraphs, including notes.

A page in the style of the essay site is read by that style's own rules; any other by what pages have in common.
"""

from __future__ import annotations

import re
from typing import Final

from bs4 import BeautifulSoup

from contextual_rag.errors import EmptyDocumentError
from contextual_rag.model import Document, Entry
from contextual_rag.noun import noun
from contextual_rag.ports import Response
from contextual_rag.readers.blocks import Block
from contextual_rag.readers.characters import decode
from contextual_rag.readers.content import Content, Time, find_content
from contextual_rag.readers.dates import has_year, iso_day, line_date, take_date, url_day
from contextual_rag.readers.document import Read, document_of, without_link_lists
from contextual_rag.readers.essay import is_essay_style, read_essay
from contextual_rag.readers.markup import read_markup, text_of
from contextual_rag.readers.metadata import Declared, declared
from contextual_rag.readers.refusals import refresh_of, refusal
from contextual_rag.readers.titles import same, title_of
from contextual_rag.sentences import is_ended

__all__ = ["moved_to", "parse_document"]

_BINARY_SHARE, _OPENING, _NOTICE = 0.05, 10_000, 500
_REFRESH = b"refresh"
_FEED = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<[!?][^>]*>\s*)*<(?:rss|feed|rdf:rdf|urlset|sitemapindex|opml)\b", re.IGNORECASE
)
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")
_NOT_FIRST = re.compile(r"updated|modified|edited|revised|comment", re.IGNORECASE)
_PUBLISHED = re.compile(r"publish|pubdate|dt-published|posted|entry-date|post-date|created", re.IGNORECASE)
_MOST_OF_A_DATE, _FIRST, _SENTENCE = 40, 3, 60
# Lines at the edges of an essay that are about it: as they are, and if there is a link in them.
_ABOUT: Final = re.compile(
    r"(?:©|copyright\b|\(c\)|all rights reserved).{0,160}|"
    r"this (?:entry|post|article) was (?:posted|filed|published) (?:in|on|by|under)\b.{0,160}|"
    r"(?:(?:share|tweet|print|e-?mail|like|pin)(?: (?:this|on|it)\b.{0,60})?:?|(?:share|tell) this.{0,40}|"
    r"(?:posted|filed|published|tagged) (?:in|under|by|as|with)\b.{0,120}|"
    r"(?:tags?|categor(?:y|ies)|topics|labels|keywords)\s*:.{0,160}|"
    r"(?:\d+|no) (?:comments?|replies|responses|likes?)|leave a (?:comment|reply)|\d{1,3} min(?:ute)?s?(?: read)?|"
    r"(?-i:By|by)(?-i:(?: [A-Z][\w.’'-]+){1,4})|last (?:updated|modified|edited).{0,60}|"
    r"on this page|(?:table of )?contents|subscribe(?: now)?|follow)(?<![.!?])",
    re.IGNORECASE | re.DOTALL,
)
_ABOUT_LINKED: Final = re.compile(
    r"(?:(?:previous|next|older|newer)\b.{0,120}|[←→«»‹›].{0,120}|.{0,120} [←→«»‹›]|edit (?:this|on)\b.{0,60}|"
    r"skip to .{0,30}|back to .{0,30}|(?:powered|built|made|created|theme) (?:by|with)\b.{0,100}|"
    r"(?:subscribe|sign up|follow|updated|modified|edited)\b.{0,60})(?<![.!?])",
    re.IGNORECASE | re.DOTALL,
)


def parse_document(html: bytes, entry: Entry, charset: str | None = None) -> Document:
    """Return the essay in `html`; `charset` is the one that the server declared, if any.

    Raises only EmptyDocumentError: the page has no prose (a list of links, a script, nothing), is not text, or says
    that the essay is not there.
    """
    source = decode(html, charset)
    if len(_CONTROL.findall(source)) > _BINARY_SHARE * len(source):
        raise _empty(entry, f"{len(html)} bytes that are not text")
    if _FEED.match(source[:_OPENING]):
        raise _empty(entry, "a feed, which lists other pages", code="empty_document_list")
    soup = read_markup(source)
    read = read_essay(soup, entry) if is_essay_style(soup) else _read(soup, entry)
    if not read.blocks:
        raise _empty(
            entry, f"{len(html)} bytes, the title {read.title!r} and {read.lines} lines of which none is prose"
        )
    if why := refusal(soup, read):
        raise _empty(entry, f"that {why.what} ({read.blocks[0].text[:80]!r})", why.code)
    return document_of(read, entry)


def moved_to(response: Response) -> str | None:
    """Return the address to which a page without an essay of its own sends its readers, if it does."""
    if _REFRESH not in response.body[:_OPENING].lower():
        return None
    soup = read_markup(decode(response.body, response.charset))
    if sum(block.size for block in find_content(soup).blocks) > _NOTICE:
        return None
    return refresh_of(soup, response.url)


def _empty(entry: Entry, found: str, code: str | None = None) -> EmptyDocumentError:
    return EmptyDocumentError(
        f"no {noun().one} in the page of {entry.slug!r} ({entry.url}): found {found}. Open the page in a browser; if "
        "it has a text of its own, adapt the readers",
        code=code,
    )


def _read(soup: BeautifulSoup, entry: Entry) -> Read:
    says = declared(soup, entry.url)
    content = find_content(soup)
    first = {text_of(heading) for heading in soup.find_all("h1")}
    title = title_of(says, content.headings, first, content.homes, entry)
    blocks = without_link_lists(_begun(content.blocks))
    place = next((n for n, block in enumerate(blocks[:3]) if same(block.text, title)), None)
    if place is not None and all(block.kind == "heading" for block in blocks[:place]):
        blocks = blocks[place + 1 :]
    date, blocks = take_date(blocks, bylines=True)
    above = (take_date([block], bylines=True)[0] for block, _ in content.headings)
    date = date or next(filter(None, above), None)
    date = _date(date, says, content, entry)
    # A date in a language or form of its own is known by its element.
    shown = [block for block in blocks[:_FIRST] if block.text != date]
    kept = _without_furniture(_begun([*shown, *blocks[_FIRST:]]))
    links = sum(block.is_link_list for block in content.blocks)
    return Read(title, date, kept, content.lines, links, says.address, says.authors)


def _begun(blocks: list[Block]) -> list[Block]:
    """Return the blocks, of which one that is a link and a sentence may begin the text: it is no menu."""
    for n, block in enumerate(blocks):
        if not block.is_link_list:
            break
        if block.kind == "paragraph" and block.size >= _SENTENCE and is_ended(block.text):
            return [*blocks[:n], block._replace(is_link_list=False), *blocks[n + 1 :]]
    return blocks


def _without_furniture(blocks: list[Block]) -> list[Block]:
    """Remove lines about the essay from its edges."""
    start, end = 0, len(blocks)
    while start < end and _is_furniture(blocks[start]):
        start += 1
    while end > start and _is_furniture(blocks[end - 1]):
        end -= 1
    return blocks[start:end] or blocks


def _is_furniture(block: Block) -> bool:
    text = block.text[:200]
    return (
        block.is_link_list
        or _ABOUT.fullmatch(text) is not None
        or (block.linked and block.kind != "heading" and _ABOUT_LINKED.fullmatch(text) is not None)
    )


def _date(line: str | None, says: Declared, content: Content, entry: Entry) -> str | None:
    """Return the essay's date as it shows it, or else as it declares it."""
    times = [one for one in content.times if not _NOT_FIRST.search(one.names)]
    times.sort(key=lambda one: not _PUBLISHED.search(one.names))
    stamp = iso_day(says.dates)
    shown = line or next(
        (day for text in content.notices if not _NOT_FIRST.search(text) and (day := line_date(text))), None
    )
    candidates = [*([_shown(times[0])] if times else []), shown]
    return next((one for one in candidates if one), None) or stamp or url_day(entry.url)


def _shown(time: Time) -> str | None:
    if has_year(time.text) and len(time.text) <= _MOST_OF_A_DATE:
        return line_date(time.text) or time.text
    return iso_day([time.machine])
