"""How well an assembled version answers, and what answers now, by the same questions.

There are two kinds of questions: those that people keep in the bucket, and those made from the version's own essays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from contextual_rag import keys
from contextual_rag.building.answers import FALLEN_SHOWN, answerable, fell_in_answers, of_answers, shortened
from contextual_rag.building.examiner import Answered, Bench, Examiner
from contextual_rag.building.gates import replaced
from contextual_rag.building.order import Order
from contextual_rag.building.outcome import timed
from contextual_rag.errors import CorruptObjectError, CredentialsError, ModelError, SettingError, UnknownVersionError
from contextual_rag.evaluation.corpora import SpanQuestion
from contextual_rag.evaluation.datasets import Question, read_questions
from contextual_rag.evaluation.known_items import FEWEST, known_items
from contextual_rag.evaluation.metrics import Span
from contextual_rag.evaluation.report import Scored, means
from contextual_rag.model import Document
from contextual_rag.objects import require
from contextual_rag.ports import ObjectStore
from contextual_rag.qa.citations import locate
from contextual_rag.versions.records import Compared, Draft, Manifest, Measured, Version, Yardstick, figures
from contextual_rag.versions.vectors import fill

__all__ = ["documents", "evaluate", "keep_questions", "kept_questions", "locate_all", "measure"]

_K = 5
_FIGURES = (f"recall@{_K}", f"mrr@{_K}")
# Why a version that answers may not be measured: what its models need is not there, or what it is made of.
_UNMEASURABLE = (SettingError, CredentialsError, ModelError, CorruptObjectError)


class _Kind(NamedTuple):
    """What the figures of a kind of questions begin with, and what their number is called."""

    prefix: str
    number: str


_KEPT = _Kind("", "questions")
_KNOWN_ITEM = _Kind("known_item_", "known_items")


class _Asked(NamedTuple):
    kind: _Kind
    question: Question

    @property
    def of_yardstick(self) -> tuple[str, Any]:
        return self.kind.number, self.question.model_dump(mode="json", include={"question", "references"})


def keep_questions(store: ObjectStore, file: Path) -> None:
    """Keep the questions of a file in the bucket, for this and all later builds."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SettingError(f"RAG_QUESTIONS names {file}, which cannot be read: {error.strerror}.") from None
    read_questions(body, str(file))
    store.put(keys.QUESTIONS, body)


def evaluate(bench: Bench, version: str, order: Order) -> Measured:
    """Return an assembled version's figures, as `measure` does, and add what the measuring took to its work.

    If it may replace what answers now, also that one's. If the version is published already and replaces nothing, its
    figures are what was measured then; unless the order asks for another ranking of it.
    """
    registry = bench.registry
    one: Draft | Manifest | None = registry.drafts.load(version)  # first, as in `publish`
    if registry.exists(version):
        one = registry.resolve(version)
    if one is None:
        raise UnknownVersionError(f"{version} was never assembled, or it was pruned. Build it again.")
    before = replaced(registry, order, one, registry.current())
    if isinstance(one, Draft):
        measured = measure(bench, one, before)
        registry.drafts.save(one.model_copy(update={"work": one.work + measured.work}))
        return measured
    if order.retunes(one):
        return measure(bench, one.model_copy(update={"ranking": order.ranking}), before or one)
    return measure(bench, one, before) if before else Measured(quality=one.quality, yardstick=one.yardstick)


def measure(bench: Bench, version: Version, before: Version | None) -> Measured:
    """Return a version's figures over all questions that its essays can answer: recall@5 and mrr@5 of each kind.

    With `before`, also that one's, over the questions that both can answer and with the same reranker: as they were
    recorded if they were measured with the same and nothing fell, else measured again.
    """
    with timed("evaluate") as spent:
        measured = _measured(bench, version, before)
        spent.work += bench.ledger.taken()
    return measured.model_copy(update={"work": spent.work})


def kept_questions(store: ObjectStore) -> list[Question]:
    """Return the questions that the bucket keeps."""
    kept = store.get(keys.QUESTIONS)
    return read_questions(kept.body, keys.QUESTIONS) if kept else []


def _measured(bench: Bench, version: Version, before: Version | None) -> Measured:
    examiner = Examiner(bench)
    texts = _texts(bench.store, version)
    kept = kept_questions(bench.store)
    asked = [_Asked(_KEPT, question) for question in kept if question.references]
    asked += [_Asked(_KNOWN_ITEM, question) for question in known_items(texts)]
    scored = examiner.scores(version, _located(texts, [question for _, question in asked]), k=_K)
    answers = examiner.answers(version, answerable(texts, kept))
    if not scored and not answers:
        return Measured(quality={})
    yardstick = [asked[n].of_yardstick for n in scored] + [
        ("answers", question.model_dump(mode="json")) for question in answers
    ]
    measured = Measured(
        quality=_quality(asked, scored, scored) | of_answers(answers),
        yardstick=Yardstick(
            questions=keys.digest(yardstick),
            reranker=examiner.reranker,
            chat=examiner.answers_by if answers else None,
        ),
    )
    if before is None:
        return measured
    return measured.model_copy(
        update={"compared": _compared(bench, before, measured, asked, scored, answers, examiner)}
    )


