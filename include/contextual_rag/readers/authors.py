"""Who wrote a document, as its page or file says it: a name for each person, cleaned of what is none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from contextual_rag.readers.characters import tidy

__all__ = ["authors_in", "names_in"]

_MOST, _LONGEST = 50, 200
_BY: Final = re.compile(r"(?:(?:written|posted)\s+)?by\s+", re.IGNORECASE)
# What programs and templates write where nobody gave a name.
_NOBODY: Final = frozenset({
    "admin", "administrator", "anonymous", "author", "editor", "guest", "microsoft office user", "openpyxl",
    "python-docx", "root", "staff", "unknown", "user", "webmaster", "xlsxwriter",
})  # fmt: skip
# Names of one word are those of firms, and "Quill, Agnes" is one person.
_PERSON: Final = re.compile(r"[^\W\d_][\w.’'-]*+(?:\s++[\w.’'-]++){1,3}")
_BETWEEN: Final = re.compile(r",? (?:and|&) | ?, ")


def names_in(found: Iterable[str]) -> tuple[str, ...]:
    """Return the names in what was given as authors, each once: neither an address, nor what only a program writes."""
    names: dict[str, str] = {}
    for text in found:
        for part in text[: _MOST * _LONGEST].split(";"):
            said = _BY.sub("", tidy(part), count=1).strip(" ,")
            several = _BETWEEN.split(said)
            for name in several if all(map(_PERSON.fullmatch, several)) else [said]:
                if _is_name(name):
                    names.setdefault(name.casefold(), name)
    return tuple(names.values())[:_MOST]


def authors_in(value: object) -> tuple[str, ...]:
    """Return the names in a value of JSON or YAML: a name, an object that has one, or a list of these."""
    values = value if isinstance(value, list) else [value]
    names = (one.get("name") if isinstance(one, dict) else one for one in values[:_MOST])
    return names_in(name for name in names if isinstance(name, str))


def _is_name(text: str) -> bool:
    said = text.casefold()
    is_address = "://" in said or said.startswith(("www.", "@", "#")) or ("@" in said and " " not in said)
    return any(map(str.isalpha, said)) and len(said) <= _LONGEST and not is_address and said not in _NOBODY
