"""Equations of office files (OMML) as a line of text, such as `x^2 = (a + b)/c`."""

from __future__ import annotations

from typing import Final

from lxml import etree

from contextual_rag.readers.packed import local

__all__ = ["MATH", "equation"]

MATH: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
# What stands between the parts of an element, by ECMA-376, part 1, section 22.1; all others are joined.
_BETWEEN: Final = {
    "f": {"den": "/"},
    "sSup": {"sup": "^"},
    "sSub": {"sub": "_"},
    "sSubSup": {"sub": "_", "sup": "^"},
    "nary": {"sub": "_", "sup": "^", "e": " "},
    "func": {"e": " "},
    "limLow": {"lim": "_"},
    "limUpp": {"lim": "^"},
    "rad": {"e": "√"},
    "m": {"mr": "; "},
    "mr": {"e": " "},
    "eqArr": {"e": "; "},
}
_GROUPED: Final = frozenset({"num", "den", "sub", "sup", "deg"})
_INTEGRAL, _HAT = "∫", "\u0302"


def equation(element: etree._Element) -> str:
    """Return the text of an element of an equation and of all inside it."""
    name = local(element)
    if name == "t":
        return element.text or ""
    between = _BETWEEN.get(name, {})
    text = ""
    for one in element.iterchildren("{*}*"):
        part = local(one)
        said = "" if part.endswith("Pr") else equation(one)
        if not said:
            continue
        # Nothing precedes the first of several rows.
        text += between.get(part, "") if text or part not in {"mr", "e"} or name == "rad" else ""
        text += f"({said})" if part in _GROUPED and not said.isalnum() else said
    if name == "d":
        return _said(element, "begChr", "(") + text + _said(element, "endChr", ")")
    if name == "nary":
        return _said(element, "chr", _INTEGRAL) + text
    return text + _said(element, "chr", _HAT) if name == "acc" else text


def _said(element: etree._Element, name: str, usual: str) -> str:
    """Return the character that the properties of an element name."""
    for one in element.iterchildren("{*}*"):
        if local(one).endswith("Pr"):
            for said in one.iterchildren("{*}" + name):
                return str(next(iter(said.attrib.values()), ""))
    return usual
