"""What a page shows as a picture, or has a script draw, and says in words too: formulas, and first letters."""

from __future__ import annotations

import re
from typing import Final

from bs4 import Tag
from bs4.element import NavigableString

from contextual_rag.readers.characters import tidy
from contextual_rag.readers.markup import text_of

__all__ = ["formula_of", "is_drawn", "words_of"]

_FORMULA: Final = re.compile(r"(?:^|[\W_])(?:math|latex|tex|mathtex|equation|mwe)(?:$|[\W_])", re.IGNORECASE)
# How a wiki writes that a formula stands in a line.
_STYLED: Final = re.compile(r"\{\\(?:display|text)style\s++(.*)\}", re.DOTALL)
_LONGEST: Final = 2000


def words_of(image: Tag) -> str:
    """Return what a picture says, if it is a part of the text around it: a formula, or the first letter of a word."""
    said = tidy(str(image.get("alt", ""))[:_LONGEST])
    if len(said) == 1 and said.isalpha():
        after = image.next_sibling
        return said if type(after) is NavigableString and after[:1].islower() else ""
    named = " ".join([*map(str, image.get_attribute_list("class")), str(image.get("src", ""))[:_LONGEST]])
    return _plain(said) if said and _FORMULA.search(named) else ""


def formula_of(tag: Tag) -> str:
    """Return the formula that an element holds as its author wrote it, if it does."""
    if tag.name == "script":
        return tidy(str(tag.string or "")) if str(tag.get("type", "")).startswith("math/tex") else ""
    source = tag.find("annotation", encoding="application/x-tex")
    return _plain(text_of(source)) if isinstance(source, Tag) else ""


def is_drawn(tag: Tag) -> bool:
    """Return whether an element is what a script drew of the formula that stands after it."""
    names = [str(one) for one in tag.get_attribute_list("class")] if tag.name in ("span", "div") else []
    if not any(name.startswith(("MathJax", "mjx-")) for name in names):
        return False
    after = tag.find_next_sibling("script")
    return isinstance(after, Tag) and bool(formula_of(after))


def _plain(formula: str) -> str:
    found = _STYLED.fullmatch(formula)
    return found[1] if found else formula
