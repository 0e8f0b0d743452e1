"""What readers said about answers: as records for people, and as questions that judge later answers."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from contextual_rag.conversation.model import Turn
from contextual_rag.evaluation.datasets import Question, Reference
from contextual_rag.record import Record

__all__ = ["Feedback", "feedback_of", "question_of"]

_RATINGS: Final[dict[int | None, Literal["up", "down", "none"]]] = {1: "up", -1: "down", None: "none"}


class Feedback(Record):
    """What a reader said about an answer: the rating and the words, with question and answer; not who it was.

    `asked` is the question as it was searched, which can be understood without the conversation before it.
    """

    asked_at: datetime
    rating: Literal["up", "down", "none"]
    comment: str
    question: str
    asked: str
    answer: str
    status: str
    version: str | None
    model: str


def feedback_of(turn: Turn) -> Feedback | None:
    """Return what was said about a turn's answer; None while it has none."""
    answer = turn.answer
    if answer is None:
        return None
    return Feedback(
        asked_at=turn.created_at,
        rating=_RATINGS[turn.feedback],
        comment=turn.comment,
        question=turn.question,
        asked=answer.asked or turn.question,
        answer=answer.text,
        status=answer.status,
        version=answer.version,
        model=answer.model,
    )


def question_of(turn: Turn) -> Question | None:
    """Return the question that an answer with a thumb up makes; None if nobody said what is right.

    A right answer then holds one of the quotations that were found in the essays, which also measure the search. If
    nothing was answered, and the reader agreed, the question is one that the essays leave untold.
    """
    answer = turn.answer
    if answer is None or _RATINGS[turn.feedback] != "up":
        return None
    asked = answer.asked or turn.question
    if answer.status == "abstained":
        return Question(question=asked, kind="untold")
    slugs = {source.n: source.chunk.slug for source in answer.sources}
    found = {
        one.quote: Reference(slug=slugs[n], content=one.quote)
        for one in answer.citations
        if one.verified and (n := one.n or one.found_in) in slugs
    }
    quoted = [" ".join(quote.split()) for quote in found if "|" not in quote]
    if not quoted:
        return None
    # The first quotation is the one that the others add to.
    return Question(question=asked, references=(next(iter(found.values())),), holds=("|".join(quoted),), kind="liked")
