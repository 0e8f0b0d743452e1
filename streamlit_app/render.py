"""Text of models, essays and readers → safe HTML.

All such text may be hostile. It is parsed as a small part of Markdown (bold, quotations, lists) and written with an
allow-list of tags, whose one attribute lets a paragraph run in the direction of its own letters. Links, images and HTML
in it are shown as plain characters. The only addresses are our own.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlencode, urlsplit

from contextual_rag.model import Document, Paragraph
from contextual_rag.noun import noun
from contextual_rag.qa.verdicts import State, words_of

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = [
    "Mark",
    "Place",
    "essay_address",
    "essay_html",
    "essays_html",
    "hero_html",
    "label",
    "markdown_html",
    "notice_html",
    "original_link",
    "plain_html",
    "spans_in",
]

# While Markdown is parsed, characters of a private area stand for the marks of an answer.
_FIRST, _LAST = "\U000f0000", "\U000ffffd"
_PRIVATE = re.compile(f"[{_FIRST}-{_LAST}]")
_HELD = re.compile(rf"\[([{_FIRST}-{_LAST}])\]")
_CITE = {"found": "cite", "cited": "cite bare", "not_found": "cite unsure"}
_TAGS = frozenset({"p", "em", "strong", "ul", "ol", "li", "blockquote", "br", "hr", "h4", "h5", "h6"})
# Arabic and Hebrew run from right to left, each paragraph by itself.
_TURNED = frozenset({"p", "ul", "ol", "blockquote", "h4", "h5", "h6"})
_WHOLE = {
    "code_inline": "<code>{}</code>",
    "code_block": "<pre><code>{}</code></pre>",
    "fence": "<pre><code>{}</code></pre>",
    "softbreak": "\n",
}
# Headings in an answer rank below the page's own headings.
_HEADINGS = {"h1": "h4", "h2": "h4", "h3": "h5", "h4": "h5", "h5": "h6", "h6": "h6"}
_BLOCKS = {"paragraph": "p", "note": "p", "heading": "h4", "quote": "blockquote", "code": "pre", "table": "pre"}
# How many paragraphs before a passage are shown; earlier ones are folded.
_SHOWN_BEFORE = 2


class Mark(NamedTuple):
    """The link of a number in an answer: its address on this site, its title, and what was found out about it.

    `words` of the passage are shown while the pointer is on the number.
    """

    address: str
    title: str
    state: State
    words: str = ""


class Place(NamedTuple):
    """A mark at `start:end` of an answer, with the link of each number."""

    start: int
    end: int
    marks: Mapping[int, Mark]


class _Held(NamedTuple):
    """What a private character stands for."""

    text: str
    marks: Mapping[int, Mark]


def plain_html(text: str) -> str:
    """Return a text as it was written, line by line."""
    return f'<p class="plain" dir="auto">{escape(text)}</p>'


def notice_html(text: str, kind: Literal["info", "warning", "error"]) -> str:
    """Return a notice as wide as the page."""
    return f'<div class="notice {kind}" role="{"alert" if kind == "error" else "status"}">{escape(text)}</div>'


def hero_html(name: str, says: str) -> str:
    """Return the heading of a page on which nothing has been asked yet."""
    return f'<div class="hero"><h1>{escape(name)}</h1><p>{escape(says)}</p></div>'


def label(text: str) -> str:
    """Escape a text for the label of a button or link, which Streamlit renders as Markdown with images."""
    # Addresses become links even if escaped; an invisible character inside prevents this.
    apart = re.sub(r"(?i)(://|www\.|@)", "\\1\u2060", " ".join(text.split()))
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", apart)


def markdown_html(text: str, places: Sequence[Place]) -> str:
    """Return an answer; the marks at these places become links, and other brackets stay text."""
    text = _PRIVATE.sub("\ufffd", text)
    places = places[: ord(_LAST) - ord(_FIRST)]
    parts, at = [], 0
    for i, place in enumerate(places):
        parts += [text[at : place.start], f"[{chr(ord(_FIRST) + i)}]"]
        at = place.end
    held = [_Held(text[place.start : place.end], place.marks) for place in places]
    return "".join(_written(token, held) for token in _parser().parse("".join([*parts, text[at:]])))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Without these rules, such markup stays text.
    return MarkdownIt("commonmark", {"html": False}).disable(
        ["html_block", "html_inline", "image", "link", "autolink", "reference", "entity"]
    )


def _written(token: Token, held: Sequence[_Held]) -> str:
    if token.type == "inline":
        return "".join(_written(child, held) for child in token.children or ())
    if token.type == "text":
        return _HELD.sub(lambda found: _links(held[ord(found[1]) - ord(_FIRST)].marks), escape(token.content))
    text = escape(_HELD.sub(lambda found: held[ord(found[1]) - ord(_FIRST)].text, token.content))
    if token.type in _WHOLE:
        return _WHOLE[token.type].format(text)
    tag = _HEADINGS.get(token.tag, token.tag)
    if token.hidden or tag not in _TAGS:
        return text
    if token.nesting < 0:
        return f"</{tag}>"
    return f'<{tag} dir="auto">' if tag in _TURNED else f"<{tag}>"


def _links(marks: Mapping[int, Mark]) -> str:
    return "".join(_link(mark, n) for n, mark in marks.items())


def _link(mark: Mark, n: int) -> str:
    title = escape(f"{mark.title}: {words_of(mark.state)}")
    # The style draws the words; in the document they would be copied with the answer.
    peek = f'data-peek="{title}\n{escape(mark.words)}"' if mark.words else f'title="{title}"'
    return (
        f'<a class="{_CITE[mark.state]}" href="{escape(mark.address)}" target="_blank" {peek}'
        f' aria-label="Source {n}, {title}">{n}</a>'
    )


def essay_address(version: str, slug: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return the relative address of an essay in a version, with passages to highlight."""
    at = ",".join(f"{start}-{end}" for start, end in spans)
    return f"essay?{urlencode({'version': version, 'slug': slug, 'at': at}, safe=',')}"


