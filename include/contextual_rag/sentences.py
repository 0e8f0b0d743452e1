"""Where sentences end: one rule, for passages, answers, and the questions that are made from essays.

sentencex knows the abbreviations, initials and signs of some 250 languages (Wikimedia's rules). What stands right after
a stop belongs to its sentence: closing quotation marks and brackets, numbers of notes, white space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sentencex import get_sentence_boundaries

from contextual_rag.languages import ENGLISH

__all__ = ["is_ended", "sentences"]

_CLOSING: Final = r"[\"'”’»」』）)\]*_]"
_NOTES: Final = r"(?:\s*\[\d+(?:,\s*\d+)*\])*"
_ENDED: Final = re.compile(rf"[.!?:;…。！？；：।॥؟۔։؛]{_CLOSING}*{_NOTES}\s*$")
# Ends that sentencex leaves out, if no small letter follows: after three dots in one, and after a closing sign.
_FURTHER: Final = re.compile(rf"(?:[.!?。！？؟۔।]{_CLOSING}+|\w…{_CLOSING}*){_NOTES}\s+(?=[^\W\d_]|[“«‘¿¡\"(\[*])")
_AFTER: Final = re.compile(rf"(?:(?<=\S){_CLOSING}+(?=\s|$))?{_NOTES}\s*")
# Ends that it should leave out: after titles; after what is shortened, before a small letter or a number; before "と".
_TITLE: Final = re.compile(r"(?<!\w)(?:mme|mlle|mgr|mevr|dr|dra|st|p[aá]g|им)\.\s+$", re.IGNORECASE)
_SHORT: Final = re.compile(
    r"(?<!\w)(?:ap?prox|est|eq|max|incl|tel|resp|vol|eds?|figs|ex|kl|dvs|др|е)\.\s+$|[」』]$", re.IGNORECASE
)
_GOING_ON: Final = re.compile(r"[\d\u3041-\u3096]")
_LONGEST: Final = 12
# The number of an item, an initial, or white space alone is no sentence.
_ITEM: Final = re.compile(r"\s*+(?:\(?(?:\d{1,3}|[^\W\d_])[.)]\s*+)?")
_PARAGRAPH: Final = re.compile(r"\n\s*\n\s*")
# sentencex breaks down at other white space, and takes the square of the time for quotation marks that never close.
_WHITE: Final = re.compile(r"[^\S\n]")
_WINDOW: Final = 4000
# By script, the language whose rules know its abbreviations and signs, for what English essays quote.
_SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("hy", re.compile(r"[\u0530-\u058f]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
)


def sentences(text: str, language: str = ENGLISH) -> list[tuple[int, int]]:
    """Return the spans of a text's sentences, in order. Joined, they are the text; a paragraph's end ends one too."""
    spaced = _WHITE.sub(" ", text)
    cuts = [found.end() for found in _PARAGRAPH.finditer(spaced, len(text) - len(text.lstrip()))]
    ends: list[int] = []
    for stop in dict.fromkeys((*cuts, len(text))):
        ends += _ends(spaced, ends[-1] if ends else 0, stop, language)
    return list(zip([0, *ends], ends, strict=False))


def is_ended(text: str) -> bool:
    """Whether a text ends as a sentence does, or with the colon or semicolon of one that goes on."""
    return bool(_ENDED.search(text))


def _ends(text: str, start: int, stop: int, language: str) -> Iterator[int]:
    """Yield where the sentences of a paragraph end."""
    while start < stop:
        window = text[start : min(start + _WINDOW, stop)]
        found = {one.end() for one in _FURTHER.finditer(window) if not window[one.end()].islower()}
        after = (_AFTER.match(window, end) for end in sorted(found.union(_boundaries(window, language))))
        ends = [end for end in dict.fromkeys(one.end() for one in after if one) if _is_end(window, end)]
        ends = [end for first, end in zip([0, *ends], ends, strict=False) if not _ITEM.fullmatch(window, first, end)]
        # The last sentence of a window may go on in the next one.
        if not ends or start + len(window) == stop:
            ends.append(len(window))
        yield from (start + end for end in ends)
        start += ends[-1]


def _is_end(text: str, end: int) -> bool:
    if end == len(text) or _TITLE.search(text, max(end - _LONGEST, 0), end):
        return False
    is_open = text[end].islower() or _GOING_ON.match(text, end)
    return not (is_open and _SHORT.search(text, max(end - _LONGEST, 0), end))


def _boundaries(text: str, language: str) -> Iterator[int]:
    if not text.isascii() and language == ENGLISH:
        language = next((language for language, script in _SCRIPTS if script.search(text)), ENGLISH)
    end = 0
    for boundary in get_sentence_boundaries(language, text):
        end += len(boundary["text"])
        yield end
