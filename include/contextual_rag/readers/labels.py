"""What an element says of itself: by its name, role, class and id, is it the text or what stands around it?"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from bs4 import Tag

__all__ = ["Label", "is_beside", "is_decoration", "is_endnotes", "label_of"]

# comments: by others; around: never part of the essay; meta: a line or box about the essay, which may also be prose.
Label = Literal["comments", "around", "meta"]

_ORDER: Final[tuple[Label, ...]] = ("comments", "around", "meta")
_TAGS: Final[dict[str, Label]] = {
    **dict.fromkeys(("nav", "search"), "around"),
    **dict.fromkeys(("aside", "header", "footer"), "meta"),
}
_ROLES: Final[dict[str, Label]] = {
    **dict.fromkeys(("navigation", "search", "dialog", "alertdialog", "menu", "menubar", "toolbar"), "around"),
    **dict.fromkeys(("banner", "contentinfo", "complementary"), "meta"),
}
_LABELLED: Final = frozenset({
    "address", "aside", "article", "details", "div", "dl", "footer", "form", "header", "nav", "ol", "p", "search",
    "section", "table", "td", "ul",
})  # fmt: skip
# A class or id that is made of these words says that it is such a thing: post-meta, relatedPosts, comments_area. With
# any other word in it, it may be anything: a text about menus, a page with a sidebar.
_COMMENTS = """
    comment comments commentlist commentform commentbox disqus giscus isso pingbacks replies respond trackbacks
    utterances webmention webmentions
"""
_AROUND = """
    ad addthis addtoany ads adsense advert advertisement adverts announcement archive archives backtotop
    blogroll breadcrumb breadcrumbs consent cookie cookies edit editthis feedback gdpr latest lightbox
    login menu menus modal morefrom nav navbar navigation newer newsletter next older onthispage outbrain
    overlay pager pagination paginator paging paywall popular popup prev previous prevnext printfooter readnext recent
    recommendation recommendations recommended related relatedposts search searchbox share sharedaddy shares
    sharing sidebar signup skip skiplink social sponsor sponsored subscribe subscription tableofcontents taboola
    tagcloud toc toolbar topnav trending upgrade yarpp youmaylike
"""
_META = """
    aboutauthor author authorbio authors banner bio branding byline categories category claps colophon copyright
    credit credits date dateline filed footer header keywords labels lastmodified lastupdated licence license
    like likes masthead meta metadata permalink postdate postedin postedon postinfo postmetadata promo published
    reactions readingtime rss sourcelink stats tag tagged tagline taglinks tags time timestamp topics utility views
    widget widgets
"""
_WORDS: Final[dict[str, Label]] = {
    word: label for label, words in zip(_ORDER, (_COMMENTS, _AROUND, _META), strict=True) for word in words.split()
}
_OTHERS = """
    and area article articles bar bd block blog bottom box button buttons by card cards component container
    content count cta desktop dialog doc docs embed entry floating form gh global grid group heading hover icon
    icons info inline inner is item items jp js kg label left line link links list main md min mobile module
    most news notice of on outer page pages panel post posts primary read right row rst s secondary section
    single site slot sphinx sticky stories story template text the theme this thread title to top up wp wrap wrapper
    wy
"""
_SAY_NOTHING: Final = frozenset(_OTHERS.split())
_SEPARATOR = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LONGEST_NAME, _FEW = 80, 8
_PROSE_BESIDE = re.compile(r"(?:foot|end|side|margin)-?notes?|admonition|callout|note|warning|tip|pullquote")
_BESIDE = re.compile(r"(?:side|margin)-?notes?")
_HIDDEN_STYLE = re.compile(r"\bdisplay\s*:\s*none|\bvisibility\s*:\s*hidden", re.IGNORECASE)
_DECORATION = re.compile(
    r"sr-only|visually-?hidden|screen-reader(?:-text)?|skip-?(?:link|to-content)|line-?nos?|line-?numbers?(?:-rows)?|lnt|"
    r"rouge-gutter|gutter|linenodiv|blob-num|mw-editsection|headerlink|noprint|clipboard|copy-?(?:btn|button)"
)
_ENDNOTES = re.compile(
    r"(?:foot|end)-?notes?(?:-(?:list|section|wrap|definition|container|block))?|references|mw-references|notes"
)


def label_of(tag: Tag) -> Label | None:
    """Return what a block element is besides text, if it says so."""
    if tag.name not in _LABELLED or is_endnotes(tag):
        return None
    if _is_liked(tag):
        return "comments"
    # What a click shows is for reading.
    if _is_hidden(tag) and tag.get("role") not in ("tabpanel", "region"):
        return "around"
    classes = _classes(tag)
    if tag.name == "article":
        # Its classes are the subjects that it is about.
        return "comments" if {"comment", "comment-body"}.intersection(classes) else None
    found = {_named(one) for one in [*classes, *_id(tag, classes)]}
    if tag.name == "aside" and found <= {None} and any(map(_PROSE_BESIDE.fullmatch, classes)):
        return None
    found |= {_ROLES.get(str(tag.get("role", ""))), _TAGS.get(tag.name)}
    return next((label for label in _ORDER if label in found), None)


def is_decoration(tag: Tag) -> bool:
    """Return whether an element is not for reading: line numbers, words for screen readers, hidden words."""
    if tag.name not in _LABELLED and tag.name != "rb" and _is_hidden(tag):
        return True
    return any(_DECORATION.fullmatch(one.lower()) for one in _classes(tag))


def is_beside(tag: Tag) -> bool:
    """Return whether a part of a line is shown beside it, as a note in the margin."""
    return tag.name in ("span", "small") and any(_BESIDE.fullmatch(one.lower()) for one in _classes(tag))


def is_endnotes(tag: Tag) -> bool:
    """Return whether an element holds the notes of the essay, and not what others noted."""
    if tag.get("role") in ("doc-endnotes", "doc-footnote", "doc-bibliography"):
        return True
    found = any(_ENDNOTES.fullmatch(one.lower()) for one in _classes(tag))
    return found and not _is_liked(tag)


def _is_liked(tag: Tag) -> bool:
    """Return whether a list is of those who liked a page or passed it on."""
    items = (one for one in tag.contents[:_FEW] if isinstance(one, Tag))
    return any({"like", "reblog"}.intersection(_classes(one)) for one in items)


def _classes(tag: Tag) -> list[str]:
    return [str(one)[:_LONGEST_NAME] for one in tag.get_attribute_list("class") if one] if tag.attrs else []


def _id(tag: Tag, classes: list[str]) -> list[str]:
    """Return the id of an element, unless it is made of the words of a heading."""
    is_of_heading = tag.name == "section" or "section" in classes
    return [] if is_of_heading or not tag.has_attr("id") else [str(tag["id"])[:_LONGEST_NAME]]


def _is_hidden(tag: Tag) -> bool:
    if not tag.attrs:
        return False
    is_off = tag.has_attr("hidden") and tag["hidden"] != "until-found"
    return is_off or tag.get("aria-hidden") == "true" or bool(_HIDDEN_STYLE.search(str(tag.get("style", ""))))


@lru_cache(4096)
def _named(name: str) -> Label | None:
    words = [word for word in _SEPARATOR.split(_CAMEL.sub("-", name).lower()) if word and not word.isdecimal()]
    whole = "".join(words)
    if whole not in _WORDS and not all(word in _WORDS or word in _SAY_NOTHING for word in words):
        return None
    found = {_WORDS.get(word) for word in [*words, whole]}
    return next((label for label in _ORDER if label in found), None)
