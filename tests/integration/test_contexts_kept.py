"""A context is stored as soon as it is made, and paid for once, whatever happens to the build."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from contextual_rag.building.build import Built, build_all
from contextual_rag.building.contexts import KeptContexts
from contextual_rag.building.order import Run
from contextual_rag.errors import BudgetError
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.raising import raising
from tests.servers.faulty_site import FaultySite, page
from tests.servers.together import DEFAULT_KEY, TogetherServer

KEPT = "4_contexts/kept/"
# One essay of ten paragraphs, each of which is a chunk.
PARAGRAPHS = [f"Paragraph number {n} is about the lamp {n}. " * 12 for n in range(10)]


@pytest.fixture
def provider() -> Iterator[TogetherServer]:
    with TogetherServer() as server:
        yield server


@pytest.fixture
def hosted(settings: Settings, provider: TogetherServer) -> World:
    """A world whose contexts are the provider's, and whose vectors are not."""
    chosen = {
        "together_api_key": DEFAULT_KEY,
        "together_base_url": provider.url,
        "embedding_model": "offline/all-MiniLM-L6-v2",
        "rerank_model": "none",
        "model_attempts": 1,
        "model_concurrency": 1,
        "chunk_size": 600,
    }
    return World(Settings(**settings.model_dump() | chosen))


@pytest.fixture
def site() -> Iterator[FaultySite]:
    with FaultySite() as served:
        listed = '<html><body><main><ul><li><a href="/lamps.html">Lamps</a></ul></main></body></html>'
        served.routes["/articles.html"] = page(listed.encode())
        show(served, PARAGRAPHS)
        yield served


def show(site: FaultySite, paragraphs: list[str]) -> None:
    text = "<br><br>".join(paragraphs)
    body = f"<html><title>Lamps</title><body><table><tr><td><font>May 2021<br><br>{text}</font></table></body></html>"
    site.routes["/lamps.html"] = page(body.encode())


def built(world: World, site: FaultySite, **asked: Any) -> Built:
    run = {"day": datetime.now(UTC).date(), "by": f"run {asked}", "source": site.url("/articles.html"), **asked}
    return build_all(World(world.settings).steps, Run.model_validate(run))


def kept(world: World) -> dict[str, str]:
    """The contexts of the one essay."""
    (key,) = world.store.list(KEPT)
    return dict(KeptContexts(world.store, key)._known)


class TestARefusal:
    def test_of_one_chunk_of_ten_leaves_nine_contexts_that_are_paid_once_over_three_runs(
        self, hosted: World, provider: TogetherServer, site: FaultySite
    ) -> None:
        refused, costs = "<chunk>\\nParagraph number 4 is", []
        for _ in range(3):
            provider.fault("refusal", path="chat", match=refused, times=1)
            # The only essay fails, so that no version is made; what was paid for is counted all the same.
            done = built(hosted, site, max_failed_share=1.0)
            assert done.refused
            assert ["1 of 10" in failure.reason for failure in done.failed] == [True]
            costs.append(done.work.cost_usd)
            assert len(kept(hosted)) == 9
        assert sum(costs) == pytest.approx(provider.billed_usd)
        assert len(provider.calls("chat")) == 10 + 1 + 1
        last = built(hosted, site)
        assert (last.published, last.work.model_calls) == (True, 1)
        assert len(kept(hosted)) == 10
        assert sum(costs) + last.work.cost_usd == pytest.approx(provider.billed_usd)

    def test_of_none_asks_each_chunk_once(self, hosted: World, provider: TogetherServer, site: FaultySite) -> None:
        done = built(hosted, site)
        assert (done.published, done.work.model_calls, len(provider.calls("chat"))) == (True, 10, 10)
        assert done.work.cost_usd == pytest.approx(provider.billed_usd)


class TestABudget:
    def test_that_ends_in_the_middle_of_an_essay_loses_no_context(
        self, hosted: World, provider: TogetherServer, site: FaultySite
    ) -> None:
        whole = built(World(hosted.settings.model_copy(update={"bucket": f"{hosted.settings.bucket}-w"})), site)
        cost = whole.work.cost_usd
        provider.forget()
        with raising(BudgetError, "budget"):
            built(hosted, site, budget=cost * 0.6)
        paid = len([call for call in provider.calls("chat") if call.fault is None])
        assert 0 < paid < 10
        assert len(kept(hosted)) == paid
        last = built(hosted, site, budget=cost * 10)
        assert last.work.model_calls == 10 - paid
        assert len(provider.calls("chat")) == 10


class TestAnEdit:
    def test_pays_for_the_chunks_that_changed(self, hosted: World, provider: TogetherServer, site: FaultySite) -> None:
        built(hosted, site)
        provider.forget()
        show(site, [*PARAGRAPHS[:3], PARAGRAPHS[3].replace("lamp", "lantern"), *PARAGRAPHS[4:]])
        edited = built(hosted, site)
        assert (edited.published, edited.work.model_calls, len(provider.calls("chat"))) == (True, 1, 1)
        show(site, PARAGRAPHS)
        provider.forget()
        back = built(hosted, site)
        assert (back.work.model_calls, len(provider.calls("chat"))) == (0, 0), "the former text was explained before"

    def test_pays_for_all_of_them_if_nothing_is_carried_over(
        self, hosted: World, provider: TogetherServer, site: FaultySite
    ) -> None:
        built(hosted, site)
        provider.forget()
        show(site, [*PARAGRAPHS[:3], PARAGRAPHS[3].replace("lamp", "lantern"), *PARAGRAPHS[4:]])
        built(hosted, site, carry_over=False)
        assert len(provider.calls("chat")) == 10


class TestProcessesThatWorkOnOneDocument:
    def test_lose_nothing_of_each_others(self, world: World) -> None:
        key = f"{KEPT}x.json"
        one, other = KeptContexts(world.store, key), KeptContexts(world.store, key)
        one.update({"a": "of a"})
        other.update({"b": "of b"})
        one.update({"c": "of c"})
        found = KeptContexts(world.store, key)
        assert [found.get(name) for name in "abcd"] == ["of a", "of b", "of c", None]
