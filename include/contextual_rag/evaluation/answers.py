"""Whether answers are right: what each comes to, and means over all with their intervals.

| figure | over | meaning: the share of … |
| --- | --- | --- |
| `answered` | answerable questions | answers that hold all words of `Question.holds` |
| `answered_first` | answerable questions | answers whose first quotation holds them; without one, the first statement |
| `replied` | answerable questions | answers that are not “the essays do not say” |
| `silent` | unanswerable questions | answers that are |
| `citation_recall_by_words` | replies | statements that the passages support which they cite |
| `citation_precision_by_words` | replies | citations that are needed |
| `grounded_by_words` | replies | statements that any of the passages found support, cited or not |

The last three are also there as `…_by_model`, if a chat model judged. See `statements` for their source and the rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, quantiles
from typing import Any, Final, NamedTuple

import numpy as np

from contextual_rag.errors import RefusalError
from contextual_rag.evaluation.bootstrap import Difference, differences, intervals
from contextual_rag.evaluation.datasets import Question, holds
from contextual_rag.evaluation.statements import Supports, cites, statements, supported_by_words
from contextual_rag.languages import ENGLISH
from contextual_rag.noun import noun
from contextual_rag.ports import ChatModel, EmbeddingModel, Index, RerankModel, VectorStore
from contextual_rag.qa.answer import Answer, answer, checked
from contextual_rag.qa.citations import without_notes
from contextual_rag.qa.prompt import nothing_found
from contextual_rag.qa.query import Exchange, rewrite
from contextual_rag.qa.tokens import count_words
from contextual_rag.record import Record

__all__ = ["AnswerReport", "Judged", "Outcome", "answer_question", "compared", "judge", "means"]

_DIGITS: Final = 4
_OF_COLLECTION = "collection"
_OF_CITES: Final = {"citation_recall": "recall", "citation_precision": "precision", "grounded": "grounded"}


class Judged(NamedTuple):
    """The figures of one answer, 0 to 1, and what is wrong with it in words, if anything is."""

    figures: dict[str, float]
    wrong: str | None


class Outcome(Record):
    """A question with its answer, as it is stored: its figures, what is wrong, how long it was and what it took."""

    question: str
    kind: str
    after: str | None = None
    answer: str
    abstained: bool
    figures: dict[str, float]
    wrong: str | None = None
    words: int
    milliseconds: float
    cost_usd: float

    @classmethod
    def of(cls, question: Question, answered: Answer, judged: Judged) -> Outcome:
        """Return what a question came to."""
        return cls(
            **question.model_dump(include={"question", "kind", "after"}),
            answer=answered.text,
            abstained=answered.abstained,
            figures=judged.figures,
            wrong=judged.wrong,
            words=0 if answered.abstained else count_words(without_notes(answered.text)),
            milliseconds=round(sum(answered.milliseconds.values()), 1),
            cost_usd=answered.usage.cost_usd,
        )


def answer_question(
    index: Index,
    vectors: VectorStore,
    embedder: EmbeddingModel,
    question: Question,
    *,
    chat: ChatModel | None,
    reranker: RerankModel | None = None,
    reader: RerankModel | None = None,
) -> Answer:
    """Answer a question as production does; if it follows another one, after that one has been answered.

    A question that the model refuses counts as not answered.
    """

    def ask(asked: str) -> Answer:
        try:
            return answer(index, vectors, embedder, asked, chat=chat, reranker=reranker, reader=reader)
        except RefusalError:
            return Answer(nothing_found(), True, [], [], index.version, {})

    history = [Exchange(question.after, ask(question.after).text)] if question.after else []
    return ask(rewrite(question.question, history, chat).question)


def judge(question: Question, answered: Answer, by_model: Supports | None = None) -> Judged:
    """Return what an answer comes to, by rule and, if there is a judge, by the judge too."""
    figures: dict[str, float] = {}
    wrong = None
    # Numbers of citations are no words of the answer.
    passages = [hit.chunk for hit in answered.hits]
    marks = checked(answered.text, passages).marks
    language = passages[0].language if passages else ENGLISH
    said = [one.text for one in statements(answered.text, marks, language)]
    if question.is_unanswerable:
        figures["silent"] = float(answered.abstained)
        wrong = None if answered.abstained else f"answered, and the {noun().many} do not say it"
    elif question.holds:
        text = "" if answered.abstained else "\n".join(said)
        first = next((one.quote for one in answered.citations if one.state == "found"), said[0] if said else "")
        lacking = [words for words in question.holds if not holds(text, words)]
        figures["answered"] = float(not lacking)
        figures["answered_first"] = float(not answered.abstained and all(holds(first, one) for one in question.holds))
        figures["replied"] = float(not answered.abstained)
        wrong = "no answer" if answered.abstained else f"lacks {', '.join(lacking)}" if lacking else None
    # What is said of the collection comes from its list of essays: there is no passage to cite.
    if question.kind != _OF_COLLECTION and not answered.abstained:
        for name, supports in (("words", supported_by_words), ("model", by_model)):
            if supports:
                cited = cites(answered.text, marks, passages, supports)
                figures |= {f"{figure}_by_{name}": getattr(cited, field) for figure, field in _OF_CITES.items()}
                if cited.unsupported:
                    wrong = wrong or f"not supported (by {name}): {cited.unsupported[0]}"
    return Judged(figures, wrong)


def means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each figure's mean over the questions that have it, in the order of the figures."""
    return {name: fmean(one[name] for one in figures if name in one) for name in _names(figures)}


