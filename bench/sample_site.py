"""The sample site's first day as a corpus in memory, with its questions; no stores, no network.

Tests and quality measurements use the same questions and definitions.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from contextual_rag.commands.trial import Text
from contextual_rag.evaluation.corpora import SpanQuestion
from contextual_rag.evaluation.datasets import UNANSWERABLE, Question, Reference, read_questions
from contextual_rag.evaluation.metrics import Span, recall
from contextual_rag.evaluation.scores import Searched
from contextual_rag.model import Document, IndexedChunk
from contextual_rag.qa.query import Exchange, rewrite
from contextual_rag.readers.html import parse_document
from contextual_rag.readers.index_page import read_index

__all__ = ["FOLLOW_UP_K", "FollowUp", "Sample", "SampleIndex", "read_sample"]

FOLLOW_UP_K = 5
_FOLDER = Path(__file__).parents[1] / "sample_site"
_EDITION = _FOLDER / "day1"
_SOURCE = "http://127.0.0.1/articles.html"


class FollowUp(NamedTuple):
    """A line of `conversations.jsonl`: a follow-up question, and the full question that it stands for."""

    line: int
    history: list[Exchange]
    question: str
    standalone: str
    references: tuple[Reference, ...]

    @property
    def rewritten(self) -> str:
        """The standalone question by the offline rule."""
        return rewrite(self.question, self.history, None).question


class Sample(NamedTuple):
    """The essays of the first day, and questions: about them, in conversations, and about other subjects.

    `foreign` are questions about subjects of no essay; `untold` ask for missing facts about subjects of an essay.
    """

    documents: tuple[Document, ...]
    questions: tuple[Question, ...]
    follow_ups: tuple[FollowUp, ...]
    foreign: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def texts(self) -> list[Text]:
        """The essays in a trial's form."""
        return [Text(document.slug, document.text, document=document) for document in self.documents]

    def spans(self, references: Sequence[Reference]) -> tuple[Span, ...]:
        """Return the spans of the references' words. Raises ValueError if they are missing."""
        texts = {document.slug: document.text for document in self.documents}
        starts = [texts[reference.slug].index(reference.content) for reference in references]
        return tuple(
            Span(reference.slug, start, start + len(reference.content))
            for reference, start in zip(references, starts, strict=True)
        )

    def located(self) -> list[SpanQuestion]:
        """Return the questions with the characters that answer them."""
        return [SpanQuestion(one.question, self.spans(one.references)) for one in self.questions]

    def about(self, slugs: Collection[str]) -> Sample:
        """Return the part of the sample about these essays only, and all questions without an answer."""
        return Sample(
            tuple(document for document in self.documents if document.slug in slugs),
            tuple(one for one in self.questions if all(reference.slug in slugs for reference in one.references)),
            tuple(one for one in self.follow_ups if all(reference.slug in slugs for reference in one.references)),
            self.foreign,
            self.untold,
        )


@dataclass(frozen=True)
class SampleIndex:
    """The sample, and an open index of its essays."""

    sample: Sample
    searched: Searched

    def recall(self, question: str, references: Sequence[Reference], k: int = FOLLOW_UP_K) -> float:
        """Return the share of the references' characters in the k best chunks."""
        found = self.searched.first(question, k)
        return recall(self.sample.spans(references), [Span(chunk.slug, chunk.start, chunk.end) for chunk in found])

    def first(self, question: str, k: int = FOLLOW_UP_K) -> list[IndexedChunk]:
        """Return the k best chunks."""
        return self.searched.first(question, k)

    def found_and_whole(self, follow_up: FollowUp) -> tuple[float, float]:
        """Return the recall of a follow-up by the offline rule, and that of its full question.

        A follow-up is as good as possible if the first is not less than the second.
        """
        return (
            self.recall(follow_up.rewritten, follow_up.references),
            self.recall(follow_up.standalone, follow_up.references),
        )


def read_sample() -> Sample:
    """Return the sample site of the repository."""
    listed = read_index((_EDITION / "articles.html").read_bytes(), _SOURCE).entries
    questions = read_questions((_FOLDER / "questions.jsonl").read_bytes(), "questions.jsonl")
    return Sample(
        tuple(parse_document((_EDITION / f"{entry.slug}.html").read_bytes(), entry) for entry in listed),
        tuple(one for one in questions if one.references),
        tuple(_follow_up(n, line) for n, line in enumerate(_lines("conversations.jsonl"), 1)),
        *(tuple(one.question for one in questions if one.kind == kind) for kind in UNANSWERABLE),
    )


def _lines(name: str) -> list[str]:
    return (_FOLDER / name).read_text(encoding="utf-8").splitlines()


def _follow_up(number: int, line: str) -> FollowUp:
    fields = json.loads(line)
    return FollowUp(
        number,
        [Exchange(**exchange) for exchange in fields["history"]],
        fields["question"],
        fields["standalone"],
        tuple(Reference.model_validate(reference) for reference in fields["references"]),
    )
