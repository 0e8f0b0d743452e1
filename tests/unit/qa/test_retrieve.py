"""Retrieval: two rankings fused, reranked if there is a reranker, and spread over essays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.ports import Usage
from contextual_rag.qa.retrieve import Hit, fuse, lifted, retrieve
from contextual_rag.ranking import Ranking
from tests.small_world import Shortest, SmallIndex, SmallVectors, WordCounts, passage

Search = tuple[list[tuple[str, float]], float]
searches = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.01, 100), max_size=8).map(
            lambda found: list(found.items())
        ),
        st.floats(0.1, 1),
    ),
    max_size=2,
)

# Essays, each given by the scores of its chunks.
essays = st.lists(st.lists(st.floats(0, 2), min_size=1, max_size=6), max_size=4)

CHUNKS = [
    passage(text, slug, chunk_id=id_)
    for id_, slug, text in [
        ("a1", "a", "tide tide tide"),
        ("a2", "a", "tide tide log"),
        ("a3", "a", "tide log log"),
        ("b1", "b", "tide log log log log"),
        ("c1", "c", "jug"),
    ]
]
VECTORS = SmallVectors(CHUNKS)


def scored(essays: list[list[float]]) -> tuple[dict[str, float], list[list[str]]]:
    """Return the scores by id, without every third chunk, and the ids of each essay."""
    orders = [[f"{n}-{place}" for place in range(len(chunks))] for n, chunks in enumerate(essays)]
    pairs = [pair for order, chunks in zip(orders, essays, strict=True) for pair in zip(order, chunks, strict=True)]
    return {id_: score for n, (id_, score) in enumerate(pairs) if n % 3}, orders


def ask(question: str, by_words: Sequence[str] = (), *, k: int = 10, **options: object) -> list[Hit]:
    index = SmallIndex(CHUNKS, by_words)
    return retrieve(index, VECTORS, WordCounts(), question, k=k, **options)  # type: ignore[arg-type]


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.chunk.chunk_id for hit in hits]


class TestFuse:
    @given(searches)
    def test_sums_each_search_s_scores_as_shares_of_its_best_by_weight(self, searches: list[Search]) -> None:
        expected = {
            id_: sum(
                weight * dict(found)[id_] / max(dict(found).values())
                for found, weight in searches
                if id_ in dict(found)
            )
            for id_ in {id_ for found, _ in searches for id_, _ in found}
        }
        assert dict(fuse(*searches)) == pytest.approx(expected)

    @given(searches)
    def test_puts_the_best_first_and_ties_in_the_order_of_their_first_appearance(self, searches: list[Search]) -> None:
        fused = fuse(*searches)
        order = list(dict.fromkeys(id_ for found, _ in searches for id_, _ in found))
        assert fused == sorted(fused, key=lambda item: (-item[1], order.index(item[0])))

    def test_puts_what_both_find_before_what_one_finds_as_well(self) -> None:
        assert fuse(([("x", 4.0), ("y", 3.0)], 0.5), ([("z", 0.8), ("y", 0.6)], 0.5)) == [
            ("y", 0.75), ("x", 0.5), ("z", 0.5),
        ]  # fmt: skip

    def test_leaves_out_a_search_without_weight(self) -> None:
        assert fuse(([("x", 4.0)], 1.0), ([("z", 0.8)], 0.0)) == [("x", 1.0)]

    def test_counts_negative_scores_as_zero(self) -> None:
        assert fuse(([("x", 0.5), ("y", -0.5)], 1.0)) == [("x", 1.0), ("y", 0.0)]
        assert fuse(([("x", -0.5)], 1.0)) == [("x", 0.0)]

    def test_of_nothing_is_nothing(self) -> None:
        assert fuse() == fuse(([], 0.5), ([], 0.5)) == []


class TestLifted:
    @given(essays, st.floats(0, 1))
    def test_lowers_nothing_and_puts_the_best_first(self, essays: list[list[float]], weight: float) -> None:
        scores, orders = scored(essays)
        found = lifted(scores, orders, weight)
        assert all(score >= scores[id_] for id_, score in found if id_ in scores)
        assert scores.keys() <= dict(found).keys()
        assert found == sorted(found, key=lambda item: -item[1])

    @given(essays, st.floats(0, 1))
    def test_lifts_only_an_opening_above_its_better_neighbour(self, essays: list[list[float]], weight: float) -> None:
        scores, orders = scored(essays)
        found = dict(lifted(scores, orders, weight))
        for order in orders:
            for place, id_ in enumerate(order[1:], 1):
                assert found.get(id_, 0.0) <= max(scores.get(one, 0.0) for one in order[place - 1 : place + 2]) + 1e-9

    @given(essays)
    def test_by_no_weight_changes_no_score(self, essays: list[list[float]]) -> None:
        scores, orders = scored(essays)
        assert {id_: score for id_, score in lifted(scores, orders, 0.0) if score} == {
            id_: score for id_, score in scores.items() if score
        }

    def test_takes_a_share_of_the_way_to_the_better_neighbour(self) -> None:
        assert dict(lifted({"b": 0.4, "c": 0.9, "d": 0.2}, [["a", "b", "c", "d", "e"]], 0.2)) == pytest.approx({
            "a": 0.2 * 0.4 + 0.2 * 0.9, "b": 0.5, "c": 0.9, "d": 0.34, "e": 0.04,
        })  # fmt: skip

    def test_lifts_by_nothing_of_another_essay(self) -> None:
        found = dict(lifted({"a": 0.5, "z": 1.0}, [["a", "b"], ["y", "z"]], 0.5))
        assert found == pytest.approx({"a": 0.75, "b": 0.25, "y": 1.0, "z": 1.0})


class TestRetrieve:
    def test_fuses_both_searches_and_says_the_rank_in_each(self) -> None:
        hits = ask("tide", ["a3", "c1"])
        assert set(ids(hits)) == {"a3", "c1", "a1", "a2", "b1"}
        by_id = {hit.chunk.chunk_id: hit for hit in hits}
        assert hits[0] == by_id["a3"]
        assert (by_id["a3"].bm25_rank, by_id["a3"].vector_rank) == (1, 3)
        assert (by_id["a1"].bm25_rank, by_id["a1"].vector_rank) == (None, 1)
        assert by_id["a1"].cosine == pytest.approx(1)

    def test_rescores_chunks_with_almost_equal_scores(self) -> None:
        near, far = passage("tide log", chunk_id="near"), passage("tide jug", chunk_id="far")
        alike = SmallVectors([passage("x", chunk_id=id_) for id_ in ("far", "near")])
        index = SmallIndex([far, near], ["far", "near"])
        index.ranking = Ranking(keyword_weight=0.1)
        assert ids(retrieve(index, alike, WordCounts(), "tide log")) == ["near", "far"]

    def test_weights_keywords_less_if_they_cover_little_of_the_question(self) -> None:
        by_words, by_meaning = passage("tide", "a", chunk_id="words"), passage("sea sea", "b", chunk_id="meaning")
        index, vectors = SmallIndex([by_words, by_meaning], ["words"]), SmallVectors([by_words, by_meaning])
        assert ids(retrieve(index, vectors, WordCounts(), "tide sea")) == ["words", "meaning"]
        assert ids(retrieve(index, vectors, WordCounts(), "tide sea sea shore gull wave")) == ["meaning", "words"]

    def test_returns_one_of_two_chunks_that_say_the_same(self) -> None:
        twins = [
            passage("The  Tide", chunk_id="a"),
            passage("the tide", chunk_id="b"),
            passage("the log", chunk_id="c"),
        ]
        assert ids(retrieve(SmallIndex(twins, ["b", "a", "c"]), SmallVectors(), WordCounts(), "tide")) == ["b", "c"]

    def test_has_no_cosine_if_the_vector_search_did_not_find_a_chunk(self) -> None:
        hits = retrieve(SmallIndex(CHUNKS, ["c1"]), SmallVectors(), WordCounts(), "jug")
        assert [(hit.chunk.chunk_id, hit.vector_rank, hit.cosine) for hit in hits] == [("c1", None, None)]

    def test_searches_only_among_the_chunks_of_its_version(self) -> None:
        hits = retrieve(SmallIndex(CHUNKS[1:3]), VECTORS, WordCounts(), "tide jug")
        assert ids(hits) == ["a2", "a3"]

    def test_returns_at_most_k(self) -> None:
        assert len(ask("tide", k=2)) == 2

    def test_asks_each_search_for_the_number_of_candidates(self) -> None:
        hits = ask("tide tide jug", ["c1", "b1"], candidates=1)
        assert set(ids([hit for hit in hits if hit.bm25_rank or hit.vector_rank])) == {"c1", "a1"}

    def test_includes_the_neighbours_of_a_hit_and_the_opening_of_its_essay(self) -> None:
        essay = [passage(text, "a", chunk_id=text, start=n) for n, text in enumerate(["opens", "on", "to", "hit"])]
        hits = retrieve(SmallIndex(essay, ["hit"]), SmallVectors(), WordCounts(), "hit")
        assert ids(hits) == ["hit", "opens", "to"]
        assert [(hit.bm25_rank, hit.vector_rank) for hit in hits[1:]] == [(None, None)] * 2

    def test_gives_the_same_list_for_the_same_question(self) -> None:
        assert ask("tide log", ["b1", "a3"]) == ask("tide log", ["b1", "a3"])


class TestSpread:
    def test_limits_the_chunks_of_an_essay_and_fills_up_from_others(self) -> None:
        def found(per_essay: int | None) -> list[str]:
            index = SmallIndex(CHUNKS)
            index.ranking = Ranking(per_essay=per_essay)
            return ids(retrieve(index, VECTORS, WordCounts(), "tide", k=3))

        assert found(None) == ["a1", "a2", "a3"]
        assert found(1) == ["a1", "b1", "c1"]
        assert found(2) == ["a1", "a2", "b1"]


class Opinion:
    """A reranker with an opinion of some texts; it finds the others irrelevant."""

    name = "opinion"

    def __init__(self, opinion: Mapping[str, float], *, most: int = 50) -> None:
        self.most = most
        self._opinion = opinion
        self.asked: list[Sequence[str]] = []

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        self.asked.append(texts)
        return [self._opinion.get(text, 0.0) for text in texts], Usage()


class TestRerank:
    def test_adds_its_weight_to_the_shares_of_the_best_score_and_keeps_ranks(self) -> None:
        plain, hits = ask("tide"), ask("tide", reranker=Opinion({"tide log log": 0.8}))
        expected = {hit.chunk.chunk_id: hit.score / plain[0].score for hit in plain}
        expected["a3"] += 0.5 * 0.8
        assert {hit.chunk.chunk_id: hit.score for hit in hits} == pytest.approx(expected)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert {hit.chunk.chunk_id: hit.vector_rank for hit in hits} == {
            hit.chunk.chunk_id: hit.vector_rank for hit in plain
        }

    def test_lifts_what_it_finds_relevant(self) -> None:
        assert ids(ask("tide"))[0] == "a1"
        assert ids(ask("tide", reranker=Opinion({"tide tide log": 1.0})))[0] == "a2"

    @pytest.mark.parametrize("relevance", [0.0, 0.3, 1.0])
    def test_changes_nothing_if_all_are_alike_to_it(self, relevance: float) -> None:
        alike = Opinion({chunk.embedded_text: relevance for chunk in CHUNKS})
        assert ids(ask("tide", reranker=alike)) == ids(ask("tide"))

    def test_never_replaces_the_score(self) -> None:
        # The worst hit has next to nothing of the best one's score, which half a reranker's word does not outweigh.
        assert ids(ask("tide", reranker=Opinion({"jug": 1.0})))[0] == "a1"

    def test_is_not_asked_without_a_weight(self) -> None:
        index = SmallIndex(CHUNKS).ranked(Ranking(rerank_weight=0))
        reranker = Opinion({"jug": 1.0})
        hits = retrieve(index, VECTORS, WordCounts(), "tide", reranker=reranker)
        assert (ids(hits), reranker.asked) == (ids(ask("tide")), [])

    def test_reads_no_more_than_it_should(self) -> None:
        reranker = Opinion({"tide tide log": 1.0, "jug": 1.0}, most=2)
        assert ids(ask("tide", reranker=reranker)) == ["a2", "a1", *ids(ask("tide"))[2:]]
        assert reranker.asked == [["tide tide tide", "tide tide log"]]

    def test_reads_the_context_together_with_the_chunk(self) -> None:
        chunk = passage("tide", context="Of the sea.")
        reranker = Shortest()
        retrieve(SmallIndex([chunk]), SmallVectors([chunk]), WordCounts(), "tide?", reranker=reranker)
        assert reranker.asked == [("tide?", ["Of the sea.\n\ntide"])]

    def test_reads_as_many_even_if_fewer_are_returned(self) -> None:
        reranker = Opinion({"tide tide log": 1.0})
        assert ids(ask("tide", k=1, reranker=reranker)) == ["a2"]
        assert len(reranker.asked[0]) == len(CHUNKS)

    def test_is_not_called_without_hits(self) -> None:
        reranker = Shortest()
        assert retrieve(SmallIndex([]), SmallVectors(), WordCounts(), "tide", reranker=reranker) == []
        assert reranker.asked == []