class AnswerReport(Record):
    """The outcomes of one setup: its `version`, the models that answered and judged, and what the judge cost."""

    version: str
    chat: str
    judge: str | None = None
    judge_cost_usd: float = 0.0
    answers: tuple[Outcome, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs, from which `model_validate` makes it again."""
        return {
            **self.of(self.answers),
            "intervals": self.intervals,
            "kinds": {kind: self.of([one for one in self.answers if one.kind == kind]) for kind in self.kinds},
            **self.model_dump(mode="json"),
        }

    @property
    def kinds(self) -> list[str]:
        """The kinds of questions, in their order."""
        return list(dict.fromkeys(one.kind for one in self.answers))

    @property
    def intervals(self) -> dict[str, list[float]]:
        """Each mean's 95 % interval, for other questions of the same kinds."""
        found = {}
        for name in _names([one.figures for one in self.answers]):
            values = np.array([[one.figures[name]] for one in self.answers if name in one.figures])
            found[name] = [round(bound, _DIGITS) for bound in intervals(values)[0]]
        return found

    @staticmethod
    def of(some: Sequence[Outcome]) -> dict[str, Any]:
        """Return the figures of some answers, their mean length, median and 95th percentile of time, and their cost."""
        took = sorted(one.milliseconds for one in some)
        at = quantiles(took, n=20, method="inclusive") if len(took) > 1 else took * 19
        words = [one.words for one in some if not one.abstained]
        return {
            "questions": len(some),
            **{name: round(mean, _DIGITS) for name, mean in means([one.figures for one in some]).items()},
            "words": round(fmean(words), 1) if words else 0.0,
            "milliseconds": at[9] if at else 0.0,
            "milliseconds_p95": at[18] if at else 0.0,
            "cost_usd": round(sum(one.cost_usd for one in some), 6),
        }


def compared(a: AnswerReport, b: AnswerReport) -> tuple[dict[str, Difference], list[tuple[Outcome, Outcome]]]:
    """Return how a differs from b in each figure, over the questions for which both have it, and those that changed.

    A difference is a − b, question by question.
    """
    others = {(one.after, one.question): one for one in b.answers}
    pairs = [(one, others[key]) for one in a.answers if (key := (one.after, one.question)) in others]
    found = {}
    for name in _names([one.figures for one, _ in pairs]):
        both = [
            (one.figures[name], two.figures[name]) for one, two in pairs if name in one.figures and name in two.figures
        ]
        if both:
            left, right = np.array(both, dtype=np.float64).T
            found[name] = differences(left[:, None], right[:, None])[0]
    return found, [(one, two) for one, two in pairs if one.figures != two.figures]


def _names(figures: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for one in figures for name in one))
