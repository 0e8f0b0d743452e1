"""Whatever is to answer passes the gates, by what it would replace: new content, and content that comes back."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contextual_rag import keys
from contextual_rag.building.build import Built
from contextual_rag.errors import GateError, SettingError
from contextual_rag.versions import manage
from contextual_rag.versions.gates import Gates, Objection, quality
from contextual_rag.versions.records import Compared
from tests.memory_world import DAY, MemoryWorld, names, text_of
from tests.raising import raising

OTHER = "http://other.example/essays.html"


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    return MemoryWorld(tmp_path)


def answering(world: MemoryWorld, count: int, **asked: Any) -> str:
    """Publish an index of so many essays."""
    world.pages.show(names(count))
    built = world.build(**asked)
    assert built.state == "moved", built.refused or built.stayed
    return built.version


def back(world: MemoryWorld, *counts: int) -> str:
    """Publish indexes of so many essays, one after the other on one day, whatever goes; the last one answers."""
    return [answering(world, count, max_shrink_share=1.0) for count in counts][-1]


# Each makes what answers, then shows the site that would replace it, and builds.


def names_the_first_two_again(world: MemoryWorld) -> Built:
    back(world, 2, 5)
    world.pages.show(names(2))
    return world.build()


def names_the_first_two_the_next_day(world: MemoryWorld) -> Built:
    back(world, 2, 5)
    world.pages.show(names(2))
    return world.build(days=1)


def names_the_first_two_after_a_rollback_and_a_promotion(world: MemoryWorld) -> Built:
    two, five = back(world, 2), back(world, 5)
    manage.promote(world, two, by="ada", why="a test")
    manage.promote(world, five, by="ada", why="a mistake")
    # The person left both; only a version of the next day is nobody's.
    world.pages.show(names(2))
    return world.build(days=1)


def names_as_many_others(world: MemoryWorld) -> Built:
    answering(world, 20)
    world.pages.show([*names(10), *names(10, first=100)])
    return world.build()


def names_as_many_others_that_were_there_before(world: MemoryWorld) -> Built:
    world.pages.show([*names(10), *names(10, first=100)])
    assert world.build().moved
    back(world, 20)
    world.pages.show([*names(10), *names(10, first=100)])
    return world.build()


def names_the_same_at_other_addresses(world: MemoryWorld) -> Built:
    answering(world, 10)
    world.pages.show({f"{name}-2": text_of(name) for name in names(10)})
    return world.build()


def names_fewer_for_another_recipe(world: MemoryWorld) -> Built:
    answering(world, 10)
    world.pages.show(names(4))
    return world.build(chunk_size=500)


def names_a_few_on_a_past_day_that_is_promoted(world: MemoryWorld) -> Built:
    world.pages.show(names(3))
    assert not world.build(days=2, promote=False).moved
    answering(world, 10, days=1)
    return world.build(days=2, past=True, promote=True)


def takes_the_first_few_by_a_persons_word(world: MemoryWorld) -> Built:
    answering(world, 10)
    return world.build(limit=3, promote=True)


def names_all_and_serves_an_empty_text(world: MemoryWorld) -> Built:
    world.pages.show({name: text_of(name, sentences=8) * 40 for name in names(5)})
    assert world.build().moved
    world.pages.show(dict.fromkeys(names(5), "This essay is shorter now."))
    return world.build()


def names_all_and_each_page_asks_for_a_login(world: MemoryWorld) -> Built:
    """Each text is as long as before."""
    answering(world, 10)
    world.pages.show(dict.fromkeys(names(10), text_of("login")))
    return world.build()


def names_five_and_serves_the_first_two(world: MemoryWorld) -> Built:
    """The content of the first two is a version already, in which no essay failed."""
    back(world, 2, 5)
    world.pages.show(names(5), missing=names(3, first=2))
    world.store.delete(list(world.store.list(keys.SNAPSHOTS)))  # and with them the last good pages
    return world.build(max_shrink_share=1.0)


def is_of_another_source(world: MemoryWorld) -> Built:
    answering(world, 20)
    world.other_site(OTHER).show(names(17, first=200))
    return world.build(source=OTHER)


def is_of_another_source_with_more_essays(world: MemoryWorld) -> Built:
    answering(world, 20)
    world.other_site(OTHER).show(names(30, first=200))
    return world.build(source=OTHER, max_shrink_share=1.0)


def is_of_another_source_that_answered_before(world: MemoryWorld) -> Built:
    world.other_site(OTHER).show(names(5, first=200))
    assert world.build(source=OTHER).moved
    world.pages.show(names(20))
    assert world.build(promote=True).moved
    return world.build(source=OTHER)


def answers_worse(world: MemoryWorld) -> Built:
    worse = {"chunker": "fixed", "chunk_size": 50}
    world.pages.show({name: text_of(name, sentences=8) for name in names(10)})
    assert world.build().moved
    return world.build(recipe=worse)


def answers_worse_and_did_so_before(world: MemoryWorld) -> Built:
    worse = {"chunker": "fixed", "chunk_size": 50}
    world.pages.show({name: text_of(name, sentences=8) for name in names(10)})
    for recipe in (worse, {}):
        assert world.build(recipe=recipe).moved
    return world.build(recipe=worse)


def cannot_be_compared_for_want_of_a_key(world: MemoryWorld) -> Built:
    answering(world, 10)
    world.lost.add(world.registry.resolve().recipe.embedding_model)
    world.pages.show(names(11))
    return world.build(embedding_model="some/other", recipe={"embedding_dimension": 512})


REFUSED: dict[Callable[[MemoryWorld], Built], tuple[str, list[str]]] = {
    names_the_first_two_again: ("gate_shrunk", ["60%", "2 essays", "of 5"]),
    names_the_first_two_the_next_day: ("gate_shrunk", ["60%"]),
    names_the_first_two_after_a_rollback_and_a_promotion: ("gate_shrunk", ["60%"]),
    names_as_many_others: ("gate_gone", ["10 of the 20", "50%", "/essay10.html"]),
    names_as_many_others_that_were_there_before: ("gate_gone", ["10 of the 20", "50%"]),
    names_the_same_at_other_addresses: ("gate_gone", ["10 of the 10", "100%"]),
    names_fewer_for_another_recipe: ("gate_shrunk", ["60%"]),
    names_a_few_on_a_past_day_that_is_promoted: ("gate_shrunk", ["70%"]),
    takes_the_first_few_by_a_persons_word: ("gate_shrunk", ["chunks", "7 of the 10", "70%"]),
    names_all_and_serves_an_empty_text: ("gate_shrunk", ["chunks"]),
    names_all_and_each_page_asks_for_a_login: ("gate_shrunk", ["1 different texts", "of 10", "90%"]),
    names_five_and_serves_the_first_two: ("gate_failed_share", ["3 of 5", "60%"]),
    is_of_another_source: ("gate_source", ["other.example", "essays.example", "17 essays", "20 essays"]),
    is_of_another_source_with_more_essays: ("gate_source", ["other.example"]),
    is_of_another_source_that_answered_before: ("gate_source", ["other.example"]),
    answers_worse: ("gate_quality", ["known_item_recall@5 1.000 → 0.", "50 questions"]),
    answers_worse_and_did_so_before: ("gate_quality", ["known_item_recall@5 1.000 → 0.", "50 questions"]),
    cannot_be_compared_for_want_of_a_key: ("gate_quality", ["a key that is not set"]),
}


class TestWhatIsRefused:
    @pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.__name__)
    def test_is_named_with_its_figures_and_what_answers_stays(
        self, world: MemoryWorld, case: Callable[[MemoryWorld], Built]
    ) -> None:
        built = case(world)
        code, named = REFUSED[case]
        assert (built.state, built.refusal) == ("refused", code), built
        assert built.refused
        assert [name for name in named if name not in built.refused] == []
        assert code == "gate_failed_share" or str(world.current) in built.refused
        assert world.current != built.version
        assert (built.published, built.current, built.moved, built.moved_from) == (False, False, False, None)

    def test_is_not_published_either(self, world: MemoryWorld) -> None:
        names_as_many_others(world)
        assert len(world.registry.names()) == 1

    def test_stays_refused_and_is_published_with_a_higher_limit_at_no_cost(self, world: MemoryWorld) -> None:
        first = names_as_many_others(world)
        assert world.build().refusal == "gate_gone"
        accepted = world.build(max_shrink_share=0.5)
        assert (accepted.state, accepted.version, accepted.work.embedded) == ("moved", first.version, 0)

    def test_is_judged_by_what_answers_at_the_moment_when_it_would_be_replaced(self, world: MemoryWorld) -> None:
        """Another process publishes while this one measures."""
        back(world, 2)
        world.pages.show(names(3))
        digest, titles, _ = world.steps.discover(world.run())
        slugs = [slug for slug, _ in titles]
        outcomes = [getattr(world.steps, step)(digest, slugs) for step in ("fetch",)]
        slugs = [slug for slug, _ in world.steps.changes(digest)]
        outcomes += [getattr(world.steps, step)(digest, slugs) for step in ("chunk", "contextualize", "embed")]
        version = world.steps.assemble(digest, outcomes).version
        measured = world.steps.evaluate(digest, version)
        ten = back(world, 10)
        with raising(GateError, "gate_shrunk", ten, "70%"):
            world.steps.publish(digest, version, measured)
        assert world.current == ten


class TestWhatIsAllowed:
    def test_is_a_smaller_loss(self, world: MemoryWorld) -> None:
        first = answering(world, 10)
        world.pages.show(names(7))
        built = world.build()
        assert (built.state, built.moved_from, world.current) == ("moved", first, built.version)

    def test_is_a_version_that_comes_back_when_little_goes(self, world: MemoryWorld) -> None:
        four, five = answering(world, 4), answering(world, 5)
        world.pages.show(names(4))
        built = world.build()
        assert (built.version, built.state, built.published, built.moved_from) == (four, "moved", False, five)
        assert world.registry.history()[0].why == "it was published before, and its content is back"

    def test_is_an_essay_that_failed_and_keeps_its_content(self, world: MemoryWorld) -> None:
        answering(world, 5)
        world.pages.show([*names(5), "new"], missing=names(1))
        built = world.build()
        assert (built.state, built.essays, len(built.failed)) == ("moved", 6, 1)

    def test_is_a_few_texts_that_are_alike(self, world: MemoryWorld) -> None:
        answering(world, 10)
        world.pages.show({name: text_of(name) for name in names(10)} | dict.fromkeys(names(3), text_of("login")))
        assert world.build().state == "moved"
        # They are no reason against a night that is as before, either.
        world.pages.show({name: text_of(name) for name in names(11)} | dict.fromkeys(names(3), text_of("login")))
        assert world.build().state == "moved"

    def test_is_the_same_site_at_another_host_under_its_name(self, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path, source_name="essays")
        answering(world, 5)
        moved = "https://moved.example/articles.html"
        world.settings = world.settings.model_copy(update={"source_url": moved})
        world.other_site(moved).show(names(6))
        assert world.build().state == "moved"

    def test_is_the_same_address_under_another_name(self, world: MemoryWorld) -> None:
        answering(world, 5)
        world.settings = world.settings.model_copy(update={"source_name": "essays"})
        world.pages.show(names(6))
        assert world.build().state == "moved"

    def test_is_anything_where_nothing_answers(self, world: MemoryWorld) -> None:
        world.pages.show(names(1))
        assert world.build(source=world.pages.url).moved_from is None
        assert world.current


def loses(world: MemoryWorld, first: int, share: float, nights: int, every: int = 1) -> list[Built]:
    """Build night after night while a site loses so much of what it still has, `every` days apart."""
    left, built = names(first), []
    for night in range(nights):
        world.pages.show(left)
        built.append(world.build(days=night * every))
        left = left[round(len(left) * share) :]
    return built


class TestASlowLoss:
    def test_of_a_quarter_each_night_is_refused_with_its_figures_and_what_answers_stays(
        self, world: MemoryWorld
    ) -> None:
        first, second, *others = loses(world, 20, 0.25, 14)
        assert (first.state, second.state, {one.refusal for one in others}) == ("moved", "moved", {"gate_shrunk"})
        assert world.current == second.version
        for figure in ("20", "11", "45%", "30%", f"since {DAY}", f"`rag promote {second.version}`"):
            assert figure in str(others[0].refused)

    def test_is_seen_within_one_day_too(self, world: MemoryWorld) -> None:
        for count in (20, 15):
            answering(world, count)
        world.pages.show(names(11))
        assert world.build().refusal == "gate_shrunk"

    def test_is_seen_where_as_many_others_come(self, world: MemoryWorld) -> None:
        for night, gone in enumerate((0, 5, 10)):
            world.pages.show(names(20, first=gone))
            built = world.build(days=night)
        assert built.refusal == "gate_gone"
        assert "10 of the 20 essays" in str(built.refused)

    def test_is_seen_where_essays_came_meanwhile_and_go(self, world: MemoryWorld) -> None:
        for night, count in enumerate((5, 20, 15)):
            world.pages.show(names(count))
            assert world.build(days=night).moved
        world.pages.show(names(11))
        assert world.build(days=3).refusal == "gate_shrunk"

    def test_is_seen_after_a_site_that_did_not_change_for_long(self, world: MemoryWorld) -> None:
        for night, count in ((0, 20), (20, 15)):
            world.pages.show(names(count))
            assert world.build(days=night).moved
        world.pages.show(names(11))
        assert world.build(days=21).refusal == "gate_shrunk"

    def test_of_a_few_essays_a_month_is_never_refused(self, world: MemoryWorld) -> None:
        assert {one.state for one in loses(world, 20, 0.1, 6, every=5)} == {"moved"}

    def test_is_measured_from_what_a_person_promoted(self, world: MemoryWorld) -> None:
        *_, refused = loses(world, 20, 0.25, 3)
        assert refused.refusal == "gate_shrunk"
        manage.promote(world, str(world.current), by="ada", why="the site is moving to another place")
        assert world.build(days=3).moved
        world.pages.show(names(8, first=12))
        assert world.build(days=4).refusal == "gate_shrunk"

    def test_is_measured_from_what_a_higher_limit_let_through(self, world: MemoryWorld) -> None:
        answering(world, 20)
        answering(world, 10, max_shrink_share=0.6)
        world.pages.show(names(8))
        assert world.build(days=1).moved
        world.pages.show(names(6))
        assert world.build(days=2).refusal == "gate_shrunk"


class TestAPersonsWord:
    def test_replaces_another_source_whatever_goes(self, world: MemoryWorld) -> None:
        first = answering(world, 20)
        world.other_site(OTHER).show(names(17, first=200))
        assert world.build(source=OTHER).refusal == "gate_source"
        built = world.build(source=OTHER, promote=True)
        assert (built.state, built.moved_from) == ("moved", first)

    @pytest.mark.parametrize("word", ["yes", True])
    def test_is_what_the_form_or_a_program_gives(self, world: MemoryWorld, word: object) -> None:
        assert world.run(promote=word).promote is True

    def test_that_says_no_publishes_it_beside_what_answers(self, world: MemoryWorld) -> None:
        first = answering(world, 20)
        world.other_site(OTHER).show(names(17, first=200))
        built = world.build(source=OTHER, promote=False)
        assert (built.state, built.published, world.current) == ("stayed", True, first)

    def test_promotes_a_few_essays_where_nothing_goes_by_it(self, world: MemoryWorld) -> None:
        world.pages.show(names(10))
        assert world.build(limit=3, promote=True).state == "moved"

    def test_does_not_lift_the_other_gates(self, world: MemoryWorld) -> None:
        answering(world, 10)
        world.pages.show(names(2))
        assert world.build(promote=True).refusal == "gate_shrunk"

    def test_by_promoting_or_rolling_back_counts_and_hears_what_the_gates_say(self, world: MemoryWorld) -> None:
        two, five = back(world, 2), back(world, 5)
        rolled = manage.rollback(world, by="ada", why="the new essays are wrong")
        assert (rolled.version, rolled.moved_from, world.current) == (two, five, two)
        assert any("60%" in one for one in rolled.objections)
        assert rolled.objections[0] in rolled.message
        promoted = manage.promote(world, five, by="ada", why="they are right")
        assert (promoted.version, promoted.moved_from, promoted.objections) == (five, two, ())

    def test_for_a_version_that_answers_worse_hears_the_figures(self, world: MemoryWorld) -> None:
        worse = answers_worse_and_did_so_before(world).version
        promoted = manage.promote(world, worse, by="ada", why="the smaller chunks read better")
        assert world.current == worse
        assert any("known_item_recall@5 1.000 → 0." in one for one in promoted.objections)

    def test_for_another_source_hears_so(self, world: MemoryWorld) -> None:
        answering(world, 5)
        world.other_site(OTHER).show(names(5, first=200))
        other = world.build(source=OTHER, promote=False).version
        promoted = manage.promote(world, other, by="ada", why="the better one")
        assert "other.example" in promoted.objections[0]

    def test_for_what_answers_already_moves_nothing(self, world: MemoryWorld) -> None:
        five = answering(world, 5)
        assert manage.promote(world, five, by="ada", why="to be sure").moved_from is None
        assert manage.pin(world, five, by="ada", why="to be sure").moved_from is None


class TestALimit:
    @pytest.mark.parametrize("limit", [2, 3, 50])
    def test_never_moves_current_by_itself(self, world: MemoryWorld, limit: int) -> None:
        first = answering(world, 5)
        world.pages.show([*names(5), "new"])
        built = world.build(limit=limit)
        assert (built.state, built.published, world.current) == ("stayed", True, first)
        assert built.stayed
        assert f"limit of {limit}" in built.stayed
        assert f"rag promote {built.version}" in built.stayed

    def test_does_not_where_nothing_answers_either(self, world: MemoryWorld) -> None:
        world.pages.show(names(5))
        assert world.build(limit=2).state == "stayed"
        assert world.current is None

    def test_does_not_with_content_that_was_published_before(self, world: MemoryWorld) -> None:
        back(world, 2, 5)
        assert world.build(limit=2, max_shrink_share=1.0).state == "stayed"

    def test_does_not_change_the_ranking_of_what_answers(self, world: MemoryWorld) -> None:
        answering(world, 5)
        built = world.build(limit=5, recipe={"keyword_weight": 0.1})
        assert (built.state, built.retuned) == ("stayed", False)


class TestAnotherRanking:
    def test_of_what_answers_changes_it(self, world: MemoryWorld) -> None:
        first = answering(world, 10)
        built = world.build(recipe={"keyword_weight": 0.3})
        assert (built.state, built.published, built.retuned) == ("moved", False, True)
        assert (built.moved_from, world.current) == (first, first)
        again = world.build(recipe={"keyword_weight": 0.3})
        assert (again.state, again.retuned) == ("stayed", False)


class TestWhatStays:
    def test_says_that_nothing_changed(self, world: MemoryWorld) -> None:
        answering(world, 5)
        built = world.build(days=1)
        assert (built.state, built.current, built.moved_from) == ("stayed", True, None)
        assert built.stayed == "nothing has changed since it was published"

    def test_is_refused_if_most_pages_failed_though_nothing_changed(self, world: MemoryWorld) -> None:
        answering(world, 5)
        world.pages.show(names(5), missing=names(2))
        built = world.build(days=1)
        assert (built.refusal, built.current, built.moved) == ("gate_failed_share", True, False)

    def test_is_not_measured_against_what_it_does_not_replace(self, world: MemoryWorld) -> None:
        """After a rollback, every night comes to the version that was left; it is not judged again."""
        back(world, 5, 2)
        manage.rollback(world, by="ada", why="a test")
        built = world.build(days=1)
        assert (built.state, built.refused) == ("stayed", None)
        assert "a person moved from" in (built.stayed or "")


class TestFiguresThatAreNoNumbers:
    """A figure that cannot be computed is no figure that is good enough."""

    @pytest.mark.parametrize(("before", "after"), [(0.9, math.nan), (math.nan, 0.9), (0.9, -math.inf), (math.inf, 0.9)])
    def test_are_refused(self, before: float, after: float) -> None:
        assert [one.code for one in fell(before, after)] == ["gate_quality"]

    def test_that_are_numbers_are_not(self) -> None:
        assert fell(0.9, 0.9) == fell(0.1, 0.9) == fell(0.9, 0.86) == []

    def test_are_refused_where_one_is_lacking_that_was_there(self) -> None:
        assert [one.code for one in fell(0.9, None)] == ["gate_quality"]
        # No answer may cite, and then how well answers cite is not known.
        assert fell(0.9, None, "citation_recall_by_words") == []


def fell(before: float, after: float | None, figure: str = "recall@5") -> list[Objection]:
    """What is objected to a figure that was one thing and is another, or is lacking."""
    gates = Gates(max_failed_share=0.2, max_shrink_share=0.3, max_quality_drop=0.05)
    now = {} if after is None else {figure: after}
    compared = Compared(version="v", questions=20, before={figure: before}, after=now)
    return quality(compared, gates)


class TestQualityThatIsNotCompared:
    def test_is_named_where_no_question_can_be_asked(self, world: MemoryWorld) -> None:
        answering(world, 2)
        world.pages.show(names(3))
        built = world.build()
        assert (built.state, built.uncompared is None) == ("moved", False)
        manifest = world.registry.resolve()
        assert (manifest.quality, manifest.yardstick) == ({}, None)

    def test_is_not_named_where_it_was_compared(self, world: MemoryWorld) -> None:
        answering(world, 10)
        world.pages.show(names(11))
        built = world.build()
        assert (built.state, built.uncompared) == ("moved", None)

    def test_refuses_until_a_person_gives_the_key_or_allows_any_drop(self, world: MemoryWorld) -> None:
        assert cannot_be_compared_for_want_of_a_key(world).refusal == "gate_quality"
        other: dict[str, Any] = {"embedding_model": "some/other", "recipe": {"embedding_dimension": 512}}
        assert world.build(**other, max_quality_drop=0.99).refusal == "gate_quality"
        allowed = world.build(**other, max_quality_drop=1.0)
        assert allowed.state == "moved"
        assert allowed.uncompared
        assert "a key that is not set" in allowed.uncompared

    def test_refuses_nothing_once_the_key_is_there(self, world: MemoryWorld) -> None:
        cannot_be_compared_for_want_of_a_key(world)
        world.lost.clear()
        built = world.build(embedding_model="some/other", recipe={"embedding_dimension": 512})
        assert (built.state, built.uncompared) == ("moved", None)

    def test_is_named_if_what_answers_is_damaged_which_a_build_mends(self, world: MemoryWorld, tmp_path: Path) -> None:
        first = answering(world, 10)
        world.store.delete([keys.index_file(first, keys.TABLE)])
        another = MemoryWorld(tmp_path / "of another machine", world.store)
        another.pages.show(names(11))
        built = another.build(chunk_size=500)
        assert built.state == "moved"
        assert keys.index_file(first, keys.TABLE) in (built.uncompared or "")

    def test_is_that_of_a_version_that_comes_back_too(self, world: MemoryWorld) -> None:
        four = answering(world, 10)
        answering(world, 11)
        world.lost.add(world.registry.resolve().recipe.embedding_model)
        world.pages.show(names(10))
        with raising(SettingError, "setting"):  # the version itself cannot be asked anything here
            world.build()
        world.lost.clear()
        assert (world.build().version, world.current) == (four, four)
