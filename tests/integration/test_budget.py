"""A budget: builds that stop before they cost more, and go on from there with more of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from contextual_rag import keys
from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Run
from contextual_rag.building.spending import Ledger, Spending
from contextual_rag.errors import BudgetError, CorruptObjectError, SettingError
from contextual_rag.face import ask
from contextual_rag.objects import require
from contextual_rag.ports import Usage
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.conftest import SAMPLE_SITE, Rag, ServedSite
from tests.raising import raising
from tests.servers.together import DEFAULT_KEY, TogetherServer

RUN = "a run"


@pytest.fixture
def provider() -> Iterator[TogetherServer]:
    with TogetherServer() as server:
        yield server


@pytest.fixture
def hosted(settings: Settings, provider: TogetherServer) -> Settings:
    """The settings of a build whose models are the provider's."""
    return Settings(
        **settings.model_dump()
        | {"together_api_key": DEFAULT_KEY, "together_base_url": provider.url, "model_concurrency": 4}
        | {"requests_per_minute": 100_000, "tokens_per_minute": 1_000_000_000}
    )


def built(settings: Settings, site: ServedSite, by: str, **asked: Any) -> Built:
    run = {"day": datetime.now(UTC).date(), "by": by, "source": site.url, "limit": 5, **asked}
    return build_all(World(settings).steps, Run.model_validate(run))


def spending(world: World, run: str = RUN) -> Spending:
    return require(world.store, keys.spending(keys.digest(run)), Spending)


class TestABuild:
    def test_stops_before_it_overspends_and_goes_on_with_more(
        self, hosted: Settings, provider: TogetherServer, sample_site: ServedSite
    ) -> None:
        # The measuring would be most of so small a build's cost; half of that is then more than all contexts.
        hosted = hosted.model_copy(update={"rerank_model": "none"})
        world = World(hosted)
        whole = built(hosted.model_copy(update={"bucket": f"{hosted.bucket}-whole"}), sample_site, "without a budget")
        cost = provider.billed_usd
        assert whole.work.cost_usd == pytest.approx(cost)
        chats = len(provider.calls("chat"))

        provider.forget()
        with raising(BudgetError, "budget", f"{cost / 2:.6f}", "RAG_BUDGET_USD"):
            built(hosted, sample_site, "half", budget=cost / 2)
        assert 0 < provider.billed_usd <= cost / 2
        assert spending(world, "half").spent_usd == pytest.approx(provider.billed_usd)
        assert world.registry.current() is None
        assert list(world.store.list("4_contexts/")), "essays that were finished keep their contexts"
        assert len(provider.calls("chat")) < chats

        provider.forget()
        done = built(hosted, sample_site, "enough", budget=cost * 2)
        assert done.published
        assert done.work.model_calls == len(provider.calls("chat")) < chats
        assert done.work.cost_usd == pytest.approx(provider.billed_usd)
        assert provider.billed_usd < cost
        assert spending(world, "enough").spent_usd == pytest.approx(provider.billed_usd)

    def test_is_not_billed_more_than_its_budget_where_answers_are_lost(
        self, hosted: Settings, provider: TogetherServer, sample_site: ServedSite
    ) -> None:
        for kind, seed in (("truncated_json", 1), ("500", 2), ("429", 3)):
            provider.fault(kind, path="chat", rate=0.15, seed=seed)
        # Four of ten requests fail: by five attempts, one call in a hundred would end before the budget does.
        patient = hosted.model_copy(update={"model_attempts": 15})
        with raising(BudgetError, "budget"):
            built(patient, sample_site, "faults", budget=0.002)
        assert 0 < provider.billed_usd <= 0.002

    def test_counts_the_measuring_too(
        self, hosted: Settings, provider: TogetherServer, sample_site: ServedSite
    ) -> None:
        asked = {"questions": SAMPLE_SITE / "questions.jsonl"}
        done = built(hosted.model_copy(update=asked), sample_site, "measured", budget=1.0)
        assert provider.calls("rerank")
        assert done.work.cost_usd == pytest.approx(provider.billed_usd)
        world = World(hosted)
        assert world.registry.manifest(done.version).work.cost_usd == pytest.approx(provider.billed_usd)
        assert spending(world, "measured").spent_usd == pytest.approx(provider.billed_usd)

    def test_with_a_model_of_unknown_price_is_refused_before_anything_is_asked(
        self, hosted: Settings, provider: TogetherServer, sample_site: ServedSite
    ) -> None:
        with raising(SettingError, "setting_price", "thinking-test", "RAG_MODEL_PRICES"):
            built(hosted, sample_site, "unknown", budget=1.0, context_model="thinking-test")
        assert {call.path for call in provider.calls()} == {"models"}
        assert not list(World(hosted).store.list("1_pages/"))
        priced = hosted.model_copy(update={"model_prices": {"thinking-test": (1.0, 1.0)}, "budget_usd": 1e-6})
        with raising(BudgetError, "budget"):
            built(priced, sample_site, "set", context_model="thinking-test")

    def test_offline_needs_none(self, settings: Settings, sample_site: ServedSite) -> None:
        done = built(settings, sample_site, "offline", budget=0.0, limit=1)
        assert done.published
        assert done.work.cost_usd == 0


