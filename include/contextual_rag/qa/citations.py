"""Citations: find the quotations in an answer, and check that the cited passage contains them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from contextual_rag.model import IndexedChunk

__all__ = ["Citation", "check", "locate", "without_notes"]

_MARK = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_QUOTED = re.compile(r"“([^“”]+)”|\"(?=\S)([^\"]+)(?<=\S)\"")
# An essay's references to its own notes look like an answer's references to passages.
_NOTE = re.compile(rf"\s*{_MARK.pattern}")
# Each character maps to one character, so that positions stay valid in the original text.
_SAME = str.maketrans(dict.fromkeys('’‘“”"', "'") | {"–": "-", "—": "-", "\u00a0": " "})
_MIN_QUOTED_WORDS = 3


class Citation(NamedTuple):
    """One `[n]` of an answer: the nth passage, and the words quoted from it.

    If `verified`, `quote` is the passage's own text, at `start:end` of the essay's text. Otherwise the answer quoted
    nothing, or words that the passage does not contain: `quote` is those words, and the span is the whole passage.
    """

    n: int
    chunk: IndexedChunk
    quote: str
    start: int
    end: int
    verified: bool


def check(answer: str, passages: Sequence[IndexedChunk]) -> tuple[str, list[Citation]]:
    """Return the answer without invalid marks, and a citation for each mark that names a passage.

    Quoted words before a mark must occur in the passage that the mark names. White space, letter case, and the shapes
    of quotes and dashes are ignored. Marks that a quotation copies from the essay are removed.
    """
    answer = _QUOTED.sub(lambda quoted: _noteless(quoted, passages), answer)
    citations: list[Citation] = []
    seen: set[tuple[int, str]] = set()
    last_end = 0
    for mark in _MARK.finditer(answer):
        quotes = [(a or b).strip() for a, b in _QUOTED.findall(answer[last_end : mark.start()])]
        last_end = mark.end()
        for n in (int(number) for number in mark[1].split(",")):
            if not 1 <= n <= len(passages):
                continue
            for citation in _cited(n, passages[n - 1], quotes):
                if (n, citation.quote) not in seen:
                    seen.add((n, citation.quote))
                    citations.append(citation)
    return _MARK.sub(lambda mark: _valid_mark(mark, len(passages)), answer), citations


def _cited(n: int, passage: IndexedChunk, quotes: Sequence[str]) -> list[Citation]:
    cited = []
    for quote in quotes:
        if len(quote.split()) < _MIN_QUOTED_WORDS:
            continue
        span = locate(quote, passage.text) or locate(_trimmed(quote), passage.text)
        if span:
            text = passage.text[span[0] : span[1]]
            cited.append(Citation(n, passage, text, passage.start + span[0], passage.start + span[1], True))
        else:
            cited.append(Citation(n, passage, quote, passage.start, passage.end, False))
    return cited or [Citation(n, passage, "", passage.start, passage.end, False)]


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return the span of `text` that a quotation repeats, with or without note marks, or None."""
    words = quote.translate(_SAME).split()
    if not words:
        return None
    pattern = re.compile(r"\s+".join(re.escape(word) for word in words), re.IGNORECASE)
    text = text.translate(_SAME)
    if match := pattern.search(text):
        return match.span()
    noted = {i for note in _NOTE.finditer(text) for i in range(*note.span())}
    kept = [i for i in range(len(text)) if i not in noted] if noted else []
    match = pattern.search("".join(text[i] for i in kept))
    return (kept[match.start()], kept[match.end() - 1] + 1) if match else None


def without_notes(text: str) -> str:
    """Return a text without its note marks."""
    return _NOTE.sub("", text).strip()


def _noteless(quoted: re.Match[str], passages: Sequence[IndexedChunk]) -> str:
    """Remove note marks from a quotation. A mark that no passage has at this place belongs to the answer; keep it."""
    quote = quoted[1] or quoted[2]
    if _NOTE.search(quote) and any(locate(quote, passage.text) for passage in passages):
        return quoted[0].replace(quote, without_notes(quote))
    return quoted[0]


def _trimmed(quote: str) -> str:
    """Remove the answer's own punctuation and ellipses from the ends of a quotation."""
    return quote.strip(" .,…")


def _valid_mark(mark: re.Match[str], passages: int) -> str:
    numbers = [n.strip() for n in mark[1].split(",") if 1 <= int(n) <= passages]
    return f"[{', '.join(numbers)}]" if numbers else ""
