"""Numbers of passages continue, and never change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.qa.retrieve import Hit
from contextual_rag.qa.sources import Numbered, numbered
from tests.small_world import passage

HITS = [Hit(passage(f"Text {n}.", f"essay{n}"), 1.0, None, None, None) for n in range(8)]


def test_begin_at_one_in_the_order_given() -> None:
    assert [(found.n, found.chunk.slug) for found in numbered(HITS[:3])] == [
        (1, "essay0"),
        (2, "essay1"),
        (3, "essay2"),
    ]
    assert numbered([]) == []


def test_go_on_and_a_passage_keeps_the_one_it_has() -> None:
    known = numbered(HITS[:3])
    assert [found.n for found in numbered([HITS[4], HITS[1], HITS[5]], known)] == [4, 2, 5]


@given(st.lists(st.lists(st.sampled_from(HITS), max_size=6), max_size=5))
def test_never_name_two_passages_and_leave_none_out(searches: list[list[Hit]]) -> None:
    known: list[Numbered] = []
    for hits in searches:
        found = numbered(hits, known)
        assert [source.hit for source in found] == hits
        known += [source for source in dict.fromkeys(found) if source not in known]
    assert [source.n for source in known] == list(range(1, len(known) + 1))
    assert len({source.chunk.chunk_id for source in known}) == len(known)
