"""Questions that the page offers: those that a version's essays are known to answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from contextual_rag.evaluation.datasets import Question

__all__ = ["answerable", "related"]


def answerable(questions: Sequence[Question], slugs: Collection[str]) -> list[Question]:
    """Return the questions whose answers all stand in these essays, and that need no question before them."""
    return [
        one
        for one in questions
        if one.references and not one.after and {reference.slug for reference in one.references} <= set(slugs)
    ]


def related(questions: Sequence[Question], asked: Collection[str], slugs: Sequence[str], count: int) -> list[str]:
    """Return up to `count` questions that were not asked, about essays that an answer cites, in their order."""
    known = {" ".join(one.casefold().split()) for one in asked}
    fresh = [one for one in questions if " ".join(one.question.casefold().split()) not in known]
    near = {slug: [one.question for one in fresh if one.references[0].slug == slug] for slug in dict.fromkeys(slugs)}
    return list(dict.fromkeys(question for some in near.values() for question in some))[:count]
