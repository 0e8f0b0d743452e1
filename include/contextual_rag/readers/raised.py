"""Superscripts and subscripts as plain text: powers and indices keep their sense, numbers of notes stay apart."""

from __future__ import annotations

import re

from bs4 import Tag
from bs4.element import NavigableString, PageElement

from contextual_rag.readers.characters import tidy

__all__ = ["raised"]

# More than this is text that happens to stand high.
_LONGEST = 24
_NODES = 12
_NOTE = re.compile(r"\[?\(?(\d{1,3}|[a-z]|[ivx]{2,5})\)?\]?", re.IGNORECASE)
_NOTES = re.compile(r"[\[(]?\d{1,3}[\])]?(?:\s?[,;–-]\s?[\[(]?\d{1,3}[\])]?)+")
_NOTE_CLASS = re.compile(r"foot-?note|end-?note|note-?ref|fn-?ref|reference|citation|side-?note", re.IGNORECASE)
_ABBREVIATION = re.compile(r"[^\W\d_]{2,}\.?|[°™®©]|[^\w\s]+")
_EXPRESSION = re.compile(r"[\w.,+\-−–*/=()′'°]{1,16}(?:\s?[+\-−=]\s?\w{1,8})*")
# What a power belongs to: a number, a letter, a unit, the name of a function, an ion, a closing bracket.
_POWERED = re.compile(
    r"(?:\d|[)\]]|(?:^|[\W\d_])(?:[^\W\d_]|mc|[cdkmµnp]m|ft|yd|mi|sec|min|sin|cos|tan|log|exp)|[A-Z][a-z]?)\Z"
)
_YEAR_OR_ASIDE = re.compile(r"(?:(?:^|[^\w.,])(?:1[5-9]|20)\d\d|\((?=[^()]*[^\W\d_]{4})[^()]*+\))\Z")
_PRICE = re.compile(r"[$€£¥]\s?[\d.,]+\Z")
_ONE_LETTER = re.compile(r"(?:^|[\W\d_])[^\W\d_]\Z")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?|\))\Z")


def raised(tag: Tag, before: str) -> str | None:  # noqa: PLR0911
    """Return what a `<sup>`, `<sub>` or link adds to the text before it, None if its text is read as any other.

    10<sup>6</sup> is 10^6, H<sub>2</sub>O is H2O, x<sub>i</sub> is x_i and 19<sup>th</sup> is 19th. The number of a
    note becomes ` [1]`, as essays write it. It is one if it links to a place of the page, or follows a word or the end
    of a sentence.
    """
    if tag.name == "a" and not (str(tag.get("href", "")).startswith("#") and before.strip()[-1:] not in ("", "[", "(")):
        return None
    text = _short_text(tag)
    if not text or tag.name == "a":
        return _marked(text) if text and text.strip("[]").isdecimal() else None
    if tag.name == "sub":
        return _lowered(text, before) if before.strip() and not before[-1].isspace() else None
    if not before.strip():
        return _marked(text) if text.isdecimal() else None
    if _is_linked_note(tag):
        return _marked(text)
    if _is_ending(text, before):
        return text
    if _PRICE.search(before) and len(text) == 2 and text.isdecimal():  # noqa: PLR2004
        return f".{text}"
    if not (_is_base(text, before) and _EXPRESSION.fullmatch(text)):
        return _marked(text)
    return f"^{text}" if re.fullmatch(r"[-−+]?\w+", text) else f"^({text})"


def _is_ending(text: str, before: str) -> bool:
    """Return whether it ends a word, as in 19th, 2e, Nº, Mme, or is a sign of its own."""
    if len(text) == 1 and text in "aeoªº":
        return before[-1].isdigit() or (before[-1] in "Nn" and bool(_ONE_LETTER.search(before)))
    return bool(_ABBREVIATION.fullmatch(text))


def _is_base(text: str, before: str) -> bool:
    """Return whether what stands before can have a power."""
    if _YEAR_OR_ASIDE.search(before) or _PRICE.search(before):
        return not text.isdecimal()
    found = _POWERED.search(before)
    # It, He and We are words, Ca and Na are ions where a charge follows.
    is_word = found is not None and found[0].isalpha() and len(found[0]) == 2 and found[0].istitle()  # noqa: PLR2004
    return found is not None and (not is_word or bool(re.search(r"[+\-−]", text)))


def _lowered(text: str, before: str) -> str | None:
    if not _EXPRESSION.fullmatch(text):
        return None
    if text.isdecimal() and _FORMULA.search(before):
        return text
    return f"_{text}" if re.fullmatch(r"\w+", text) else f"_({text})"


def _marked(text: str) -> str | None:
    """Return a note's mark, if the text is the name of one."""
    if note := _NOTE.fullmatch(text):
        return f" [{note[1]}]"
    if _NOTES.fullmatch(text):
        return "".join(f" [{number}]" for number in re.findall(r"\d+", text))
    return None


def _is_linked_note(tag: Tag) -> bool:
    """Return whether a superscript is, holds or stands in a link to a note."""
    near = [tag, *(child for child in tag.contents[:_NODES] if isinstance(child, Tag))]
    near += [tag.parent] if tag.parent is not None and tag.parent.name in ("a", "span") else []
    for one in near:
        named = " ".join([*one.get_attribute_list("class"), str(one.get("id", "")), str(one.get("role", ""))])
        if str(one.get("href", "")).startswith("#") or _NOTE_CLASS.search(named):
            return True
    return False


def _short_text(tag: Tag) -> str | None:
    """Return the text of an element if it is short."""
    words: list[str] = []
    left: list[PageElement] = [tag]
    for _ in range(_NODES):
        if not left:
            text = tidy("".join(words))
            return text if len(text) <= _LONGEST else None
        node = left.pop()
        if isinstance(node, Tag):
            left += reversed(node.contents[:_NODES])
        elif type(node) is NavigableString:
            words.append(node[: _LONGEST + 1])
    return None
