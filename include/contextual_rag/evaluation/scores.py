"""Searches an index as production does, and scores the results.

The figures in a version's manifest and those of `rag evaluate` both come from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contextual_rag.evaluation.corpora import GoldenQuestion, SpanQuestion
from contextual_rag.evaluation.metrics import Span, of_spans, of_texts, recall
from contextual_rag.evaluation.report import Scored
from contextual_rag.model import IndexedChunk
from contextual_rag.ports import EmbeddingModel, Index, RerankModel, VectorStore
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.threads import pool

__all__ = ["Searched", "score_spans", "score_texts"]

# So many characters are a sentence, and not a name or a date that other texts also have.
_UNMISTAKABLE = 40
# A callback for progress: the number of questions asked, and their total.
Asked = Callable[[int, int], None]


def _ignore_progress(_done: int, _of: int) -> None:
    pass


@dataclass(frozen=True)
class Searched:
    """An index with everything that a search needs. With a reranker, `concurrency` questions run at once."""

    index: Index
    vectors: VectorStore
    embedder: EmbeddingModel
    reranker: RerankModel | None
    concurrency: int = 1

    def first(self, question: str, k: int) -> list[IndexedChunk]:
        """Return the first k chunks for a question, as in production."""
        hits = retrieve(self.index, self.vectors, self.embedder, question, k=k, reranker=self.reranker)
        return [hit.chunk for hit in hits]

    def first_of_each(self, questions: Sequence[str], k: int, asked: Asked) -> Iterator[list[IndexedChunk]]:
        """Yield the first k chunks for each question, in the order of the questions."""
        # Threads help only while questions wait for a reranker over the network.
        with pool(self.concurrency if self.reranker else 1) as threads:
            for done, found in enumerate(threads.map(lambda question: self.first(question, k), questions), 1):
                asked(done, len(questions))
                yield found


def score_spans(
    searched: Searched, asked: Asked = _ignore_progress, *, questions: Sequence[SpanQuestion], ks: Sequence[int]
) -> list[Scored]:
    """Return the figures of questions whose answers are spans of characters.

    A chunk that has none of them, but holds the whole text of one elsewhere, counts as if it stood there.
    """
    essays = {span.slug for question in questions for span in question.references}
    chunks = {slug: list(searched.index.essay(slug)) for slug in essays}
    scored = []
    lists = searched.first_of_each([question.question for question in questions], max(ks), asked)
    for (question, references), found in zip(questions, lists, strict=True):
        possible = [chunk for slug in sorted({span.slug for span in references}) for chunk in chunks[slug]]
        answers = dict(_texts(references, possible))
        places = [_place(chunk, references, answers) for chunk in found]
        scored.append(Scored(question, of_spans(references, places, [_span(chunk) for chunk in possible], ks)))
    return scored


def score_texts(
    searched: Searched,
    asked: Asked = _ignore_progress,
    *,
    questions: Sequence[GoldenQuestion],
    ks: Sequence[int],
) -> list[Scored]:
    """Return the figures of questions whose answers are texts of chunks."""
    lists = searched.first_of_each([question.question for question in questions], max(ks), asked)
    return [
        Scored(question, of_texts(golden, [chunk.text for chunk in found], ks))
        for (question, golden), found in zip(questions, lists, strict=True)
    ]


def _texts(references: Sequence[Span], chunks: Sequence[IndexedChunk]) -> Iterator[tuple[str, Span]]:
    """Yield each reference's text, if it stands whole in a chunk and is not so short that it proves nothing.

    A part of it would prove nothing either: what the question asks for may stand in the rest.
    """
    for slug, start, end in references:
        for chunk in chunks:
            if chunk.slug == slug and chunk.start <= start and end <= chunk.end and end - start >= _UNMISTAKABLE:
                yield chunk.text[start - chunk.start : end - chunk.start], Span(slug, start, end)


def _place(chunk: IndexedChunk, references: Sequence[Span], answers: Mapping[str, Span]) -> Span:
    """Return where a chunk stands, or the place of the longest reference that it repeats."""
    if recall(references, [_span(chunk)]):
        return _span(chunk)
    repeated = [place for text, place in answers.items() if text in chunk.text]
    return max(repeated, key=lambda place: place.end - place.start, default=_span(chunk))


def _span(chunk: IndexedChunk) -> Span:
    return Span(chunk.slug, chunk.start, chunk.end)
