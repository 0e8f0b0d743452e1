"""Metrics: what share of the words that answer was found, and how early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.evaluation.metrics import Span, recall, reciprocal_rank

spans = st.builds(
    lambda slug, start, length: Span(slug, start, start + length),
    st.sampled_from("ab"),
    st.integers(0, 30),
    st.integers(1, 10),
)
some = st.lists(spans, min_size=1, max_size=4)


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
        assert recall([Span("a", 0, 10)], retrieved) == share

    def test_counts_characters_and_not_references(self) -> None:
        assert recall([Span("a", 0, 30), Span("b", 0, 10)], [Span("b", 0, 10)]) == 0.25

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


class TestReciprocalRank:
    def test_is_1_over_the_rank_of_the_first_that_overlaps(self) -> None:
        reference, other = Span("a", 5, 10), Span("b", 5, 10)
        assert reciprocal_rank([reference], [Span("a", 9, 20)]) == 1
        assert reciprocal_rank([reference], [other, Span("a", 0, 6), reference]) == 1 / 2
        assert reciprocal_rank([reference, other], [Span("c", 0, 9), Span("c", 0, 9), other]) == 1 / 3

    def test_is_0_where_none_overlaps(self) -> None:
        assert reciprocal_rank([Span("a", 5, 10)], [Span("a", 0, 5), Span("a", 10, 15), Span("b", 5, 10)]) == 0
        assert reciprocal_rank([Span("a", 5, 10)], []) == 0

    @given(some, some)
    def test_is_positive_just_where_recall_is(self, references: list[Span], retrieved: list[Span]) -> None:
        assert (reciprocal_rank(references, retrieved) > 0) == (recall(references, retrieved) > 0)
