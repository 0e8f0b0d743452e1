"""Measures of retrieval over spans of characters; all are between 0 and 1, higher is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Span", "recall", "reciprocal_rank"]


class Span(NamedTuple):
    """Characters `start:end` of one essay's text."""

    slug: str
    start: int
    end: int


def recall(references: Sequence[Span], retrieved: Sequence[Span]) -> float:
    """Return the share of the references' characters that the retrieved spans cover.

    As in Smith & Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024).
    """
    wanted = {(ref.slug, i) for ref in references for i in range(ref.start, ref.end)}
    covered = {(span.slug, i) for span in retrieved for i in range(span.start, span.end)}
    return len(wanted & covered) / len(wanted) if wanted else 0.0


def reciprocal_rank(references: Sequence[Span], retrieved: Sequence[Span]) -> float:
    """Return 1 / the rank of the first retrieved span that overlaps a reference; 0 where none does."""
    for rank, span in enumerate(retrieved, 1):
        if any(span.slug == ref.slug and span.start < ref.end and ref.start < span.end for ref in references):
            return 1 / rank
    return 0.0
