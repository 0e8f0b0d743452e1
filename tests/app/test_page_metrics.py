"""What `/api/metrics` says of questions, of the API and of what answers, and what it never says."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.app.conftest import KEYS
from tests.app.test_api import ask, events
from tests.conversing import Conversing

Figures = dict[tuple[str, str], float]


@pytest.fixture
def anna(running: Conversing) -> Iterator[httpx.Client]:
    """A client with a key."""
    running.model.tokens_per_second = 400
    with running.api(authorization=f"Bearer {KEYS[0]}") as client:
        yield client


def scraped(client: httpx.Client) -> Figures:
    """Each figure by its name and the value of its label, as Prometheus reads it."""
    answered = client.get("/metrics")
    assert answered.status_code == 200
    assert answered.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answered.text)
    return {(one.name, next(iter(one.labels.values()), "")): one.value for family in families for one in family.samples}


def rise(before: Figures, after: Figures, name: str, label: str = "") -> float:
    """By how much a figure rose."""
    return after[name, label] - before.get((name, label), 0)


class TestFigures:
    def test_count_each_question_once_by_how_it_ended_and_time_it(
        self, anna: httpx.Client, running: Conversing
    ) -> None:
        before = scraped(anna)
        ask(anna, "Who kept the lighthouse?")
        ask(anna, "How is zirconium smelted?")
        running.model.tokens_per_second = 2
        with anna.stream("POST", "/ask", json={"question": "Who planted the orchard?"}) as response:
            following = events(response)
            turn = next(following).data["id"]
            next(event for event in following if event.kind == "text")
            assert scraped(anna)["rag_oldest_question_seconds", ""] > 0
            anna.post(f"/turns/{turn}/stop")
            assert list(following)[-1].data["status"] == "stopped"
        after = scraped(anna)
        assert after["rag_oldest_question_seconds", ""] == 0
        counted = {status: rise(before, after, "rag_questions_total", status) for status in ("answered", "abstained")}
        assert counted == {"answered": 1, "abstained": 1}
        assert rise(before, after, "rag_questions_total", "stopped") == 1
        assert rise(before, after, "rag_questions_total", "failed") == 0
        assert rise(before, after, "rag_answer_seconds_count") == 3
        whole, first = (rise(before, after, f"rag_{name}_seconds_sum") for name in ("answer", "first_token"))
        assert 0 < first < whole
        text = anna.get("/metrics").text
        for private in ("lighthouse", "zirconium", turn, KEYS[0], "key:", "127.0.0.1"):
            assert private not in text
        again = scraped(anna)
        assert {key: value for key, value in again.items() if key[0].startswith("rag_questions")} == {
            key: value for key, value in after.items() if key[0].startswith("rag_questions")
        }

    def test_count_responses_of_the_api_by_status_those_of_the_guard_too(self, anna: httpx.Client) -> None:
        before = scraped(anna)
        anna.get("/turns/never-asked-by-anyone")
        anna.get("/health", headers={"origin": "https://elsewhere.example"})
        after = scraped(anna)
        assert rise(before, after, "rag_api_responses_total", "404") == 1
        assert rise(before, after, "rag_api_responses_total", "403") == 1
        assert rise(before, after, "rag_api_responses_total", "200") == 1, "the first look at the figures"

    def test_name_the_version_that_answers_alone(self, anna: httpx.Client, running: Conversing) -> None:
        versions = {label: value for (name, label), value in scraped(anna).items() if name == "rag_index_version"}
        assert versions == {running.versions[1]: 1}

    def test_are_refused_to_other_web_pages_and_under_other_names(self, anna: httpx.Client) -> None:
        for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
            assert anna.get("/metrics", headers=headers).status_code == 403
