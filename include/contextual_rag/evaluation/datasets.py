"""Questions with the words that answer them, one JSON object per line."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, model_validator

from contextual_rag.errors import CorruptObjectError
from contextual_rag.record import StrictRecord

__all__ = ["UNANSWERABLE", "Question", "Reference", "holds", "read_questions"]

UNANSWERABLE: Final = ("foreign", "untold")
"""The kinds of questions that the essays do not answer: about other subjects, and about facts that they leave out."""

# Signs that are written in several shapes.
_SHAPES: Final = str.maketrans("‘’‚‛“”„‟–—‒−‐‑", "''''\"\"\"\"------")


class Reference(StrictRecord):
    """The exact words of an essay that answer a question."""

    slug: str
    content: str


class Question(StrictRecord):
    """A question, and what answers it.

    `references` are all passages that together answer it: the search is measured by them. `holds` are words that a
    right answer holds, each of them; `a|b` is one or the other, and `a*` is every word that starts with a. `kind` is a
    name for questions of a sort; those in `UNANSWERABLE` have no answer, and the right one is that the essays do not
    say. `after` is the question that the reader asked before this one.
    """

    question: Annotated[str, Field(min_length=1)]
    references: tuple[Reference, ...] = ()
    holds: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z -]{0,30}$")] = "fact"
    after: str | None = None

    @model_validator(mode="after")
    def _says_what_is_right(self) -> Self:
        if bool(self.references or self.holds) == self.is_unanswerable:
            raise ValueError(
                "references or holds say what answers a question; one of the kind foreign or untold has neither"
            )
        return self

    @property
    def is_unanswerable(self) -> bool:
        """Whether the right answer is that the essays do not say."""
        return self.kind in UNANSWERABLE

    @property
    def judges_answers(self) -> bool:
        """Whether it says what a right answer is."""
        return bool(self.holds) or self.is_unanswerable


def holds(text: str, wanted: str) -> bool:
    """Whether a text holds words as `Question.holds` has them: whole words in their order, in any case and shape."""
    return any(re.search(_pattern(one), _plain(text)) for one in wanted.split("|"))


def read_questions(body: bytes, name: str) -> list[Question]:
    """Return the questions of a JSONL file. Raises CorruptObjectError with file and line."""
    questions = []
    for number, line in enumerate(body.decode(errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            questions.append(Question.model_validate_json(line))
        except ValidationError as error:
            fault = error.errors()[0]
            raise CorruptObjectError(
                f"{name}, line {number} is not a question: {'.'.join(map(str, fault['loc']))} {fault['msg']}. Each "
                'line is {"question": …, "references": [{"slug": …, "content": …}], "holds": […]}; docs/evaluation.md '
                "lists all fields."
            ) from None
    return questions


def _pattern(words: str) -> str:
    plain = _plain(words.removesuffix("*"))
    return f"{_edge(plain[:1], before=True)}{re.escape(plain)}" + ("" if words.endswith("*") else _edge(plain[-1:]))


def _edge(sign: str, *, before: bool = False) -> str:
    """Return the pattern for where a word begins or ends, beside its first or last sign."""
    if sign.isdecimal():
        return r"(?<!\w)(?<!\d[.,])" if before else r"(?!\w|[.,]\d)"
    # Scripts without capitals may write words without spaces between them.
    if sign.lower() != sign.upper():
        return r"(?<!\w)" if before else r"(?!\w)"
    return ""


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_SHAPES).casefold().split())
