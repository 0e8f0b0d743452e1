"""Metrics: the share of answering words that was found, in how much text, and how early."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.evaluation.metrics import (
    Span,
    iou,
    ndcg,
    of_spans,
    of_texts,
    pass_share,
    precision,
    recall,
    reciprocal_rank,
)

spans = st.builds(
    lambda slug, start, length: Span(slug, start, start + length),
    st.sampled_from("ab"),
    st.integers(0, 30),
    st.integers(1, 10),
)
some = st.lists(spans, min_size=1, max_size=4)
words = st.lists(st.sampled_from(["one", "two", " two\n", "three", "four"]), min_size=1, max_size=6)
gains = st.lists(st.integers(0, 5).map(float), max_size=8)
REFERENCE = Span("a", 0, 10)


def characters(of: list[Span]) -> set[tuple[str, int]]:
    """The definition: a set of positions."""
    return {(span.slug, i) for span in of for i in range(span.start, span.end)}


def length(of: list[Span]) -> int:
    return sum(span.end - span.start for span in of)


class TestRecall:
    @pytest.mark.parametrize(
        ("retrieved", "share"),
        [
            ([Span("a", 0, 10)], 1.0),
            ([Span("a", 0, 5)], 0.5),
            ([Span("a", 0, 5), Span("a", 5, 20)], 1.0),
            ([Span("a", 0, 5), Span("a", 0, 5)], 0.5),
            ([Span("a", 10, 20)], 0.0),
            ([Span("b", 0, 10)], 0.0),
            ([], 0.0),
        ],
    )
    def test_is_the_share_of_the_references_characters_that_are_covered(
        self, retrieved: list[Span], share: float
    ) -> None:
        assert recall([REFERENCE], retrieved) == share

    def test_counts_characters_and_not_references(self) -> None:
        assert recall([Span("a", 0, 30), Span("b", 0, 10)], [Span("b", 0, 10)]) == 0.25

    def test_counts_a_character_of_two_references_once(self) -> None:
        assert recall([Span("a", 0, 10), Span("a", 5, 20)], [Span("a", 5, 10)]) == 0.25

    def test_of_no_references_is_0(self) -> None:
        assert recall([], [Span("a", 0, 1)]) == 0

    @given(some)
    def test_of_the_references_themselves_is_1(self, references: list[Span]) -> None:
        assert recall(references, references) == 1

    @given(some, some, spans)
    def test_never_falls_when_more_is_retrieved(
        self, references: list[Span], retrieved: list[Span], more: Span
    ) -> None:
        assert 0 <= recall(references, retrieved) <= recall(references, [*retrieved, more]) <= 1


class TestOverSpans:
    @given(some, st.lists(spans, max_size=6))
    def test_figures_are_those_of_sets_of_characters(self, references: list[Span], retrieved: list[Span]) -> None:
        wanted, found = characters(references), characters(retrieved)
        covered = len(wanted & found)
        assert recall(references, retrieved) == covered / len(wanted)
        assert precision(references, retrieved) == (covered / length(retrieved) if retrieved else 0)
        assert iou(references, retrieved) == covered / (length(retrieved) + len(wanted - found))

    def test_precision_and_iou_fall_for_text_retrieved_twice(self) -> None:
        assert precision([REFERENCE], [REFERENCE]) == iou([REFERENCE], [REFERENCE]) == 1
        assert precision([REFERENCE], [REFERENCE, REFERENCE]) == 0.5
        assert iou([REFERENCE], [REFERENCE, REFERENCE]) == 0.5

    def test_iou_also_falls_for_missed_text(self) -> None:
        assert iou([REFERENCE], [Span("a", 5, 15)]) == 5 / 15

    @given(some, some)
    def test_iou_is_no_more_than_either(self, references: list[Span], retrieved: list[Span]) -> None:
        assert iou(references, retrieved) <= min(precision(references, retrieved), recall(references, retrieved))

    @given(some, some, st.lists(spans, max_size=5), st.lists(st.integers(1, 6), min_size=1, max_size=3))
    def test_figures_are_shares_for_each_k(
        self, references: list[Span], retrieved: list[Span], others: list[Span], ks: list[int]
    ) -> None:
        figures = of_spans(references, retrieved, [*retrieved, *others], ks)
        assert set(figures) == {f"{kind}@{k}" for kind in ("recall", "precision", "iou", "mrr", "ndcg") for k in ks}
        assert all(0 <= value <= 1 for value in figures.values())

    @given(some, some, some)
    def test_figures_do_not_depend_on_the_order_of_references_or_of_chunks(
        self, references: list[Span], retrieved: list[Span], others: list[Span]
    ) -> None:
        chunks = [*retrieved, *others]
        assert of_spans(references, retrieved, chunks, [2, 3]) == of_spans(
            references[::-1], retrieved, chunks[::-1], [2, 3]
        )

    @given(some, some, some)
    def test_figures_of_k_are_those_of_a_list_that_is_cut_there(
        self, references: list[Span], retrieved: list[Span], others: list[Span]
    ) -> None:
        chunks = [*retrieved, *others]
        assert of_spans(references, retrieved, chunks, [2]) == of_spans(references, retrieved[:2], chunks, [2])

    def test_the_first_chunk_that_overlaps_decides_mrr(self) -> None:
        other = Span("b", 0, 10)
        found = of_spans([Span("a", 5, 10)], [other, Span("a", 0, 5), Span("a", 9, 20)], [], [2, 3])
        assert (found["mrr@2"], found["mrr@3"]) == (0, 1 / 3)

    @given(some, some)
    def test_mrr_and_ndcg_are_positive_exactly_if_recall_is(
        self, references: list[Span], retrieved: list[Span]
    ) -> None:
        found = of_spans(references, retrieved, retrieved, [4])
        assert (found["mrr@4"] > 0) == (found["ndcg@4"] > 0) == (found["recall@4"] > 0)

    def test_ndcg_gains_by_the_reference_characters_in_a_chunk(self) -> None:
        whole, part, none = Span("a", 0, 8), Span("a", 8, 20), Span("a", 20, 30)
        chunks = [whole, part, none]
        assert of_spans([REFERENCE], [whole, part], chunks, [2])["ndcg@2"] == 1
        best = 8 + 2 / math.log2(3)
        assert of_spans([REFERENCE], [part, whole], chunks, [2])["ndcg@2"] == pytest.approx(
            (2 + 8 / math.log2(3)) / best
        )
        assert of_spans([REFERENCE], [none, whole], chunks, [2])["ndcg@2"] == pytest.approx((8 / math.log2(3)) / best)


class TestOverTexts:
    def test_pass_is_the_share_of_the_golden_texts_that_are_found(self) -> None:
        assert of_texts(["one", "two"], ["three", " two "], [1, 2]) == {
            "pass@1": 0,
            "mrr@1": 0,
            "ndcg@1": 0,
            "pass@2": 0.5,
            "mrr@2": 0.5,
            "ndcg@2": pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3))),
        }

    def test_golden_chunks_of_the_same_text_are_found_together(self) -> None:
        assert pass_share(["one", "one", "two"], ["one"]) == 2 / 3
        assert of_texts(["one", "one"], ["one"], [5])["ndcg@5"] == 1

    def test_the_same_text_again_gains_nothing(self) -> None:
        assert (
            of_texts(["one", "two"], ["one", "one"], [2])["ndcg@2"]
            < of_texts(["one", "two"], ["one", "two"], [2])["ndcg@2"]
        )

    @given(words, words, st.lists(st.integers(1, 6), min_size=1, max_size=3))
    def test_figures_are_shares_and_only_ndcg_may_fall(
        self, golden: list[str], retrieved: list[str], ks: list[int]
    ) -> None:
        figures = of_texts(golden, retrieved, ks)
        assert all(0 <= value <= 1 for value in figures.values())
        for kind in ("pass", "mrr"):
            values = [figures[f"{kind}@{k}"] for k in sorted(ks)]
            assert values == sorted(values)

    @given(words)
    def test_of_the_golden_texts_themselves_everything_is_1(self, golden: list[str]) -> None:
        distinct = list(dict.fromkeys(text.strip() for text in golden))
        assert set(of_texts(golden, distinct, [len(distinct)]).values()) == {1}


class TestReciprocalRank:
    def test_is_1_over_the_rank_of_the_first_gain(self) -> None:
        assert [reciprocal_rank(found) for found in ([3, 0], [0, 1], [0, 0, 2], [0], [])] == [1, 1 / 2, 1 / 3, 0, 0]


class TestNdcg:
    @given(gains, st.integers(1, 9))
    def test_of_the_best_order_is_1_and_of_no_other_more(self, found: list[float], k: int) -> None:
        best = ndcg(sorted(found, reverse=True), found, k)
        assert best == (1 if any(found) else 0)
        assert 0 <= ndcg(found, found, k) <= best

    @given(gains, gains, st.integers(1, 9))
    def test_falls_when_more_could_have_been_found(self, found: list[float], more: list[float], k: int) -> None:
        assert ndcg(found, [*found, *more], k) <= ndcg(found, found, k) + 1e-12
