"""Answers without a model: quotes the sentences of the passages that answer best, in runs of whole sentences."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contextual_rag.languages import ENGLISH, asked_in
from contextual_rag.ports import EmbeddingModel, Index, Matrix
from contextual_rag.qa.asked import kind_of, supplies
from contextual_rag.qa.citations import check, without_notes
from contextual_rag.qa.evidence import Evidence, known_words
from contextual_rag.qa.measured import has_measure, measure_of
from contextual_rag.qa.prose import Unit, units
from contextual_rag.qa.retrieve import Hit
from contextual_rag.qa.tokens import count_words

__all__ = ["Quotes", "quote"]

_MAX_QUOTES: Final = 3
# A quotation runs over up to five sentences, as long as it stays this short; a longer sentence stands alone.
_CHARACTERS: Final = 360
_MAX_SENTENCES: Final = 5
# A shorter quotation says little. With fewer than two words, the citation check would ignore it.
_MIN_WORDS: Final = (5, 3)
# Each further quotation must be nearly as good as the first; otherwise it is noise.
_NEAR_BEST: Final = 0.6
# What a run of sentences is worth beside its cosine: the share of the question's words, by rarity, in the run, in its
# neighbourhood and in its passage; what the question asks for; its passage's rank (divided by it); its length. What
# announces an answer, asks for one, or is a row of a list gives none.
_COVERED, _COVERED_NEAR, _COVERED_PASSAGE = 0.8, 0.6, 0.4
_SUPPLIES, _FOUND_FIRST, _FILLED = 0.3, 0.25, 0.1
_ANNOUNCES, _ASKS, _ROW = 0.4, 0.2, 0.2
# So many sentences before and after a run are near it.
_NEAR: Final = 2

# A capital that does not begin the question.
_NAME: Final = re.compile(r"(?<=[\w,;'’] )[A-Z][\w’'-]+")
_SHORT: Final = 2
# The stems of shorter words are different words where their ends differ.
_AKIN: Final = 8

Numbers = NDArray[np.float64]


class Quotes(NamedTuple):
    """Quotations, each with its passage's number, and the evidence that they answer."""

    text: str
    evidence: Evidence


class _Sentence(NamedTuple):
    """A unit of the nth passage, its words as the index counts them, and whether it has what the question asks for."""

    n: int
    unit: Unit
    text: str
    words: frozenset[str]
    supplies: bool


class _Run(NamedTuple):
    """Sentences that follow each other, `first` to `last` in the list of all; `text` is the passage's own."""

    first: int
    last: int
    n: int
    text: str


def quote(index: Index, question: str, hits: Sequence[Hit], embedder: EmbeddingModel) -> Quotes:
    """Return up to three quotations, the best one first. The hits come best first."""
    language = asked_in(question, index.languages)
    sentences = list(_sentences(index, question, hits, language))
    runs = _runs(sentences, hits)
    if not runs:
        return Quotes("", Evidence())
    question_vector = embedder.embed([question], kind="query")[0][0]
    vectors = embedder.embed([sentence.text for sentence in sentences], kind="passage")[0]
    cosines = _means(runs, vectors) @ question_vector
    weights = _weights(index, question, language)
    near = np.array([_share(weights, _around(run, sentences)) for run in runs])
    score = cosines + _COVERED_NEAR * near + _by_run(weights, runs, sentences, hits)
    apart = _apart(runs, score)
    # A denial at the end of a paragraph, for example, may make the words across it others than the essay's.
    best = _standing(_filled(apart, sentences, hits), hits) or _standing(apart, hits)
    if not best:
        return Quotes("", Evidence())
    text = " ".join(_written(run, run.n + 1) for run in best)
    only_words = language != ENGLISH and language in index.languages
    # A price, for example, is told only by sentences that have one.
    measured = language == ENGLISH and measure_of(question) is not None
    telling = [
        n
        for n, run in enumerate(runs)
        if (not measured or _has_kind(run, sentences)) and (not only_words or hits[run.n].chunk.language == language)
    ]
    evidence = Evidence(
        sentence=float(max(cosines[telling], default=0.0)),
        passage=max(hit.cosine or 0.0 for hit in hits),
        near=float(max(near[telling], default=0.0)),
        words=len(weights),
        supplies=_has_kind(best[0], sentences) or (measured and bool(telling)),
        is_short=len(question.split()) <= _SHORT,
        is_strange=any(
            index.asked(name, language) and not known_words(index, name, language) for name in _NAME.findall(question)
        ),
        only_words=only_words,
    )
    return Quotes(text, evidence)


def _weights(index: Index, question: str, language: str) -> dict[str, float]:
    """Return how much each word of a question tells; in a language that no essay has, only words that are known."""
    words = dict.fromkeys(index.asked(question))
    known = known_words(index, question, language)
    return {word: index.rarity(word) for word in (words if language in index.languages or not known else known)}


def _sentences(index: Index, question: str, hits: Sequence[Hit], language: str) -> Iterator[_Sentence]:
    kind, asked = kind_of(question, language), index.asked(question)
    measure = measure_of(question) if language == ENGLISH else None
    for n, hit in enumerate(hits):
        for unit in units(hit.chunk.text, hit.chunk.language):
            text = hit.chunk.text[unit.start : unit.end]
            words = set(index.words(text, hit.chunk.language))
            words.update(word for word in asked if _is_akin(word, words))
            asked_kind = supplies(kind, text, question, hit.chunk.language)
            has = has_measure(measure, text, question) if measure else asked_kind
            yield _Sentence(n, unit, text, frozenset(words), has)


