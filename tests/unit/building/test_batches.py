"""Essays are divided by what they cost, and one that ends its instance takes no other along."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sample_site import read_sample
from contextual_rag.building.batches import (
    INSTANCES,
    WORTH_S,
    by_cost,
    evenly,
    expected_chunks,
    has_another_turn,
    in_turn,
    seconds_per_chunk,
)
from contextual_rag.pipeline.chunks import split
from contextual_rag.ports import Budget, EmbeddingModel, Matrix, Usage
from contextual_rag.recipe import Recipe
from contextual_rag.versions.records import Work
from tests.memory_world import MemoryWorld, names, text_of
from tests.small_world import WordCounts

HOSTED = Recipe(context_model="meta-llama/any", embedding_model="BAAI/any", embedding_dimension=8)
COSTS = st.lists(st.floats(min_value=0, max_value=1000), max_size=200)


class TestByCost:
    @given(COSTS)
    def test_every_essay_is_in_one_batch_in_order(self, costs: list[float]) -> None:
        essays = list(range(len(costs)))
        batches = by_cost(essays, costs)
        assert [essay for batch in batches for essay in batch] == essays
        assert all(batches)

    @given(COSTS)
    def test_are_as_many_as_their_work_is_worth_and_about_equal(self, costs: list[float]) -> None:
        total = math.fsum(costs)
        most = min(INSTANCES, max(1, int(total / WORTH_S)))
        batches = by_cost(list(range(len(costs))), costs)
        assert len(batches) <= most
        heaviest = max((sum(costs[n] for n in batch) for batch in batches), default=0)
        assert heaviest <= total / most + max(costs, default=0) + 1e-6

    def test_little_work_is_one_instance_however_many_essays_it_is(self) -> None:
        assert len(by_cost(range(500), [WORTH_S / 501] * 500)) == 1

    def test_large_essays_have_an_instance_each(self) -> None:
        assert by_cost("abc", [WORTH_S, 3 * WORTH_S, WORTH_S]) == [["a"], ["b"], ["c"]]

    def test_a_large_one_shares_with_none_of_the_small_ones_that_have_work_enough(self) -> None:
        costs = [WORTH_S / 10] * 10 + [WORTH_S] + [WORTH_S / 10] * 10
        assert [len(batch) for batch in by_cost(range(21), costs)] == [10, 1, 10]

    def test_nothing_is_no_batch(self) -> None:
        assert by_cost([], []) == []


@given(st.integers(min_value=0, max_value=500), st.integers(min_value=1, max_value=20))
def test_even_batches_hold_each_essay_once_and_are_no_more_than_asked_for(essays: int, most: int) -> None:
    batches = list(evenly(range(essays), most))
    assert [essay for batch in batches for essay in batch] == list(range(essays))
    assert len(batches) <= most


class TestWhatIsExpected:
    def test_chunks_are_about_as_many_as_there_are(self) -> None:
        for recipe in (Recipe(), Recipe(chunk_size=500)):
            documents = read_sample().documents
            expected = sum(expected_chunks(len(document.text), recipe) for document in documents)
            made = sum(len(split(document, recipe)) for document in documents)
            assert 0.5 < expected / made < 2

    def test_chunks_of_a_text_of_unknown_length_are_some(self) -> None:
        assert expected_chunks(None, Recipe()) > expected_chunks(100, Recipe())

    def test_a_hosted_model_takes_longer_and_less_if_more_is_asked_at_once(self) -> None:
        offline, slow, fast = (
            seconds_per_chunk(recipe, (), n) for recipe, n in ((Recipe(), 8), (HOSTED, 1), (HOSTED, 8))
        )
        assert offline < fast < slow

    def test_what_was_measured_counts_instead_of_the_rule(self) -> None:
        work = Work(model_calls=200, embedded=400, seconds={"contexts": 20.0, "embeddings": 8.0, "index": 100.0})
        few = Work(model_calls=3, embedded=3, seconds={"contexts": 9.0, "embeddings": 9.0})
        assert seconds_per_chunk(HOSTED, (few, work), 8) == pytest.approx(0.12)

    def test_what_was_measured_of_a_few_chunks_never_does(self) -> None:
        few = Work(model_calls=3, embedded=3, seconds={"contexts": 9.0, "embeddings": 9.0})
        carried = Work(model_calls=0, embedded=400, seconds={"contexts": 0.1, "embeddings": 8.0})
        assert seconds_per_chunk(HOSTED, (few, carried), 8) == seconds_per_chunk(HOSTED, (), 8)


class TestTheWorkOfADay:
    """A site of long essays, whose contexts are asked one by one of what its name says is a hosted model."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> MemoryWorld:
        world = MemoryWorld(tmp_path, context_model="meta-llama/any", model_concurrency=1)
        world.pages.show(long_texts())
        return world

    def test_is_divided_until_a_version_says_that_it_takes_no_time(self, world: MemoryWorld) -> None:
        assert 1 < len(shared_out(world)) < 12
        built = world.build()
        assert built.work.embedded > 100
        world.pages.show(long_texts(edition="second"))
        assert len(shared_out(world, days=1)) == 1

    def test_is_in_one_instance_offline(self, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path)
        world.pages.show(names(25))
        (batch,) = shared_out(world)
        assert batch == [(name, name.capitalize()) for name in names(25)]

    def test_of_nothing_is_no_instance(self, world: MemoryWorld) -> None:
        world.build()
        assert shared_out(world) == []


