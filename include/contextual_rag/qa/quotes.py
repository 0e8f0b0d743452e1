"""Answers without a model: quotes the sentences of the passages that answer best, in runs of whole sentences."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contextual_rag.languages import ENGLISH, asked_in
from contextual_rag.ports import EmbeddingModel, Index, Matrix, RerankModel
from contextual_rag.qa.asked import kind_of, supplies
from contextual_rag.qa.citations import check, without_notes
from contextual_rag.qa.evidence import Evidence, known_words
from contextual_rag.qa.measured import has_measure, measure_of
from contextual_rag.qa.prose import Unit, units
from contextual_rag.qa.retrieve import Hit
from contextual_rag.qa.tokens import count_words

__all__ = ["Quotes", "quote"]

_MAX_QUOTES: Final = 4
# A quotation goes on as long as it stays this short; a longer sentence is quoted in parts.
_CHARACTERS: Final = 400
# A shorter quotation says little. With fewer than two words, the citation check would ignore it.
_MIN_WORDS: Final = (5, 3)
# Each further quotation must be nearly as good as the first; otherwise it is noise. So one in doubt has more.
_NEAR_BEST: Final = 0.8
# What a quotation is worth beside three cosines with the question, its own, its nearest sentence's and its passage's:
# the share of the question's words, by rarity, in its passage and in its neighbourhood, and having what is asked for.
_COVERED_PASSAGE, _COVERED_NEAR, _SUPPLIES = 0.75, 0.3, 0.3
# In other languages, the offline model's cosines say less.
_MEANING_ELSEWHERE: Final = 0.3
# So many sentences before and after a quotation are near it.
_NEAR: Final = 2
# What it counts for coming first that a model which reads it with the question finds it one step of its logit better.
_READ: Final = 0.045
_LEAST_SHARE: Final = 1e-9

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


class _Window(NamedTuple):
    """Sentences of the nth passage that follow each other, `first` to `last` in the list of all."""

    first: int
    last: int
    n: int


def quote(
    index: Index, question: str, hits: Sequence[Hit], embedder: EmbeddingModel, reader: RerankModel | None = None
) -> Quotes:
    """Return up to four quotations, the best one first. The hits come best first.

    If there is a reader, it has a say in which quotation of an English answer comes first. That one takes in
    those which it overlaps, so it may be longer than the others.
    """
    language = asked_in(question, index.languages)
    sentences = list(_sentences(index, question, hits, language))
    windows = _windows(sentences, hits)
    if not windows:
        return Quotes("", Evidence())
    question_vector = embedder.embed([question], kind="query")[0][0]
    vectors = embedder.embed([sentence.text for sentence in sentences], kind="passage")[0]
    cosines = _means(windows, vectors) @ question_vector
    each = vectors @ question_vector
    weights = _weights(index, question, language)
    near = np.array([_share(weights, _around(window, sentences)) for window in windows])
    supplied = np.array([any(one.supplies for one in _of(window, sentences)) for window in windows])
    nearest = np.array([each[window.first : window.last + 1].max() for window in windows])
    passages = np.array([hits[window.n].cosine or 0.0 for window in windows])
    covered = np.array([hits[window.n].coverage for window in windows])
    only_words = language != ENGLISH and language in index.languages
    meaning = (cosines + nearest + passages) * (_MEANING_ELSEWHERE if only_words else 1.0)
    score = meaning + _COVERED_PASSAGE * covered + _COVERED_NEAR * near + _SUPPLIES * supplied
    best = _chosen(windows, score, sentences, hits)
    if not best:
        return Quotes("", Evidence())
    if reader and language == ENGLISH:
        read = windows[_best_read(reader, question, [_text(window, sentences, hits) for window in windows], score)]
        best = _led_by(read, best, sentences, hits)
    text = " ".join(_written(window, sentences, hits, window.n + 1) for window in best)
    # A price, for example, is told only by sentences that have one.
    measured = language == ENGLISH and measure_of(question) is not None
    telling = [
        n
        for n, window in enumerate(windows)
        if (not measured or supplied[n]) and (not only_words or hits[window.n].chunk.language == language)
    ]
    evidence = Evidence(
        sentence=float(max(nearest[telling], default=0.0)),
        passage=max(hit.cosine or 0.0 for hit in hits),
        near=float(max(near[telling], default=0.0)),
        words=len(weights),
        is_short=len(question.split()) <= _SHORT,
        is_strange=any(
            index.asked(name, language) and not known_words(index, name, language) for name in _NAME.findall(question)
        ),
        only_words=only_words,
    )
    return Quotes(text, evidence)


def _best_read(reader: RerankModel, question: str, texts: Sequence[str], score: Numbers) -> int:
    """Return which text is the best one, of the few best, by its score and what a model finds that reads it."""
    few = np.argsort(-score, kind="stable")[: reader.most]
    shares = np.clip(reader.rerank(question, [texts[n] for n in few])[0], _LEAST_SHARE, 1 - _LEAST_SHARE)
    return int(few[np.argmax(score[few] + _READ * np.log(shares / (1 - shares)))])


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


def _windows(sentences: Sequence[_Sentence], hits: Sequence[Hit]) -> list[_Window]:
    """Return what can be quoted, from each sentence on; questions, and what is no prose, only if nothing else is there.

    A part of a long sentence begins a quotation only if what stands before it in the sentence does not fit in.
    """
    every = [
        _from(first, sentences)
        for first, one in enumerate(sentences)
        if one.unit.kind != "part" or one.unit.end - sentences[first - 1].unit.start > _CHARACTERS
    ]
    sayings = [window for window in every if not all(_asks(one.text) for one in _of(window, sentences))]
    prose = [window for window in sayings if sentences[window.first].unit.kind != "apart"]
    for windows in (prose, sayings, every):
        for least in _MIN_WORDS:
            if long := [one for one in windows if count_words(without_notes(_text(one, sentences, hits))) >= least]:
                return long
    return []


def _from(first: int, sentences: Sequence[_Sentence]) -> _Window:
    """Return the longest quotation that begins with a sentence and goes on in its passage."""
    opening, last = sentences[first], first
    for n in range(first + 1, len(sentences)):
        one = sentences[n]
        is_long = one.unit.end - opening.unit.start > _CHARACTERS
        if one.n != opening.n or is_long or one.unit.kind == "apart":
            break
        last = n
    return _Window(first, last, opening.n)


def _of(window: _Window, sentences: Sequence[_Sentence]) -> Sequence[_Sentence]:
    return sentences[window.first : window.last + 1]


def _text(window: _Window, sentences: Sequence[_Sentence], hits: Sequence[Hit]) -> str:
    return hits[window.n].chunk.text[sentences[window.first].unit.start : sentences[window.last].unit.end]


def _means(windows: Sequence[_Window], vectors: Matrix) -> Matrix:
    sums = np.stack([vectors[window.first : window.last + 1].sum(axis=0) for window in windows])
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9))


def _around(window: _Window, sentences: Sequence[_Sentence]) -> set[str]:
    nearby = sentences[max(window.first - _NEAR, 0) : window.last + _NEAR + 1]
    return set().union(*(sentence.words for sentence in nearby if sentence.n == window.n))


def _share(weights: dict[str, float], words: set[str]) -> float:
    return sum(weight for word, weight in weights.items() if word in words) / (sum(weights.values()) or 1.0)


def _chosen(
    windows: Sequence[_Window], score: Numbers, sentences: Sequence[_Sentence], hits: Sequence[Hit]
) -> list[_Window]:
    """Return the best quotations that do not overlap, best first."""
    chosen: list[_Window] = []
    order = np.argsort(-score, kind="stable")
    for window in (windows[i] for i in order if score[i] >= _NEAR_BEST * score[order[0]]):
        text = _text(window, sentences, hits)
        if all(not _overlap(window, one) and text != _text(one, sentences, hits) for one in chosen):
            chosen += [one] if (one := _standing(window, sentences, hits)) else []
        if len(chosen) == _MAX_QUOTES:
            break
    return chosen


def _led_by(
    read: _Window, best: Sequence[_Window], sentences: Sequence[_Sentence], hits: Sequence[Hit]
) -> list[_Window]:
    """Return the best quotations with another one first; it takes in those it overlaps, which may say the rest."""
    same = [one for one in best if _overlap(one, read)]
    first, last = min(one.first for one in [read, *same]), max(one.last for one in [read, *same])
    whole = _standing(read._replace(first=first, last=last), sentences, hits)
    return [whole, *(one for one in best if one not in same)][:_MAX_QUOTES] if whole else list(best)


def _overlap(one: _Window, other: _Window) -> bool:
    return one.first <= other.last and other.first <= one.last


def _standing(window: _Window, sentences: Sequence[_Sentence], hits: Sequence[Hit]) -> _Window | None:
    """Return as much of a quotation as will be found in its passage.

    A denial at the end of a paragraph, for example, may make the words across it others than the essay's.
    """
    for last in range(window.last, window.first - 1, -1):
        shorter = window._replace(last=last)
        written = _written(shorter, sentences, hits, 1)
        text, cited = check(written, [hits[window.n].chunk])
        if text == written and cited and all(citation.verified for citation in cited):
            return shorter
    return None


def _written(window: _Window, sentences: Sequence[_Sentence], hits: Sequence[Hit], number: int) -> str:
    return f"“{_inner(_text(window, sentences, hits))}” [{number}]"


def _asks(text: str) -> bool:
    return text.rstrip('"”’»」』)] ').endswith(("?", "？", "؟"))


def _inner(sentence: str) -> str:
    """Write a quotation on one line, with single quotation marks inside, so that nothing in it ends it."""
    return " ".join(re.sub(r"[“”„‟«»\"]", "'", sentence).split())