class TestAnAnswer:
    def test_costs_what_its_embedding_reranking_and_words_do(
        self, hosted: Settings, provider: TogetherServer, sample_site: ServedSite
    ) -> None:
        version = built(hosted, sample_site, "to ask", limit=1, context_model="offline/structure-2").version
        provider.forget()
        provider.fault("uncited", path="chat")
        used = ask(World(hosted), "What is it about?", version=version).usage
        assert [call.path for call in provider.calls()] == ["embeddings", "models", "rerank", "chat", "chat"]
        assert used.calls == 4
        assert 0 < used.cost_usd == pytest.approx(provider.billed_usd)

    def test_offline_costs_nothing(self, settings: Settings, sample_site: ServedSite) -> None:
        version = built(settings, sample_site, "to ask", limit=1).version
        assert ask(World(settings), "What is it about?", version=version).usage == Usage()


class TestTheCommand:
    def test_says_what_it_cost_and_ends_with_one_line_where_the_budget_does(
        self, rag: Rag, provider: TogetherServer, sample_site: ServedSite
    ) -> None:
        model = {
            "TOGETHER_API_KEY": DEFAULT_KEY,
            "TOGETHER_BASE_URL": provider.url,
            "RAG_EMBEDDING_MODEL": "offline/all-MiniLM-L6-v2",
        }
        build = ("build", "--source", sample_site.url, "--limit", "2")
        stopped = rag.run(*build, "--budget", "0.0001", **model)
        assert stopped.returncode == 3
        assert stopped.stderr.splitlines()[-1].startswith("Budget: ")
        done = rag.json(*build, RAG_BUDGET_USD="1", **model)
        assert done["cost_usd"] == pytest.approx(provider.billed_usd, abs=1e-6)
        assert done["cost_usd"] > 0


class TestALedger:
    def test_shared_by_processes_and_threads_is_never_overspent(self, world: World) -> None:
        limit, sent = 1.0, []
        worlds = [World(world.settings) for _ in range(3)]
        chance = random.Random(20261121)
        requests = [(chance.uniform(0.02, 0.1), chance.uniform(0.2, 1.0)) for _ in range(60)]

        def spend(ledger: Ledger, most: float, share: float) -> None:
            try:
                ledger.reserve(most)
            except BudgetError:
                return
            stored = spending(world)
            assert stored.spent_usd <= limit + 1e-9
            sent.append(most * share)
            ledger.settle(most, most * share)

        def process(number: int) -> None:
            with Ledger(worlds[number].store, RUN, limit) as ledger, ThreadPoolExecutor(4) as pool:
                for request in requests[number::3]:
                    pool.submit(spend, ledger, *request)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(process, range(3)))
        assert limit * 0.8 < sum(sent) <= limit
        assert spending(world).spent_usd == pytest.approx(sum(sent))
        assert len(spending(world).by_process) == 3

    def test_waits_for_what_is_under_way_in_its_process(self, world: World) -> None:
        with Ledger(world.store, RUN, 1.0) as ledger, ThreadPoolExecutor(1) as pool:
            ledger.reserve(0.9)
            second = pool.submit(ledger.reserve, 0.9)
            ledger.settle(0.9, 0.05)
            second.result(timeout=10)
            ledger.settle(0.9, 0.9)
            with raising(BudgetError, "budget", "0.950000", "1.000000"):
                ledger.reserve(0.06)

    def test_counts_what_a_killed_process_may_have_spent(self, world: World) -> None:
        Ledger(world.store, RUN, 1.0).reserve(0.7)
        with raising(BudgetError, "budget"):
            Ledger(world.store, RUN, 1.0).reserve(0.4)
        with Ledger(world.store, RUN, 2.0) as ledger:
            ledger.reserve(0.4)
        assert spending(world).spent_usd == pytest.approx(1.1)

    def test_of_another_run_is_another(self, world: World) -> None:
        Ledger(world.store, RUN, 1.0).reserve(0.7)
        Ledger(world.store, "another", 1.0).reserve(0.7)

    def test_without_a_limit_leaves_no_trace(self, world: World) -> None:
        with Ledger(world.store, RUN, None) as ledger:
            ledger.reserve(1e9)
        assert not world.store.exists(keys.spending(keys.digest(RUN)))

    def test_that_is_damaged_is_named(self, world: World) -> None:
        world.store.put(keys.spending(keys.digest(RUN)), b"{")
        with raising(CorruptObjectError, "corrupt_object", "6_indexes/spending/"):
            Ledger(world.store, RUN, 1.0).reserve(0.1)
