"""Questions with the words that answer them, one JSON object per line."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationError

from contextual_rag.errors import CorruptObjectError
from contextual_rag.record import StrictRecord

__all__ = ["Question", "Reference", "read_questions"]


class Reference(StrictRecord):
    """The exact words of an essay that answer a question."""

    slug: str
    content: str


class Question(StrictRecord):
    """A question, and all passages that together answer it."""

    question: str
    references: Annotated[tuple[Reference, ...], Field(min_length=1)]


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
                'line is {"question": …, "references": [{"slug": …, "content": …}]}.'
            ) from None
    return questions
