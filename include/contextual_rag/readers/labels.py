"""What an element says of itself: by its name, role, class and id, is it the text or what stands around it?"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from bs4 import Tag

__all__ = ["Label", "is_decoration", "is_endnotes", "label_of"]

# comments: by others; around: never part of the essay; meta: a line or box about the essay, which may also be prose.
Label = Literal["comments", "around", "meta"]

_TAGS: Final[dict[str, Label]] = {"nav": "around", "aside": "meta", "header": "meta", "footer": "meta", "search": "around"}
_ROLES: Final[dict[str, Label]] = {
    **dict.fromkeys(("navigation", "search", "dialog", "alertdialog", "menu", "menubar", "toolbar"), "around"),
    **dict.fromkeys(("banner", "contentinfo", "complementary"), "meta"),
}
_LABELLED: Final = frozenset({
    "aside", "article", "details", "div", "dl", "footer", "form", "header", "nav", "ol", "p", "search", "section",
    "table", "td", "ul", "h2", "h3", "h4", "h5", "h6",
})  # fmt: skip
# A name that is made of these words says that it is such a thing if it has a word of it: post-meta, relatedPosts,
# comments_area. With any other word in it, it may be anything: a text about menus, a page with a sidebar.
_WORDS: Final[dict[str, Label]] = {
    **dict.fromkeys(
        "comment comments commentlist commentform commentbox disqus utterances giscus isso respond replies webmention "
        "webmentions pingbacks trackbacks".split(),
        "comments",
    ),
    **dict.fromkeys(
        "sidebar breadcrumb breadcrumbs pagination pager paginator paging navbar nav navigation menu menus topnav toc "
        "tableofcontents onthispage sharedaddy share sharing shares social addtoany addthis related relatedposts recommended "
        "recommendation recommendations readnext youmaylike yarpp morefrom more cookie cookies consent gdpr newsletter "
        "subscribe subscription signup popup modal overlay lightbox advert adverts ad ads advertisement adsense sponsor "
        "sponsored outbrain taboola tagcloud skip skiplink backtotop prevnext search searchbox login toolbar editthis edit "
        "feedback copy upgrade announcement popular trending latest recent archive archives blogroll prev next previous older "
        "newer".split(),
        "around",
    ),
    **dict.fromkeys(
        "metadata meta byline dateline published postdate date timestamp time readingtime author authors bio authorbio "
        "aboutauthor tag tags tagged taglinks category categories topics labels keywords footer header masthead banner widget "
        "widgets copyright colophon credit credits license licence lastupdated lastmodified sourcelink promo tagline branding "
        "like likes reactions claps stats views permalink postedon postedin filed postmetadata postinfo rss".split(),
        "meta",
    ),
}
_PLAIN: Final = frozenset(
    "post posts entry article articles single page pages site blog main primary secondary global top bottom left right mobile "
    "desktop jp wp js is the theme doc docs md gh kg wy rst bd sphinx block inline floating sticky list link links info box "
    "container wrapper wrap section bar inner outer area item items button buttons icon icons panel content text form title "
    "heading stories story count label main template thread module component group row embed cta card cards grid notice dialog "
    "line most by on in to of and hover read news slot up min s".split()
)
_ALLOWED = re.compile(r"(?:foot|end|side|margin)-?notes?|admonition|callout|note|warning|tip|pullquote")
_ORDER: Final[tuple[Label, ...]] = ("comments", "around", "meta")
_SEPARATOR = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HIDDEN_STYLE = re.compile(r"\bdisplay\s*:\s*none|\bvisibility\s*:\s*hidden", re.IGNORECASE)
_DECORATION = re.compile(
    r"sr-only|visually-?hidden|screen-reader(?:-text)?|skip-?(?:link|to-content)|line-?nos?|line-?numbers?(?:-rows)?|lnt|"
    r"rouge-gutter|gutter|linenodiv|blob-num|mw-editsection|headerlink|noprint|clipboard|copy-?(?:btn|button)"
)
_ENDNOTES = re.compile(r"(?:foot|end)-?notes?(?:-(?:list|section|wrap|definition|container|block))?|references|mw-references|notes")


def label_of(tag: Tag) -> Label | None:
    """Return what an element is besides text, if it says so."""
    name = tag.name
    if name not in _LABELLED:
        return None
    classes, role = tag.get_attribute_list("class"), str(tag.get("role", ""))
    if is_endnotes(tag):
        return None
    if (tag.has_attr("hidden") and tag["hidden"] != "until-found") or tag.get("aria-hidden") == "true":
        return "around"
    if _HIDDEN_STYLE.search(str(tag.get("style", ""))):
        return "around"
    names = [str(one) for one in classes if one]
    if name == "article":
        # Its classes are the subjects that it is about.
        return "comments" if "comment" in names or "comment-body" in names else None
    # The id of a section or heading is made of its words.
    if name not in ("section", "h2", "h3", "h4", "h5", "h6") and "section" not in names and tag.has_attr("id"):
        names.append(str(tag["id"]))
    found = {label for one in names if (label := _named(one))}
    if name == "aside" and not found and any(_ALLOWED.fullmatch(one) for one in names):
        return None
    for label in _ORDER:
        if label in found or _ROLES.get(role) == label or _TAGS.get(name) == label:
            return label
    return None


def is_decoration(tag: Tag) -> bool:
    """Return whether an inline element is not for reading: line numbers, words for screen readers."""
    if tag.name not in _LABELLED and (
        tag.get("aria-hidden") == "true" and tag.name != "rb" or _HIDDEN_STYLE.search(str(tag.get("style", "")))
    ):
        return True
    return any(_is_decoration(str(one)) for one in tag.get_attribute_list("class") if one)


def is_endnotes(tag: Tag) -> bool:
    """Return whether an element holds the notes of the essay."""
    if tag.get("role") in ("doc-endnotes", "doc-footnote", "doc-bibliography"):
        return True
    return any(_is_endnotes(str(one)) for one in tag.get_attribute_list("class") if one)


@lru_cache(4096)
def _named(name: str) -> Label | None:
    words = [word for word in _SEPARATOR.split(_CAMEL.sub("-", name[:80]).lower()) if word and not word.isdecimal()]
    found = {label for word in [*words, "".join(words)] if (label := _WORDS.get(word))}
    known = "".join(words) in _WORDS or all(word in _WORDS or word in _PLAIN for word in words)
    return next((label for label in _ORDER if label in found), None) if known else None


@lru_cache(4096)
def _is_decoration(name: str) -> bool:
    return _DECORATION.fullmatch(name[:80].lower()) is not None


@lru_cache(4096)
def _is_endnotes(name: str) -> bool:
    return _ENDNOTES.fullmatch(name[:80].lower()) is not None
