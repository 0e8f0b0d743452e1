"""A question with misspelt words → the same question with the words that the essays have in their place."""

from __future__ import annotations

import re

from contextual_rag.languages import ENGLISH, asked_in
from contextual_rag.ports import Index

__all__ = ["respelled"]

_WORD = re.compile(r"[^\W\d_]+")


def respelled(index: Index, question: str) -> str | None:
    """Return the question with its misspelt words corrected, or None if there are none.

    What is a word is known of English alone: in a question in another language, none is taken for misspelt.
    """
    if asked_in(question, index.languages) != ENGLISH:
        return None

    def corrected(word: re.Match[str]) -> str:
        meant = index.respelled(word[0])
        return word[0] if meant is None else meant.capitalize() if word[0][0].isupper() else meant

    other = _WORD.sub(corrected, question)
    return None if other == question else other
