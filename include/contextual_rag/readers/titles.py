"""What an essay is called: by its own heading or its link, not by its site."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from contextual_rag.model import Entry
from contextual_rag.pipeline.plain import named
from contextual_rag.readers.blocks import Block
from contextual_rag.readers.metadata import Declared

__all__ = ["same", "title_of"]

_BETWEEN = re.compile(r"(?<!\s)\s++[|·•–—»«:~/-]++\s+|(?:(?<!\s)\s++)?\|\s*|(?<=\w):\s+")
_SAYS_NOTHING = re.compile(
    r"(?:read|continue|see|learn)\s+(?:more|on|reading|full|the)\b.*|full\s+(?:text|article|post)|"
    r"more|here|link|click here|permalink|read|article|essay|"
    r"post|next|previous|\d+|[\W_]*|weiterlesen|mehr|lire la suite|leer más|читать далее|続きを読む|阅读全文",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W_]+")
# What a heading must say for itself to be taken before the page's title.
_ENOUGH = 3


def title_of(
    declared: Declared, headings: Sequence[tuple[Block, bool]], first: Set[str], homes: Set[str], entry: Entry
) -> str:
    """Return the title of an essay.

    `headings` are those above its first prose, with whether they are inside the essay. The one is its title that its
    link, the page's declarations or the window's title confirm; of several the last, since the site's name comes first.
    `first` are all headings of the first level: a film or a box may stand above the one that the page declares.
    `homes` are the words of links to the site's home page, which name the site.
    """
    link = "" if _SAYS_NOTHING.fullmatch(entry.title) or entry.title == entry.slug else entry.title
    sites = {_plain(one) for one in [*declared.sites, *homes]} - {_plain(link)}
    titles = [one for one in declared.titles if _plain(one) not in sites]
    best, most = "", 0
    for block, inside in headings:
        text = block.text
        if not text or _plain(text) in sites:
            continue
        worth = 6 * same(text, link) + 5 * any(same(text, one) for one in titles)
        worth += 2 * inside + (3 if _is_part(text, declared.title) else block.level == 1)
        if worth >= max(most, _ENOUGH):
            best, most = text, worth
    confirmed = next((one for one in titles if any(same(one, heading) for heading in first)), "")
    if confirmed and not same(best, link) and not same(best, confirmed):
        best = confirmed
    if best:
        return named(best)
    return named(
        _from_window(titles[0], link, sites) if titles else _from_window(declared.title, link, sites)
    ) or named(entry.title)


def same(one: str, other: str) -> bool:
    """Return whether two titles have the same letters."""
    return bool(plain := _plain(one)) and plain == _plain(other)


def _plain(text: str) -> str:
    return " ".join(_LETTERS.findall(text.casefold()))


def _is_part(text: str, title: str) -> bool:
    """Return whether a heading is the window's title, or a part of it."""
    plain, whole = f"{_plain(text)} ", f"{_plain(title)} "
    return len(plain) > 1 and (whole.startswith(plain) or whole.endswith(f" {plain}"))


def _from_window(title: str, link: str, sites: set[str]) -> str:
    """Return the part of a window's title that is the essay's, or the link's words if nothing of it is."""
    parts = [part for part in _BETWEEN.split(title) if _plain(part)]
    if len(parts) > 1:
        if link and (found := next((part for part in parts if same(part, link)), None)):
            return found
        if sites and (own := [part for part in parts if _plain(part) not in sites]) and len(own) < len(parts):
            start = title.find(own[0])
            return title[start : title.find(own[-1], start) + len(own[-1])]
    words, said = set(_plain(title).split()), set(_plain(link).split())
    return link if link and not words & said else title
