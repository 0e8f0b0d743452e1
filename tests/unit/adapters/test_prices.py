"""Prices and the budget, through the real SDK and a real socket."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from contextual_rag.adapters.together import Together
from contextual_rag.adapters.together_chat import TogetherChat
from contextual_rag.adapters.together_embeddings import TogetherEmbeddings
from contextual_rag.adapters.together_rerank import TogetherRerank
from contextual_rag.errors import BudgetError, RefusalError, ServiceUnavailableError, SettingError
from contextual_rag.ports import Message, Usage
from contextual_rag.qa.meter import Meter
from tests.raising import raising
from tests.servers.together import DEFAULT_PRICES, TogetherServer

KEY = "tgp-very-secret-0123456789"
CHAT = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
BGE = "BAAI/bge-large-en-v1.5"
RANK = "Salesforce/Llama-Rank-v1"
HELLO = [Message("user", "Please repeat the words of this line after me.")]


class Purse:
    """A budget in memory, which records reservations and payments."""

    def __init__(self, limit_usd: float | None) -> None:
        self.limit_usd = limit_usd
        self.spent = 0.0
        self.asked: list[float] = []

    def reserve(self, usd: float) -> None:
        self.asked.append(usd)
        if self.limit_usd is not None and self.spent + usd > self.limit_usd:
            raise BudgetError("used up")
        self.spent += usd

    def count(self, usage: Usage) -> None:
        pass

    def settle(self, reserved: float, paid: float) -> None:
        self.spent += paid - reserved


@pytest.fixture(scope="module")
def running() -> Iterator[TogetherServer]:
    with TogetherServer(key=KEY) as server:
        yield server


@pytest.fixture
def server(running: TogetherServer) -> TogetherServer:
    running.forget()
    return running


def connect(server: TogetherServer, **changed: Any) -> Together:
    settings: dict[str, Any] = {"base_url": server.url, "attempts": 3, "backoff_s": 0.01, "timeout_s": 1.0}
    return Together(KEY, **(settings | changed))


def ask(client: Together, model: str = CHAT) -> float:
    return TogetherChat(client, model).complete(HELLO, max_tokens=50).usage.cost_usd


class TestPrices:
    def test_are_the_providers_own_and_requested_once(self, server: TogetherServer) -> None:
        client = connect(server)
        costs = [ask(client.within(Purse(None))), ask(client.within(Purse(1.0)))]
        assert costs == [pytest.approx(24 * DEFAULT_PRICES[CHAT][0] / 1e6)] * 2
        assert sum(costs) == pytest.approx(server.billed_usd)
        assert len(server.calls("models")) == 1

    def test_are_also_known_without_a_budget(self, server: TogetherServer) -> None:
        client = connect(server)
        assert [ask(client), ask(client.within(Meter()))] == [0.0, pytest.approx(24 * DEFAULT_PRICES[CHAT][0] / 1e6)]

    def test_that_are_set_take_precedence_without_a_request(self, server: TogetherServer) -> None:
        client = connect(server, prices={CHAT: (2.0, 5.0)}).within(Purse(1.0))
        assert ask(client) == pytest.approx((12 * 2.0 + 12 * 5.0) / 1e6)
        assert server.calls("models") == []

    @pytest.mark.parametrize("fault", ["500", "malformed", "truncated_json", "stall"])
    def test_that_are_unknown_count_as_0_without_a_limit_with_one_warning(
        self, server: TogetherServer, fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.fault(fault, path="models", times=9)
        client = connect(server).within(Purse(None))
        with caplog.at_level(logging.WARNING):
            assert [ask(client), ask(client)] == [0.0, 0.0]
        assert [CHAT in record.getMessage() for record in caplog.records] == [True]
        assert len(server.calls("models")) == 1

    def test_that_cannot_be_requested_stop_a_build_with_a_limit(self, server: TogetherServer) -> None:
        server.fault("500", path="models", times=9)
        with raising(ServiceUnavailableError, "service_unavailable", "the list of models"):
            ask(connect(server).within(Purse(1.0)))
        assert server.calls("chat") == []

    def test_that_are_unknown_stop_a_build_with_a_limit_and_name_the_setting(self, server: TogetherServer) -> None:
        with raising(SettingError, "setting_price", "thinking-test", "RAG_MODEL_PRICES"):
            ask(connect(server).within(Purse(1.0)), "thinking-test")
        assert server.calls("chat") == []

    def test_of_another_shape_are_none(self) -> None:
        with TogetherServer(key=KEY, prices={CHAT: (-1.0, 0.0)}) as server:
            client = connect(server)
            assert CHAT in client.models()
            with raising(SettingError, "setting_price", "RAG_MODEL_PRICES"):
                client.price(CHAT)


class TestABudget:
    def test_reserves_more_than_a_request_costs_and_keeps_its_cost(self, server: TogetherServer) -> None:
        purse = Purse(1.0)
        client = connect(server).within(purse)
        ask(client)
        TogetherEmbeddings(client, BGE, 1024).embed(["one two three"] * 100, kind="passage")
        TogetherRerank(client, RANK).rerank("one", ["one two", "three"])
        assert len(purse.asked) == 4
        assert purse.spent == pytest.approx(server.billed_usd)
        assert 0 < purse.spent < sum(purse.asked) / 1.5

    def test_that_is_too_small_stops_a_request_before_it_is_sent(self, server: TogetherServer) -> None:
        with raising(BudgetError, "budget"):
            ask(connect(server).within(Purse(1e-6)))
        assert server.calls("chat") == []

    def test_gets_back_the_reservation_of_a_refused_request(self, server: TogetherServer) -> None:
        server.fault("429", path="chat", times=1)
        server.fault("500", path="chat", times=1)
        purse = Purse(1.0)
        ask(connect(server).within(purse))
        assert len(purse.asked) == 3
        assert purse.spent == pytest.approx(server.billed_usd)

    @pytest.mark.parametrize("fault", ["cut", "truncated_json", "malformed", "stall"])
    def test_keeps_the_reservation_of_a_lost_answer(self, server: TogetherServer, fault: str) -> None:
        server.fault(fault, path="chat", times=1)
        purse = Purse(1.0)
        cost = ask(connect(server).within(purse))
        assert purse.spent == pytest.approx(purse.asked[0] + cost)
        assert purse.spent >= server.billed_usd

    def test_counts_a_finished_stream_exactly_and_an_abandoned_one_in_full(self, server: TogetherServer) -> None:
        purse = Purse(1.0)
        chat = TogetherChat(connect(server).within(purse), CHAT)
        list(chat.stream(HELLO, max_tokens=50))
        assert purse.spent == pytest.approx(server.billed_usd)
        stream = chat.stream(HELLO, max_tokens=50)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert purse.spent == pytest.approx(server.billed_usd / 2 + purse.asked[1])

    def test_counts_a_refusal(self, server: TogetherServer) -> None:
        server.fault("refusal", path="chat")
        purse = Purse(1.0)
        with raising(RefusalError, "refusal"):
            ask(connect(server).within(purse))
        assert purse.spent == pytest.approx(server.billed_usd)
        assert purse.spent > 0
