"""The links of a page that lists others: which stand in its lists, and which in a menu or in a sentence."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final, NamedTuple

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement

from contextual_rag.pipeline.plain import named
from contextual_rag.readers.characters import tidy
from contextual_rag.readers.labels import label_of
from contextual_rag.readers.markup import text_of

__all__ = ["Found", "listed", "unlisted"]

_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_ITEMS: Final = frozenset({"li", "dt", "dd", "td", "th"})
_BLOCKS: Final = (
    _HEADINGS | _ITEMS | {"p", "div", "article", "section", "body", "header", "main", "summary", "center", "blockquote"}
)
_LISTS: Final = frozenset({"ul", "ol", "dl", "div", "table", "section"})
_MENU: Final = "stands in a menu, not in the list"
_SENTENCE: Final = "stands in a sentence, not in the list"
# What menus call the pages that are no essays.
_GENERAL: Final = re.compile(
    r"(?:home|start|index|about(?: (?:me|us|the author|this site))?|contacts?(?: (?:me|us))?|imprint|impressum|legal|"
    r"privacy(?: policy)?|terms(?: .*)?|cookies?(?: .*)?|(?:site ?)?map|search|login|log ?in|sign ?(?:in|up)|register|"
    r"rss(?: feed)?|atom|feeds?|subscribe|newsletter|archives?|tags?|categories|topics|blog|posts|articles|essays|"
    r"writing|news|links?|blogroll|projects?|portfolio|resume|cv|now|uses|faq|help|support|donate|shop|store|github|twitter|"
    r"mastodon|linkedin|facebook|instagram|youtube|e-?mail|next|previous|older(?: .*)?|newer(?: .*)?|«.*|.*»|←.*|.*→|"
    r"\d+|more|all(?: posts)?|skip .*)",
    re.IGNORECASE,
)
_READ_ON: Final = re.compile(
    r"(?:read|continue|see|learn|full)\b.{0,30}|more.{0,10}|comments?|\d+ (?:comments?|replies)|leave a .*|permalink|"
    r"link|[\W_]*|#.*",
    re.IGNORECASE,
)
_SIGN: Final = re.compile(r"\A[^\w\s\"'“‘«„(\[¿¡#$£€.-]++\s++(?=\w)")  # a picture before a title
# A list so many times shorter than another, of shorter titles than these words, is a menu.
_TIMES, _FEW_WORDS, _NODES = 4, 2.0, 200
# How far around a link the heading of its box may be.
_ABOVE: Final = 4
_BOXES: Final = frozenset({"article", "div", "footer", "li", "p", "section"})
# A link that is a smaller part of its line stands in a sentence.
_PART: Final = 0.4
_PARTS: Final = {"p": 0.6, "blockquote": 0.6}
_NO_LINES: Final = frozenset({"body", "div", "section", "article", "main"})
_DATES: Final = re.compile(
    r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\b|\b(?:mon|tues?|wed|thurs?|fri|sat|sun)[a-z]{0,6}\b|\d(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """A link, its title, and why it is not followed, None if it is."""

    anchor: Tag
    title: str
    reason: str | None


class _Place(NamedTuple):
    """Where an element stands: whether in a menu, a heading or an article, and in which block and list.

    `path` is a number for the names of the elements above it.
    """

    menu: bool = False
    heading: bool = False
    content: bool = False
    block: Tag | None = None
    list: int = 0
    path: int = 0


def listed(soup: BeautifulSoup) -> list[Found]:
    """Return all links of a page, in order. Those that lead to one address have the best of its titles."""
    anchors = [a for a in soup.find_all("a", href=True) if str(a["href"]).strip()]
    named_by = [_heading_of_box(a) for a in anchors]
    titles = [own or _title(a) for a, own in zip(anchors, named_by, strict=True)]
    headed = {n for n, own in enumerate(named_by) if own}
    reasons = _reasons(anchors, titles, headed, _places(soup))
    targets = [str(a["href"]).partition("#")[0].strip() for a in anchors]
    best: dict[str, str] = {}
    for target, title, reason in zip(targets, titles, reasons, strict=True):
        if reason is None and not _READ_ON.fullmatch(title):
            best.setdefault(target, title)
    return [
        Found(anchor, title if reason else best.get(target, title), reason)
        for anchor, target, title, reason in zip(anchors, targets, titles, reasons, strict=True)
    ]


def unlisted(soup: BeautifulSoup) -> list[tuple[str, str, str]]:
    """Return the address, name and reason of what a page names without a link in a list."""
    maps = ((area, "href", str(area.get("alt", "")), "an image map") for area in soup.find_all("area", href=True))
    frames = (
        (one, "src", str(one.get("title", "")), "a frame") for one in soup.find_all(["frame", "iframe"], src=True)
    )
    found = [
        (str(tag[name]), tidy(title), f"stands in {kind}, not in the list")
        for tag, name, title, kind in (*maps, *frames)
    ]
    for link in soup.find_all(["link", "a"], href=True):
        if "next" in link.get_attribute_list("rel"):
            reason = "is the next page of the list, which is not followed: take the sitemap, or a crawl"
            found.append((str(link["href"]), "", reason))
    return [one for one in found if not one[0].strip().lower().startswith(("about:", "data:", "javascript:"))]


def _reasons(
    anchors: Sequence[Tag], titles: Sequence[str], headed: Set[int], places: Mapping[int, _Place]
) -> list[str | None]:
    """Return for each link why it is not followed, or None; those in `headed` lead to what a heading above names."""
    reasons: list[str | None] = [None] * len(anchors)
    headings = set(headed)
    for n, anchor in enumerate(anchors):
        place = places[id(anchor)]
        if place.heading or anchor.find(_HEADINGS) is not None:
            headings.add(n)
        if place.menu:
            reasons[n] = _MENU
        elif n not in headings and _in_sentence(anchor, titles[n], place.block):
            reasons[n] = _SENTENCE
    left = [n for n, reason in enumerate(reasons) if reason is None]
    for n in _menus(left, [places[id(anchor)] for anchor in anchors], titles, headings):
        reasons[n] = _MENU
    if None not in reasons:  # a page without lists
        reasons = [None if one == _SENTENCE else one for one in reasons]
    if None not in reasons:  # a page that is nothing but menus
        for n in _largest(anchors, titles, places):
            reasons[n] = None
    return reasons


def _menus(links: Sequence[int], places: Sequence[_Place], titles: Sequence[str], headings: Set[int]) -> Iterator[int]:
    """Yield the links of lists that are menus: by their titles, or since they are short beside another list."""
    alike: dict[tuple[int, bool], list[int]] = defaultdict(list)
    lists: dict[int, list[int]] = defaultdict(list)
    for n in links:
        alike[places[n].path, n in headings].append(n)
        lists[places[n].list].append(n)
    most = max(map(len, alike.values()), default=0)
    for (_, is_heading), group in alike.items():
        if not is_heading and _is_short([titles[n] for n in group], most):
            yield from group
    for group in lists.values():
        if sum(_GENERAL.fullmatch(titles[n]) is not None for n in group) * 2 > len(group):
            yield from group


def _is_short(titles: Sequence[str], most: int) -> bool:
    """Return whether links that stand alike are a menu, beside `most` others."""
    return len(titles) * _TIMES <= most and sum(len(title.split()) for title in titles) <= _FEW_WORDS * len(titles)


def _largest(anchors: Sequence[Tag], titles: Sequence[str], places: Mapping[int, _Place]) -> list[int]:
    """Return the links of the menu with the most words."""
    menus: dict[int, list[int]] = defaultdict(list)
    for n, anchor in enumerate(anchors):
        if not _GENERAL.fullmatch(titles[n]):
            menus[places[id(anchor)].path].append(n)
    return max(menus.values(), key=lambda menu: sum(len(titles[n].split()) for n in menu), default=[])


def _places(soup: BeautifulSoup) -> dict[int, _Place]:
    """Return where each element stands; parents come before what is in them."""
    paths: dict[tuple[int, str], int] = {}
    # In unclosed and in nested lists, an element stands below its own kind: it is at the same place there.
    kinds: list[frozenset[str]] = [frozenset()]
    places: dict[int, _Place] = {id(soup): _Place()}
    for tag in soup.find_all(True):
        above = places[id(tag.parent)]
        name = tag.name
        label = label_of(tag)
        # The header of an article holds its title.
        content = above.content or name == "article"
        menu = (
            above.menu
            or label in ("around", "comments")
            or (label == "meta" and not (above.content and name == "header"))
        )
        classes = tag.get_attribute_list("class") if name in _LISTS else []
        kind = f"{name} {re.sub(r'[0-9]+', '', str(classes[0] or ''))}" if classes else name
        path = above.path
        if name in _BLOCKS | _LISTS and kind not in kinds[path]:
            path = paths.setdefault((path, kind), len(kinds))
            if path == len(kinds):
                kinds.append(kinds[above.path] | {kind})
        places[id(tag)] = _Place(
            menu=menu,
            heading=above.heading or name in _HEADINGS,
            content=content,
            block=tag if name in _BLOCKS else above.block,
            list=id(tag) if name in _LISTS else above.list,
            path=path,
        )
    return places


def _title(anchor: Tag) -> str:
    """Return what a link is called: its heading, its words, or the heading of the box that it covers."""
    heading = anchor.find(_HEADINGS)
    words = text_of(heading) if isinstance(heading, Tag) else _undated(anchor)
    if not words:
        box = anchor.find_parent(("article", "li"))
        heading = box.find(_HEADINGS) if isinstance(box, Tag) else None
        image = anchor.find("img", alt=True)
        shown = image["alt"] if isinstance(image, Tag) else ""
        label = str(anchor.get("aria-label") or anchor.get("title") or shown)
        words = text_of(heading) if isinstance(heading, Tag) else tidy(label)
    return named(_SIGN.sub("", words) or words)


def _undated(anchor: Tag) -> str:
    """Return the words of a link, without a date beside its title."""
    words = text_of(anchor)
    time = anchor.find("time")
    rest = tidy(words.replace(text_of(time), " ", 1)) if isinstance(time, Tag) else ""
    return rest if any(map(str.isalpha, rest)) else words


def _heading_of_box(anchor: Tag) -> str:
    """Return the heading of the box around a link that does not say what it leads to, if the box leads nowhere else."""
    if not _READ_ON.fullmatch(text_of(anchor)):
        return ""
    target = str(anchor["href"]).partition("#")[0].strip()
    for _, box in zip(range(_ABOVE), anchor.parents, strict=False):
        if box.name not in _BOXES:
            break
        inside = _first_elements(box)
        if inside is None or any(str(one["href"]).partition("#")[0].strip() != target for one in inside if _leads(one)):
            break
        if heading := next((one for one in inside if one.name in _HEADINGS), None):
            return named(text_of(heading))
    return ""


def _first_elements(box: Tag) -> list[Tag] | None:
    """Return the elements in a box, None if they are many."""
    found: list[Tag] = []
    left = [box]
    while left:
        found += (inside := [one for one in left.pop().contents[:_NODES] if isinstance(one, Tag)])
        left += inside
        if len(found) > _NODES:
            return None
    return found


def _leads(tag: Tag) -> bool:
    return tag.name == "a" and bool(str(tag.get("href", "")).strip())


def _in_sentence(anchor: Tag, title: str, block: Tag | None) -> bool:
    """Return whether a link stands within a text, of which it is the smaller part; a date before it is no text."""
    if block is None or block.name in _NO_LINES:
        return False
    before, after = _around(anchor, block)
    whole = len(before) + len(title) + len(after)
    return any(map(str.isalpha, _DATES.sub("", before))) and len(title) < _PARTS.get(block.name, _PART) * whole


def _around(anchor: Tag, block: Tag) -> tuple[str, str]:
    """Return the text of a block before and after a link, without other links and blocks. A long one is cut."""
    texts: tuple[list[str], list[str]] = ([], [])
    passed = False
    left: list[PageElement] = [block]
    for _ in range(_NODES):
        if not left:
            break
        node = left.pop()
        if node is anchor:
            passed = True
        elif isinstance(node, Tag) and (node is block or node.name not in _BLOCKS | _LISTS | {"a"}):
            left += reversed(node.contents[:_NODES])
        elif type(node) is NavigableString:  # its subclasses are comments, scripts and the like
            texts[passed].append(node[:_NODES])
    return tidy("".join(texts[0])), tidy("".join(texts[1]))
