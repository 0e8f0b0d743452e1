"""Retrieval metrics, over spans of characters or over the texts of chunks. All are from 0 to 1; higher is better.

Recall, precision and IoU follow Smith & Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024), but
count a character that two references share once. Pass@k follows Anthropic's guide to contextual embeddings.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Span", "iou", "ndcg", "of_spans", "of_texts", "pass_share", "precision", "recall", "reciprocal_rank"]


class Span(NamedTuple):
    """Characters `start:end` of one essay's text."""

    slug: str
    start: int
    end: int


def of_spans(
    references: Sequence[Span], retrieved: Sequence[Span], chunks: Sequence[Span], ks: Sequence[int]
) -> dict[str, float]:
    """Return recall, precision, iou, mrr and ndcg of the first k retrieved, for each k: `{"recall@5": …}`.

    `chunks` are all chunks of the references' essays, retrieved or not: nDCG compares with the best possible list of
    them. The gain of a chunk is the number of reference characters in it.
    """
    possible = [_shared(references, [chunk]) for chunk in chunks if _meet(chunk, references)]
    gains = [_shared(references, [span]) for span in retrieved]
    figures = {}
    for k in ks:
        figures[f"recall@{k}"] = recall(references, retrieved[:k])
        figures[f"precision@{k}"] = precision(references, retrieved[:k])
        figures[f"iou@{k}"] = iou(references, retrieved[:k])
        figures[f"mrr@{k}"] = reciprocal_rank(gains[:k])
        figures[f"ndcg@{k}"] = ndcg(gains[:k], possible, k)
    return figures


def of_texts(golden: Sequence[str], retrieved: Sequence[str], ks: Sequence[int]) -> dict[str, float]:
    """Return pass, mrr and ndcg of the first k retrieved texts, for each k: `{"pass@5": …}`.

    White space around a text is ignored. The gain is 1 for the first chunk with a golden text, and 0 for the same text
    again.
    """
    golden = [text.strip() for text in golden]
    retrieved = [text.strip() for text in retrieved]
    gains = [float(text in golden and text not in retrieved[:n]) for n, text in enumerate(retrieved)]
    figures = {}
    for k in ks:
        figures[f"pass@{k}"] = pass_share(golden, retrieved[:k])
        figures[f"mrr@{k}"] = reciprocal_rank(gains[:k])
        figures[f"ndcg@{k}"] = ndcg(gains[:k], [1.0] * len(set(golden)), k)
    return figures


def recall(references: Sequence[Span], retrieved: Sequence[Span]) -> float:
    """Return the share of the references' characters that the retrieved spans cover."""
    return _share(_shared(references, retrieved), _distinct(references))


def precision(references: Sequence[Span], retrieved: Sequence[Span]) -> float:
    """Return the covered reference characters as a share of the retrieved ones; text retrieved twice counts twice."""
    return _share(_shared(references, retrieved), _length(retrieved))


def iou(references: Sequence[Span], retrieved: Sequence[Span]) -> float:
    """Return the covered reference characters as a share of all retrieved or reference characters.

    This is intersection over union; text retrieved twice counts twice in the union.
    """
    covered = _shared(references, retrieved)
    return _share(covered, _length(retrieved) + _distinct(references) - covered)


def pass_share(golden: Sequence[str], retrieved: Sequence[str]) -> float:
    """Return the share of the golden texts that were retrieved."""
    return _share(sum(text in retrieved for text in golden), len(golden))


def reciprocal_rank(gains: Sequence[float]) -> float:
    """Return 1 / the rank of the first result with a gain; 0 if there is none."""
    return next((1 / rank for rank, gain in enumerate(gains, 1) if gain > 0), 0.0)


def ndcg(gains: Sequence[float], possible: Sequence[float], k: int) -> float:
    """Return the discounted gain Σ gain/log2(1 + rank) of the first k, as a share of that of the best possible list.

    `possible` are the gains of everything that could be retrieved (Järvelin & Kekäläinen, TOIS 2002).
    """
    return _share(_discounted(gains[:k]), _discounted(sorted(possible, reverse=True)[:k]))


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(1 + rank) for rank, gain in enumerate(gains, 1))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _meet(span: Span, others: Sequence[Span]) -> bool:
    return any(span.slug == one.slug and span.start < one.end and one.start < span.end for one in others)


def _length(spans: Sequence[Span]) -> int:
    return sum(max(0, span.end - span.start) for span in spans)


def _distinct(spans: Sequence[Span]) -> int:
    """Count the different characters in the spans."""
    essays: defaultdict[str, list[Span]] = defaultdict(list)
    for span in spans:
        essays[span.slug].append(span)
    characters = 0
    for essay in essays.values():
        reached = 0
        for span in sorted(essay):
            characters += max(0, span.end - max(span.start, reached))
            reached = max(reached, span.end)
    return characters


def _shared(some: Sequence[Span], others: Sequence[Span]) -> int:
    """Count the different characters that are in both."""
    return _distinct(some) + _distinct(others) - _distinct([*some, *others])
