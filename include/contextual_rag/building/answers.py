"""A version's answers beside its search: which questions are asked, and what the answers come to together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from contextual_rag.evaluation.answers import Judged, means
from contextual_rag.evaluation.datasets import Question
from contextual_rag.qa.citations import locate
from contextual_rag.versions.records import ANSWER_FIGURES

__all__ = ["FALLEN_SHOWN", "answerable", "fell_in_answers", "of_answers", "shortened"]

FALLEN_SHOWN: Final = 3
_QUESTION_SHOWN: Final = 80
# An answer takes some hundred milliseconds, or a call of the chat model: every night asks only so many.
_MOST: Final = 30
# What each number of questions is called, by a figure that all of them have.
_COUNTS: Final = {name: count for count, name in {count: name for name, count in ANSWER_FIGURES.items()}.items()}


def answerable(texts: Mapping[str, str], questions: Sequence[Question]) -> list[Question]:
    """Return the questions that judge answers and whose references are in the essays: up to 30, spread over all."""
    judged = [
        question
        for question in questions
        if question.judges_answers and all(locate(one.content, texts.get(one.slug, "")) for one in question.references)
    ]
    few = min(_MOST, len(judged))
    return [judged[n * len(judged) // few] for n in range(few)]


def of_answers(answers: Mapping[Question, Judged]) -> dict[str, float]:
    """Return the figures of a version's answers, and how many there are of each kind of questions."""
    if not answers:
        return {}
    mean = means([judged.figures for judged in answers.values()])
    counts = Counter(count for one in answers.values() for name, count in _COUNTS.items() if name in one.figures)
    return {name: round(mean[name], 4) for name in ANSWER_FIGURES if name in mean} | dict(counts)


def fell_in_answers(before: Mapping[Question, Judged], after: Mapping[Question, Judged]) -> tuple[str, ...]:
    """Return questions that were answered rightly and are not any more, with what is wrong now."""
    fallen = [
        f"“{shortened(question.question)}” {after[question].wrong}"
        for question, then in before.items()
        if any(then.figures.get(name, 0) > after[question].figures.get(name, 0) for name in ("answered", "silent"))
    ]
    return tuple(fallen[:FALLEN_SHOWN])


def shortened(question: str) -> str:
    """Return a question in one line of limited length."""
    words = " ".join(question.split())
    return words if len(words) <= _QUESTION_SHOWN else f"{words[: _QUESTION_SHOWN - 1].rstrip()}…"