def _compared(
    bench: Bench,
    before: Version,
    measured: Measured,
    asked: Sequence[_Asked],
    scored: Mapping[int, Scored],
    answers: Answered,
    examiner: Examiner,
) -> Compared:
    after = figures(measured.quality)
    known = before.figures if isinstance(before, Manifest) and before.yardstick == measured.yardstick else {}
    alike = known.keys() == after.keys()
    recorded = Compared(version=before.version, questions=len(scored) + len(answers), before=known, after=after)
    if alike and all(after[name] >= value for name, value in known.items()):
        return recorded
    try:
        again, answers_before = _asked_again(
            bench, before, {n: asked[n].question for n in scored}, list(answers), examiner
        )
    except _UNMEASURABLE as error:
        why_not = f"{before.version}, which answers now, could not be measured by the same questions. {error}"
        # If its files are lost, it answers badly or not at all, and a build is what mends that.
        curable = not isinstance(error, CorruptObjectError)
        return recorded if alike else Compared(version=before.version, why_not=why_not, curable=curable)
    both = [n for n in scored if n in again]
    if sum(asked[n].kind == _KNOWN_ITEM for n in both) < FEWEST:
        both = [n for n in both if asked[n].kind != _KNOWN_ITEM]
    answered_both = {question: answers[question] for question in answers_before}
    if not both and not answered_both:
        why_not = f"{before.version}, which answers now, holds the answers to too few of the same questions."
        return Compared(version=before.version, why_not=why_not)
    return Compared(
        version=before.version,
        questions=len(both) + len(answered_both),
        before=figures(_quality(asked, again, both) | of_answers(answers_before)),
        after=figures(_quality(asked, scored, both) | of_answers(answered_both)),
        fell=(*_fell([(again[n], scored[n]) for n in both]), *fell_in_answers(answers_before, answered_both)),
    )


def _asked_again(
    bench: Bench, before: Version, questions: Mapping[int, Question], answers: Sequence[Question], examiner: Examiner
) -> tuple[dict[int, Scored], Answered]:
    """Return what answers now comes to in each question that it can answer, whole as it was published."""
    if lost := fill(bench.store, bench.vectors, before, bench.indexes.open(before)):
        raise CorruptObjectError(f"Milvus lacks {lost} of its {before.chunks} vectors.")
    texts = _texts(bench.store, before)
    numbers, located = list(questions), _located(texts, list(questions.values()))
    scored = {numbers[n]: one for n, one in examiner.scores(before, located, k=_K).items()}
    return scored, examiner.answers(before, answerable(texts, answers))


def _quality(asked: Sequence[_Asked], scored: Mapping[int, Scored], among: Collection[int]) -> dict[str, float]:
    """Return the figures of some questions, and how many there are, kind by kind."""
    quality: dict[str, float] = {}
    for kind in (_KEPT, _KNOWN_ITEM):
        of_kind = [scored[n] for n in among if asked[n].kind == kind]
        if of_kind:
            mean = means(of_kind)
            quality |= {f"{kind.prefix}{name}": round(mean[name], 4) for name in _FIGURES}
            quality[kind.number] = len(of_kind)
    return quality


def _fell(pairs: Iterable[tuple[Scored, Scored]]) -> tuple[str, ...]:
    """Return the questions that fell most, each with its figures before and after."""

    def fall(pair: tuple[Scored, Scored]) -> float:
        return sum(pair[0].figures[name] - pair[1].figures[name] for name in _FIGURES)

    return tuple(
        f"“{shortened(before.question)}” "
        + ", ".join(f"{name} {before.figures[name]:.2f} → {after.figures[name]:.2f}" for name in _FIGURES)
        for before, after in sorted(pairs, key=fall, reverse=True)[:FALLEN_SHOWN]
        if fall((before, after)) > 0
    )


def locate_all(store: ObjectStore, version: Version, questions: Sequence[Question]) -> list[SpanQuestion | None]:
    """Return where each question's references stand in the version's essays; None if not all of them do."""
    wanted = {reference.slug for question in questions for reference in question.references}
    return _located(_texts(store, version, wanted), questions)


def documents(store: ObjectStore, version: Version, wanted: Collection[str] | None = None) -> list[Document]:
    """Return a version's essays as they were read from their pages: all, or those of the `wanted` slugs."""
    essays = [essay for essay in version.essays if wanted is None or essay.slug in wanted]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda essay: require(store, keys.document(essay.document), Document), essays))


def _texts(store: ObjectStore, version: Version, wanted: Collection[str] | None = None) -> dict[str, str]:
    """Return the texts of a version's essays by their slugs."""
    return {document.slug: document.text for document in documents(store, version, wanted)}


def _located(texts: Mapping[str, str], questions: Sequence[Question]) -> list[SpanQuestion | None]:
    located = []
    for question in questions:
        found = [(ref.slug, locate(ref.content, texts.get(ref.slug, ""))) for ref in question.references]
        spans = tuple(Span(slug, *span) for slug, span in found if span)
        located.append(SpanQuestion(question.question, spans) if spans and len(spans) == len(found) else None)
    return located