def _is_akin(word: str, words: Collection[str]) -> bool:
    """Whether words have a long one with another ending: uncertainty, uncertain."""
    return len(word) >= _AKIN and any(other.startswith(word[:-2]) for other in words)


def _runs(sentences: Sequence[_Sentence], hits: Sequence[Hit]) -> list[_Run]:
    """Return all runs that can be quoted; questions, and what is no prose, only if there is nothing else."""
    every = list(_all_runs(sentences, hits))
    sayings = [run for run in every if not all(_asks(one.text) for one in sentences[run.first : run.last + 1])]
    prose = [run for run in sayings if all(one.unit.kind != "apart" for one in sentences[run.first : run.last + 1])]
    for runs in (prose, sayings, every):
        for least in _MIN_WORDS:
            if long := [run for run in runs if count_words(without_notes(run.text)) >= least]:
                return long
    return []


def _all_runs(sentences: Sequence[_Sentence], hits: Sequence[Hit]) -> Iterator[_Run]:
    for first, opening in enumerate(sentences):
        for last in range(first, min(first + _MAX_SENTENCES, len(sentences))):
            closing = sentences[last]
            text = hits[opening.n].chunk.text[opening.unit.start : closing.unit.end]
            if closing.n != opening.n or (last > first and len(text) > _CHARACTERS):
                break
            yield _Run(first, last, opening.n, text)


def _means(runs: Sequence[_Run], vectors: Matrix) -> Matrix:
    sums = np.stack([vectors[run.first : run.last + 1].sum(axis=0) for run in runs])
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9))


def _by_run(
    weights: dict[str, float], runs: Sequence[_Run], sentences: Sequence[_Sentence], hits: Sequence[Hit]
) -> Numbers:
    """Return what each run is worth beside its cosine and its neighbourhood."""
    return np.array(
        [
            _COVERED * _share(weights, _words(sentences[run.first : run.last + 1]))
            + _COVERED_PASSAGE * hits[run.n].coverage
            + _SUPPLIES * _has_kind(run, sentences)
            + _FOUND_FIRST / (run.n + 1)
            + _FILLED * len(run.text) / _CHARACTERS
            - _ANNOUNCES * run.text.endswith((":", "："))
            - _ASKS * _asks(run.text)
            - _ROW * (sentences[run.first].unit.kind == "row")
            for run in runs
        ]
    )


def _around(run: _Run, sentences: Sequence[_Sentence]) -> set[str]:
    nearby = sentences[max(run.first - _NEAR, 0) : run.last + _NEAR + 1]
    return _words([sentence for sentence in nearby if sentence.n == run.n])


def _words(sentences: Sequence[_Sentence]) -> set[str]:
    return set().union(*(sentence.words for sentence in sentences))


def _share(weights: dict[str, float], words: set[str]) -> float:
    return sum(weight for word, weight in weights.items() if word in words) / (sum(weights.values()) or 1.0)


def _has_kind(run: _Run, sentences: Sequence[_Sentence]) -> bool:
    return any(sentence.supplies for sentence in sentences[run.first : run.last + 1])


def _apart(runs: Sequence[_Run], score: Numbers) -> list[_Run]:
    """Return the best runs that do not overlap, best first."""
    chosen: list[_Run] = []
    order = np.argsort(-score, kind="stable")
    for run in (runs[i] for i in order if score[i] >= _NEAR_BEST * score[order[0]]):
        if all((run.last < one.first or one.last < run.first) and run.text != one.text for one in chosen):
            chosen.append(run)
        if len(chosen) == _MAX_QUOTES:
            break
    return chosen


def _filled(chosen: Sequence[_Run], sentences: Sequence[_Sentence], hits: Sequence[Hit]) -> list[_Run]:
    """Let each run go on as long as it stays short: a sentence often announces what the next ones give.

    One that begins within a long sentence first gets what stands before in that sentence.
    """
    taken = {n for run in chosen for n in range(run.first, run.last + 1)}
    filled = []
    for run in chosen:
        first, last = run.first, run.last

        def has_room(opening: int, closing: int, added: int, n: int = run.n) -> bool:
            length = sentences[closing].unit.end - sentences[opening].unit.start
            return added not in taken and sentences[added].n == n and length <= _CHARACTERS

        while sentences[first].unit.kind == "part" and has_room(first - 1, last, first - 1):
            first -= 1
        while (
            last + 1 < len(sentences)
            and sentences[last + 1].unit.kind != "apart"
            and has_room(first, last + 1, last + 1)
        ):
            last += 1
        taken.update(range(first, last + 1))
        text = hits[run.n].chunk.text[sentences[first].unit.start : sentences[last].unit.end]
        filled.append(_Run(first, last, run.n, text))
    return filled


def _standing(runs: Sequence[_Run], hits: Sequence[Hit]) -> list[_Run]:
    """Return the runs whose quotations will be found in their passages."""
    checked = [(run, check(_written(run, 1), [hits[run.n].chunk])) for run in runs]
    return [
        run for run, (text, cited) in checked if text == _written(run, 1) and cited and all(c.verified for c in cited)
    ]


def _written(run: _Run, number: int) -> str:
    return f"“{_inner(run.text)}” [{number}]"


def _asks(text: str) -> bool:
    return text.rstrip('"”’»」』)] ').endswith(("?", "？", "؟"))


def _inner(sentence: str) -> str:
    """Write a quotation on one line, with single quotation marks inside, so that nothing in it ends it."""
    return " ".join(re.sub(r"[“”„‟«»\"]", "'", sentence).split())
