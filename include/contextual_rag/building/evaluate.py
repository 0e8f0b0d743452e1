"""How well an assembled version answers, and what answers now, by the same questions.

There are two kinds of questions: those that people keep in the bucket, and those made from the version's own essays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from contextual_rag import keys
from contextual_rag.building.examiner import Bench, Examiner
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

__all__ = ["documents", "evaluate", "keep_questions", "locate_all", "measure"]

_K = 5
_FIGURES = (f"recall@{_K}", f"mrr@{_K}")
# Why a version that answers may not be measured: what its models need is not there, or what it is made of.
_UNMEASURABLE = (SettingError, CredentialsError, ModelError, CorruptObjectError)
_FALLEN_SHOWN = 3
_QUESTION_SHOWN = 80


class _Kind(NamedTuple):
    """What the figures of a kind of questions begin with, and what their number is called."""

    prefix: str
    number: str


_KEPT = _Kind("", "questions")
_KNOWN_ITEM = _Kind("known_item_", "known_items")


class _Asked(NamedTuple):
    kind: _Kind
    question: Question


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


def _measured(bench: Bench, version: Version, before: Version | None) -> Measured:
    examiner = Examiner(bench)
    texts = _texts(bench.store, version)
    kept = bench.store.get(keys.QUESTIONS)
    asked = [_Asked(_KEPT, question) for question in (read_questions(kept.body, keys.QUESTIONS) if kept else ())]
    asked += [_Asked(_KNOWN_ITEM, question) for question in known_items(texts)]
    scored = examiner.scores(version, _located(texts, [question for _, question in asked]), k=_K)
    if not scored:
        return Measured(quality={})
    answered = [(asked[n].kind.number, asked[n].question.model_dump(mode="json")) for n in scored]
    measured = Measured(
        quality=_quality(asked, scored, scored),
        yardstick=Yardstick(questions=keys.digest(answered), reranker=examiner.reranker),
    )
    if before is None:
        return measured
    return measured.model_copy(update={"compared": _compared(bench, before, measured, asked, scored, examiner)})


def _compared(
    bench: Bench,
    before: Version,
    measured: Measured,
    asked: Sequence[_Asked],
    scored: Mapping[int, Scored],
    examiner: Examiner,
) -> Compared:
    after = figures(measured.quality)
    known = before.figures if isinstance(before, Manifest) and before.yardstick == measured.yardstick else {}
    alike = known.keys() == after.keys()
    recorded = Compared(version=before.version, questions=len(scored), before=known, after=after)
    if alike and all(after[name] >= value for name, value in known.items()):
        return recorded
    try:
        again = _scored_again(bench, before, {n: asked[n].question for n in scored}, examiner)
    except _UNMEASURABLE as error:
        why_not = f"{before.version}, which answers now, could not be measured by the same questions. {error}"
        # If its files are lost, it answers badly or not at all, and a build is what mends that.
        curable = not isinstance(error, CorruptObjectError)
        return recorded if alike else Compared(version=before.version, why_not=why_not, curable=curable)
    both = [n for n in scored if n in again]
    if sum(asked[n].kind == _KNOWN_ITEM for n in both) < FEWEST:
        both = [n for n in both if asked[n].kind != _KNOWN_ITEM]
    if not both:
        why_not = f"{before.version}, which answers now, holds the answers to too few of the same questions."
        return Compared(version=before.version, why_not=why_not)
    return Compared(
        version=before.version,
        questions=len(both),
        before=figures(_quality(asked, again, both)),
        after=figures(_quality(asked, scored, both)),
        fell=_fell([(again[n], scored[n]) for n in both]),
    )


def _scored_again(
    bench: Bench, before: Version, questions: Mapping[int, Question], examiner: Examiner
) -> dict[int, Scored]:
    """Return what answers now comes to in each question that it can answer, whole as it was published."""
    if lost := fill(bench.store, bench.vectors, before, bench.indexes.open(before)):
        raise CorruptObjectError(f"Milvus lacks {lost} of its {before.chunks} vectors.")
    located = locate_all(bench.store, before, list(questions.values()))
    numbers = list(questions)
    return {numbers[n]: one for n, one in examiner.scores(before, located, k=_K).items()}


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
        f"“{_shortened(before.question)}” "
        + ", ".join(f"{name} {before.figures[name]:.2f} → {after.figures[name]:.2f}" for name in _FIGURES)
        for before, after in sorted(pairs, key=fall, reverse=True)[:_FALLEN_SHOWN]
        if fall((before, after)) > 0
    )


def _shortened(question: str) -> str:
    words = " ".join(question.split())
    return words if len(words) <= _QUESTION_SHOWN else f"{words[: _QUESTION_SHOWN - 1].rstrip()}…"


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
        located.append(SpanQuestion(question.question, spans) if len(spans) == len(found) else None)
    return located
