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
# A class is such a word, with others around it that say nothing: post-meta, site-header, related-posts, nav_links.
_SCOPE = (
    r"(?:post|entry|article|single|page|site|blog|main|primary|secondary|global|top|bottom|left|right|mobile|desktop|"
    r"jp|wp|js|is|the|theme|doc|docs|md|gh|kg|wy|rst|bd|sphinx|bodywrapper|block|global|inline|floating|sticky)"
)
_SHAPE = (
    r"(?:list|links?|info|box|container|wrapper|wrap|section|bar|block|inner|outer|area|items?|buttons?|icons?|widget|"
    r"panel|content|text|form|title|heading|nav|menu|posts?|articles?|pages?|stories|count|label|header|footer|main|"
    r"template|thread|module|component|group|row|embed|cta|card|cards|grid|notice|container|dialog|s|\d+)"
)
_WORDS: Final[dict[Label, str]] = {
    "comments": r"comments?|commentlist|commentform|disqus|utterances|giscus|isso|respond|replies|webmentions?"
    r"|pingbacks?|trackbacks?",
    "around": r"sidebar|breadcrumbs?|pagination|pager|paginator|paging|navbar|nav|navigation|menu|menus|topnav|toc|"
    r"table-of-contents|tableofcontents|on-this-page|sharedaddy|share|sharing|shares?|social|addtoany|addthis|related|"
    r"relatedposts|relations|recommended|recommendations?|read-next|readmore|you-may-like|yarpp|more-from|more|cookies?|"
    r"cookie-consent|consent|gdpr|newsletter|subscribe|subscription|signup|sign-up|popup|modal|overlay|lightbox|adverts?|"
    r"ads?|advertisement|adsense|sponsor|sponsored|outbrain|taboola|tagcloud|tag-cloud|skip|skip-link|skip-to|backtotop|"
    r"back-to-top|prev-next|prevnext|post-navigation|searchbox|search|login|toolbar|edit-this|edit|feedback|copy|upgrade|"
    r"announcement|popular|trending|latest|recent|archives?|blogroll|prev|next|previous|older|newer",
    "meta": r"metadata|meta|byline|dateline|published|postdate|date|timestamp|time|reading-time|readingtime|author|authors|"
    r"author-bio|bio|about-author|about-the-author|tags?|tagged|tag-links|categories|category|cat-links|topics|labels|"
    r"keywords|footer|header|masthead|banner|widgets?|copyright|colophon|credits?|license|licence|last-updated|lastupdated|"
    r"last-modified|source-file|source-link|promo|tagline|branding|likes?|reactions?|claps?|"
    r"stats|views|permalink|posted-on|posted-in|filed|postmetadata|postinfo|rss|feed",
}
_CLASS: Final = {
    label: re.compile(rf"(?:{_SCOPE}[-_]*)*(?:{words})(?:[-_]*{_SHAPE})*") for label, words in _WORDS.items()
}
_ALLOWED = re.compile(r"(?:foot|end|side|margin)-?notes?|admonition|callout|note|warning|tip|pullquote")
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
    for label in ("comments", "around", "meta"):
        if label in found or _ROLES.get(role) == label or _TAGS.get(name) == label:
            return label
    return None


def is_decoration(tag: Tag) -> bool:
    """Return whether an inline element is not for reading: line numbers, words for screen readers."""
    if tag.get("aria-hidden") == "true" and tag.name in ("span", "a", "i", "svg", "em"):
        return True
    return any(_is_decoration(str(one)) for one in tag.get_attribute_list("class") if one)


def is_endnotes(tag: Tag) -> bool:
    """Return whether an element holds the notes of the essay."""
    if tag.get("role") in ("doc-endnotes", "doc-footnote", "doc-bibliography"):
        return True
    return any(_is_endnotes(str(one)) for one in tag.get_attribute_list("class") if one)


@lru_cache(4096)
def _named(name: str) -> Label | None:
    name = _CAMEL.sub("-", name[:80]).lower()
    return next((label for label, words in _CLASS.items() if words.fullmatch(name)), None)


@lru_cache(4096)
def _is_decoration(name: str) -> bool:
    return _DECORATION.fullmatch(name[:80].lower()) is not None


@lru_cache(4096)
def _is_endnotes(name: str) -> bool:
    return _ENDNOTES.fullmatch(name[:80].lower()) is not None
