"""`rag evaluate answers` asks as production asks, and counts what each answer and the judge take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from contextual_rag.commands.evaluate_answers import ask_all
from contextual_rag.errors import SettingError
from contextual_rag.evaluation.datasets import Question
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World
from tests.raising import raising
from tests.servers.together import DEFAULT_KEY, TogetherServer
from tests.small_world import SmallIndex, SmallVectors, passage

JUG = passage("We drew that jug for eleven weeks. Each drawing was thrown away.", "jug")
INDEX, VECTORS = SmallIndex([JUG], [JUG.chunk_id]), SmallVectors()
QUESTIONS = [
    Question(question="How many weeks was the jug drawn?", holds=("eleven",)),
    Question(question="And what was thrown away?", holds=("drawing",), after="What was drawn?"),
]
MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"


@pytest.fixture
def server() -> Iterator[TogetherServer]:
    with TogetherServer() as server:
        yield server


@pytest.fixture
def hosted(server: TogetherServer, tmp_path: Path) -> Iterator[World]:
    world = World(
        read_settings(
            together_api_key=SecretStr(DEFAULT_KEY),
            together_base_url=server.url,
            chat_model=MODEL,
            embedding_model="offline/all-MiniLM-L6-v2",
            rerank_model="none",
            data_dir=tmp_path,
        )
    )
    yield world
    world.server("chat", MODEL).close()


class TestAskAll:
    def test_answers_by_the_chat_model_and_counts_what_each_answer_cost(
        self, hosted: World, server: TogetherServer
    ) -> None:
        seen: list[tuple[str, int, int]] = []
        report = ask_all(hosted, INDEX, VECTORS, QUESTIONS, lambda *done: seen.append(done))
        assert (report.chat, report.judge, seen[-1]) == (MODEL, None, ("questions", 2, 2))
        assert [one.figures["answered"] for one in report.answers] == [1, 1]
        assert sum(one.cost_usd for one in report.answers) == pytest.approx(server.billed_usd)
        assert report.answers[1].cost_usd > report.answers[0].cost_usd > 0, "the follow-up took three calls"
        assert not any(name.endswith("_by_model") for one in report.answers for name in one.figures)

    def test_lets_a_model_judge_and_counts_that_apart(self, hosted: World, server: TogetherServer) -> None:
        report = ask_all(hosted, INDEX, VECTORS, QUESTIONS, lambda *_: None, judge=True)
        assert report.judge == MODEL
        assert all(one.figures["citation_recall_by_model"] == 1 for one in report.answers)
        assert 0 < report.judge_cost_usd < server.billed_usd
        answers = sum(one.cost_usd for one in report.answers)
        assert answers + report.judge_cost_usd == pytest.approx(server.billed_usd, abs=1e-6)

    def test_refuses_a_judge_that_is_not_there(self, tmp_path: Path) -> None:
        with raising(SettingError, "setting", "--judge", "TOGETHER_API_KEY"):
            ask_all(World(read_settings(data_dir=tmp_path)), INDEX, VECTORS, QUESTIONS, lambda *_: None, judge=True)