def essays_html(version: str, essays: Sequence[tuple[str, str]]) -> str:
    """Return a list of essays by (slug, title); each is a link to its text."""
    rows = (
        f'<li dir="auto"><a href="{escape(essay_address(version, slug, ()))}" target="_blank">{escape(title)}</a></li>'
        for slug, title in essays
    )
    count = f"{escape(noun().counted(len(essays)))} · version {escape(version)}"
    return f'<p class="quiet">{count}</p><ul class="essays">{"".join(rows)}</ul>'


def spans_in(at: str) -> list[tuple[int, int]]:
    """Return the passages in such an address; invalid ones are ignored."""
    pairs = re.findall(r"(\d{1,9})-(\d{1,9})", at)
    return [(int(start), int(end)) for start, end in pairs if int(start) < int(end)]


def original_link(url: str, host: str) -> str | None:
    """Return an essay's original address, or None if it is not on the site of the essays."""
    try:
        parts = urlsplit(url)
        own = parts.scheme in {"http", "https"} and parts.netloc == host and "@" not in parts.netloc
    except ValueError:
        return None
    return url if own and not re.search(r"[\s<>\"'()\[\]\\]", url) else None


def essay_html(document: Document, spans: Sequence[tuple[int, int]]) -> str:
    """Return an essay with passages highlighted; text long before the first passage is folded."""
    marked = _merged(spans, len(document.text))
    earlier = (None, *(paragraph.where for paragraph in document.paragraphs))
    written = [
        _where(paragraph, before) + _paragraph(document.text, paragraph, marked)
        for paragraph, before in zip(document.paragraphs, earlier, strict=False)
    ]
    first = next((i for i, html in enumerate(written) if "<mark>" in html), 0)
    folded = max(first - _SHOWN_BEFORE, 0)
    if not folded:
        return f'<div class="essay">{"".join(written)}</div>'
    before = f"<details><summary>{folded} earlier paragraph{'s' * (folded > 1)}</summary>{''.join(written[:folded])}"
    return f'<div class="essay">{before}</details>{"".join(written[folded:])}</div>'


def _merged(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(start, 0), min(end, length)) for start, end in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif start < end:
            merged.append((start, end))
    return merged


def _where(paragraph: Paragraph, before: str | None) -> str:
    """Return the place of a paragraph, such as a page, if it is another than that of the one before."""
    is_new = paragraph.where and paragraph.where != before
    return f'<p class="quiet">{escape(paragraph.where or "")}</p>' if is_new else ""


def _paragraph(text: str, paragraph: Paragraph, marked: Sequence[tuple[int, int]]) -> str:
    tag = _BLOCKS[paragraph.kind]
    kind = ' class="note"' if paragraph.kind == "note" else ""
    turned = "" if paragraph.kind == "code" else ' dir="auto"'
    return f"<{tag}{kind}{turned}>{_highlighted(text, paragraph, marked)}</{tag}>"


def _highlighted(text: str, paragraph: Paragraph, marked: Sequence[tuple[int, int]]) -> str:
    written, at = [], paragraph.start
    for n in range(bisect_right(marked, at, key=itemgetter(1)), bisect_left(marked, (paragraph.end, 0))):
        start, end = max(marked[n][0], at), min(marked[n][1], paragraph.end)
        written += [escape(text[at:start]), f"<mark>{escape(text[start:end])}</mark>"]
        at = end
    return "".join([*written, escape(text[at : paragraph.end])])
