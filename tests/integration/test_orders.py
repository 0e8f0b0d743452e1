"""A run does what it decided once, whenever a step is run again; days belong to a source; an address is a document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contextual_rag import ask, keys
from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Order, Run
from contextual_rag.building.outcome import Outcome
from contextual_rag.building.snapshots import latest
from contextual_rag.errors import UnknownSnapshotError
from contextual_rag.model import Source
from contextual_rag.record import encode
from contextual_rag.versions.records import Measured
from contextual_rag.wiring import World
from tests.faults.small_site import SLUGS, essay_page, index_page, index_url, show
from tests.raising import raising
from tests.servers.faulty_site import FaultySite, page, status

TODAY = datetime.now(UTC).date()


@pytest.fixture
def site() -> Iterator[FaultySite]:
    with FaultySite() as served:
        show(served)
        yield served


@pytest.fixture
def another_site() -> Iterator[FaultySite]:
    with FaultySite() as served:
        show(served, SLUGS[:2])
        yield served


def run(site: FaultySite, **asked: Any) -> Run:
    return Run.model_validate({"day": TODAY, "by": "tests", "source": index_url(site), **asked})


def fetched(world: World, asked: Run) -> str:
    """Decide on a run and fetch its pages; return the order."""
    found = world.steps.discover(asked)
    world.steps.fetch(found.order, [slug for slug, _ in found.essays])
    return found.order


def finished(world: World, order: str, outcomes: list[Outcome] | None = None) -> str:
    """Do all later steps of an order; return the version."""
    outcomes = list(outcomes or [])
    slugs = [slug for slug, _ in world.steps.changes(order)]
    outcomes += [getattr(world.steps, step)(order, slugs) for step in ("chunk", "contextualize", "embed")]
    version = world.steps.assemble(order, outcomes).version
    world.steps.publish(order, version, Measured(quality={}))
    return version


def stored(world: World, prefix: str) -> dict[str, bytes]:
    return {key: found.body for key in world.store.list(prefix) if (found := world.store.get(key))}


def snapshots(world: World) -> dict[str, bytes]:
    return stored(world, keys.SNAPSHOTS)


class TestAnOrder:
    def test_is_decided_once_whatever_the_settings_and_the_clock_say_later(
        self, world: World, site: FaultySite
    ) -> None:
        order = fetched(world, run(site, recipe={"chunk_size": 400}, max_failed_share=0.5))
        changed = {"chunk_size": 800, "max_failed_share": 0.0, "source_url": "http://nowhere.example/"}
        later = World(world.settings.model_copy(update=changed))
        version = finished(later, order)
        manifest = later.registry.manifest(version)
        assert (manifest.recipe.chunk_size, manifest.source.url) == (400, index_url(site))
        assert manifest.logical_date == TODAY

    def test_says_all_that_was_asked_and_all_that_is_listed(self, world: World, site: FaultySite) -> None:
        asked = {"limit": 3, "promote": False, "budget": 0.5, "force": True, "recipe": {"per_essay": 2}}
        order = world.steps.order(world.steps.discover(run(site, **asked)).order)
        assert [entry.slug for entry in order.entries] == list(SLUGS[:3])
        assert (order.listed, order.limit, order.promote, order.budget_usd, order.force) == (5, 3, False, 0.5, True)
        assert (order.ranking.per_essay, order.ranking_is_asked_for) == (2, True)
        assert (order.source, order.snapshot) == (Source.at(index_url(site)), None)

    def test_of_another_run_is_another(self, world: World, site: FaultySite) -> None:
        one, other = (world.steps.discover(run(site)).order for _ in range(2))
        assert one != other


class TestAStepThatIsRunAgain:
    """As a task that is cleared, here two days later: the site says something else by then."""

    @pytest.fixture
    def done(self, world: World, site: FaultySite) -> tuple[str, str]:
        order = fetched(world, run(site))
        version = finished(world, order)
        site.routes["/bell.html"] = page(essay_page("bell").replace(b"nine years", b"ninety years"))
        del site.routes["/bread.html"]
        site.routes["/articles.html"] = page(index_page(["bell", "clock"]))
        site.seen.clear()
        return order, version

    def test_asks_the_site_nothing_and_leaves_day_and_version_byte_for_byte(
        self, world: World, site: FaultySite, done: tuple[str, str]
    ) -> None:
        order, version = done
        before = snapshots(world), stored(world, keys.index_file(version, "")), world.registry.current()
        outcome = world.steps.fetch(order, list(SLUGS))
        assert (outcome.failed, site.seen) == ((), [])
        assert finished(world, order) == version
        assert (snapshots(world), stored(world, keys.index_file(version, "")), world.registry.current()) == before

    def test_does_the_same_work_after_all_that_it_made_was_lost(
        self, world: World, site: FaultySite, done: tuple[str, str]
    ) -> None:
        order, version = done
        before = world.registry.manifest(version).essays
        for prefix in (*keys.STAGES[1:], keys.index_file(version, "")):
            world.store.delete(list(world.store.list(prefix)))
        assert finished(world, order) == version
        assert world.registry.manifest(version).essays == before
        assert site.seen == []

    def test_reports_the_failures_of_that_day_and_tries_them_only_in_a_new_run(
        self, world: World, site: FaultySite
    ) -> None:
        site.routes["/clock.html"] = status(404)
        found = world.steps.discover(run(site))
        outcome = world.steps.fetch(found.order, list(SLUGS))
        finished(world, found.order, [outcome])
        show(site)
        again = world.steps.fetch(found.order, list(SLUGS))
        assert [failure.slug for failure in again.failed] == ["clock"]
        assert build_all(world.steps, run(site)).failed == ()

    def test_before_the_plan_asks_only_for_what_it_did_not_get(self, world: World, site: FaultySite) -> None:
        site.routes["/clock.html"] = status(503)
        impatient = World(world.settings.model_copy(update={"page_attempts": 1}))
        found = impatient.steps.discover(run(site))
        assert impatient.steps.fetch(found.order, list(SLUGS)).retriable
        show(site)
        assert impatient.steps.fetch(found.order, list(SLUGS)).failed == ()
        assert {seen.path for seen in site.seen} == {"/robots.txt", "/clock.html"}

    def test_of_discover_is_a_new_order_and_of_a_past_day_by_then(
        self, world: World, site: FaultySite, done: tuple[str, str]
    ) -> None:
        order, version = done
        again = world.steps.discover(run(site, past=True))
        assert again.order != order
        assert not again.asks_site
        assert site.seen == []
        assert finished(world, again.order) == version


class TestDays:
    def test_of_two_sources_are_kept_apart_and_both_can_be_built_again(
        self, world: World, site: FaultySite, another_site: FaultySite
    ) -> None:
        first = build_all(world.steps, run(site))
        kept = snapshots(world)
        second = build_all(world.steps, run(another_site, promote=True))
        assert snapshots(world).items() > kept.items()
        assert len(snapshots(world)) == 2
        for built, source in ((first, site), (second, another_site)):
            again = build_all(world.steps, run(source, past=True))
            assert (again.version, again.essays) == (built.version, built.essays)

    def test_of_another_source_cannot_be_built_from(
        self, world: World, site: FaultySite, another_site: FaultySite
    ) -> None:
        build_all(world.steps, run(site))
        with raising(UnknownSnapshotError, "unknown_snapshot", index_url(another_site), index_url(site)):
            world.steps.discover(run(another_site, past=True))

    def test_belong_to_a_named_source_wherever_it_is_served(
        self, world: World, site: FaultySite, another_site: FaultySite
    ) -> None:
        def named(served: FaultySite) -> World:
            where = {"source_url": index_url(served), "source_name": "essays"}
            return World(world.settings.model_copy(update=where))

        build_all(named(site).steps, Run(day=TODAY, by="tests"))
        found = latest(world.store, Source(name="essays", url=index_url(another_site)), TODAY)
        assert found
        assert found.source.url == index_url(site)
        assert not named(another_site).steps.discover(Run(day=TODAY, by="tests", past=True)).asks_site

    def test_are_of_the_order_that_was_decided_last(self, world: World, site: FaultySite) -> None:
        earlier = fetched(world, run(site))
        show(site, SLUGS[:3])
        later = fetched(world, run(site))
        finished(world, later)
        kept = snapshots(world)
        world.steps.changes(earlier)
        assert snapshots(world) == kept

    def test_are_not_given_by_a_run_of_a_few_essays(self, world: World, site: FaultySite) -> None:
        build_all(world.steps, run(site, limit=2))
        assert snapshots(world) == {}

    def test_keep_the_last_good_page_of_what_fails(self, world: World, site: FaultySite) -> None:
        build_all(world.steps, run(site))
        site.routes["/clock.html"] = status(404)
        built = build_all(world.steps, run(site))
        assert [failure.slug for failure in built.failed] == ["clock"]
        assert built.essays == 5


class TestTwoPagesOfOneName:
    @pytest.fixture
    def two(self, world: World, site: FaultySite) -> Built:
        links = "".join(f'<li><a href="/{year}/index.html">About {year}</a>' for year in (2019, 2020))
        site.routes["/articles.html"] = page(f"<html><body><main><ul>{links}</ul></main></body></html>".encode())
        site.routes["/2019/index.html"] = page(essay_page("bell"))
        site.routes["/2020/index.html"] = page(essay_page("bread"))
        return build_all(world.steps, run(site))

    def test_are_two_documents_that_both_answer(self, world: World, two: Built) -> None:
        essays = world.registry.resolve().essays
        assert len({essay.slug for essay in essays}) == len(essays) == 2
        assert {essay.url.rpartition("/")[0][-4:] for essay in essays} == {"2019", "2020"}
        for question, year in (("What does the harbour bell do in fog?", "2019"), ("How long does rye rise?", "2020")):
            cited = {citation.chunk.url for citation in ask(world, question).citations if citation.chunk}
            assert any(f"/{year}/" in url for url in cited)

    def test_have_names_that_do_not_depend_on_their_order(self, world: World, site: FaultySite, two: Built) -> None:
        before = {essay.url: essay.slug for essay in world.registry.resolve().essays}
        links = "".join(f'<li><a href="/{year}/index.html">About {year}</a>' for year in (2020, 2019))
        site.routes["/articles.html"] = page(f"<html><body><main><ul>{links}</ul></main></body></html>".encode())
        again = build_all(world.steps, run(site))
        assert again.version == two.version
        assert {essay.url: essay.slug for essay in world.registry.resolve().essays} == before

    def test_keep_the_chunks_of_the_one_that_was_there_before(self, world: World, site: FaultySite) -> None:
        one = '<li><a href="/2019/index.html">About 2019</a><li><a href="/clock.html">Clocks</a>'
        site.routes["/articles.html"] = page(f"<html><body><main><ul>{one}</ul></main></body></html>".encode())
        site.routes["/2019/index.html"] = page(essay_page("bell"))
        first = build_all(world.steps, run(site))
        both = f'{one}<li><a href="/2020/index.html">About 2020</a>'
        site.routes["/articles.html"] = page(f"<html><body><main><ul>{both}</ul></main></body></html>".encode())
        site.routes["/2020/index.html"] = page(essay_page("bread"))
        second = build_all(world.steps, run(site))
        ids = [set(world.indexes.open(world.registry.manifest(one.version)).rows) for one in (first, second)]
        assert ids[0] < ids[1]


def test_a_record_of_an_order_survives_the_store(world: World, site: FaultySite) -> None:
    digest = world.steps.discover(run(site)).order
    order = world.steps.order(digest)
    assert Order.model_validate_json(encode(order)) == order
    assert keys.digest(order.model_dump(mode="json")) == digest
    assert isinstance(order.decided_at, datetime)
    assert order.decided_at - datetime.now(UTC) < timedelta(minutes=5)
