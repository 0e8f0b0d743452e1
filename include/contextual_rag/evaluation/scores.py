"""An index is asked questions by the way that production asks them, and what it finds is scored.

The one call of `retrieve` for measuring: the figures in a version's manifest and those of `rag evaluate` are these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contextual_rag.evaluation.corpora import GoldenQuestion, SpanQuestion
from contextual_rag.evaluation.metrics import Span, of_spans, of_texts
from contextual_rag.evaluation.report import Scored
from contextual_rag.model import IndexedChunk
from contextual_rag.ports import EmbeddingModel, Index, RerankModel, VectorStore
from contextual_rag.qa.retrieve import retrieve

__all__ = ["Searched", "score_spans", "score_texts"]

# Told how many questions were asked, of how many.
Asked = Callable[[int, int], None]


def _unheard(_done: int, _of: int) -> None:
    pass


@dataclass(frozen=True)
class Searched:
    """An index with all that it is searched with."""

    index: Index
    vectors: VectorStore
    embedder: EmbeddingModel
    reranker: RerankModel | None

    def first(self, question: str, k: int) -> list[IndexedChunk]:
        """Return the k chunks that a question finds, as whoever asks gets them."""
        hits = retrieve(self.index, self.vectors, self.embedder, question, k=k, reranker=self.reranker)
        return [hit.chunk for hit in hits]


def score_spans(
    searched: Searched, asked: Asked = _unheard, *, questions: Sequence[SpanQuestion], ks: Sequence[int]
) -> list[Scored]:
    """Return the figures of each question whose answer is known by the characters where it stands."""
    essays = {span.slug for question in questions for span in question.references}
    chunks = {slug: [_span(chunk) for chunk in searched.index.essay(slug)] for slug in essays}
    scored = []
    for done, (question, references) in enumerate(questions, 1):
        found = [_span(chunk) for chunk in searched.first(question, max(ks))]
        possible = [span for slug in sorted({span.slug for span in references}) for span in chunks[slug]]
        scored.append(Scored(question, of_spans(references, found, possible, ks)))
        asked(done, len(questions))
    return scored


def score_texts(
    searched: Searched,
    asked: Asked = lambda _done, _of: None,
    *,
    questions: Sequence[GoldenQuestion],
    ks: Sequence[int],
) -> list[Scored]:
    """Return the figures of each question whose answer is known by the texts of the chunks that hold it."""
    scored = []
    for done, (question, golden) in enumerate(questions, 1):
        found = [chunk.text for chunk in searched.first(question, max(ks))]
        scored.append(Scored(question, of_texts(golden, found, ks)))
        asked(done, len(questions))
    return scored


def _span(chunk: IndexedChunk) -> Span:
    return Span(chunk.slug, chunk.start, chunk.end)