def long_texts(*, edition: str = "first") -> dict[str, str]:
    """Return some essays of about ten chunks each."""
    return {name: "\n\n".join([text_of(name, edition=edition)] * 30) for name in names(12)}


def shared_out(world: MemoryWorld, *, days: int = 0) -> list[list[tuple[str, str]]]:
    """Fetch a day's pages, and return the batches of what changed."""
    digest, titles, _ = world.steps.discover(world.run(days=days))
    world.steps.fetch(digest, [slug for slug, _ in titles])
    return world.steps.shared_out(digest, world.steps.changes(digest))


class KilledError(BaseException):
    """What ends a process at an essay, whoever started it."""


class TestAnEssayThatEndsItsInstance:
    @given(st.integers(min_value=1, max_value=30), st.data())
    def test_takes_no_other_along_if_there_is_a_second_attempt(self, essays: int, data: st.DataObject) -> None:
        slugs = names(essays)
        fatal = data.draw(st.sampled_from(slugs))
        made: set[str] = set()
        for attempt in (1, 2):
            for slug in in_turn(slugs, attempt):
                if slug == fatal:
                    break
                made.add(slug)
        assert made == set(slugs) - {fatal}

    @pytest.mark.parametrize(
        ("essays", "attempt", "expected"),
        [(1, 1, False), (2, 1, True), (2, 2, False), (1, 2, False)],
    )
    def test_by_using_up_its_time_is_tried_once_more_and_only_if_others_wait(
        self, essays: int, attempt: int, expected: bool
    ) -> None:
        assert has_another_turn(names(essays), attempt, 1) is expected

    def test_that_was_cleared_is_tried_like_the_first_time(self) -> None:
        assert has_another_turn(names(2), 4, 4)

    def test_at_any_step_is_the_only_one_that_is_lacking(self, tmp_path: Path) -> None:
        world = Fatal(tmp_path, max_failed_share=0.5)
        world.pages.show(names(5))
        digest, titles, _ = world.steps.discover(world.run())
        slugs = [slug for slug, _ in titles]
        asked: list[str] = []

        def on_page(url: str) -> None:
            asked.append(url)
            if url.endswith("essay2.html"):
                raise KilledError

        world.pages.on_page = on_page
        attempted(world.steps.fetch, digest, slugs)
        assert [url.rpartition("/")[2] for url in asked if "essay2" not in url] == [
            f"essay{n}.html" for n in (0, 1, 4, 3)
        ]
        planned = [slug for slug, _ in world.steps.changes(digest)]
        for step in ("chunk", "contextualize", "embed"):
            attempted(getattr(world.steps, step), digest, planned)
        assert {failure.slug for failure in world.steps.assemble(digest, ()).failed} == {"essay2", "essay3"}


class Fatal(MemoryWorld):
    """Whoever embeds the third essay is killed."""

    def embedding_model(self, recipe: Recipe, budget: Budget | None = None) -> EmbeddingModel:
        """Words, counted."""
        return FatalModel()


class FatalModel(WordCounts):
    """Words, counted, but not those of one essay."""

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        """Return the vectors."""
        if any(text_of("essay3").split()[1] in text for text in texts):
            raise KilledError
        return super().embed(texts, kind=kind)


def attempted(step: Callable[[str, list[str]], object], digest: str, slugs: list[str]) -> None:
    """Do a step as two attempts of an instance do it."""
    for attempt in (1, 2):
        with suppress(KilledError):
            step(digest, in_turn(slugs, attempt))
