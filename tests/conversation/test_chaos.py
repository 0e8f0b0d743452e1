"""The conversations campaign with small numbers; `make chaos-chat` runs it with large ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from bench.chaos_chat.ground import ModelServer
from bench.chaos_chat.kills import Survived, kill_often
from bench.chaos_chat.load import stream_at_once
from bench.chaos_chat.postgres import installed, postgres
from contextual_rag.settings import Settings
from tests.servers.together import TogetherServer

SEED = 20261121


@pytest.fixture
def settings(corpus: Settings, tmp_path: Path) -> Settings:
    """The corpus, with separate conversations for this test."""
    return corpus.model_copy(update={"data_dir": tmp_path})


@pytest.fixture(autouse=True)
def pace(model: TogetherServer, faultless: None) -> None:
    """Slow answers, so that they can be interrupted."""
    model.tokens_per_second = 200


def assert_nothing_happened(survived: Survived, *, turns: int, kills: int) -> None:
    assert list(survived.faults) == [[], [], [], []]
    assert (survived.turns, survived.kills) == (turns, kills)


def test_a_worker_and_a_page_that_are_killed_again_and_again_lose_double_and_repeat_nothing(
    settings: Settings, model: TogetherServer
) -> None:
    survived = kill_often(settings, ModelServer(model.url), turns=24, kills=8, page_kills=2, talkers=4, seed=SEED)
    assert_nothing_happened(survived, turns=24, kills=8)
    assert survived.restarted > 0


@pytest.mark.skipif(not installed(), reason="PostgreSQL is not installed")
def test_nor_do_they_on_postgresql(settings: Settings, model: TogetherServer) -> None:
    with postgres() as url:
        there = settings.model_copy(update={"conversations_url": SecretStr(url)})
        survived = kill_often(there, ModelServer(model.url), turns=8, kills=3, page_kills=1, talkers=4, seed=SEED)
    assert_nothing_happened(survived, turns=8, kills=3)


def test_of_many_conversations_at_once_none_loses_a_word(settings: Settings, model: TogetherServer) -> None:
    model.tokens_per_second = 50
    streamed = stream_at_once(settings, ModelServer(model.url), conversations=10, turns=1, seed=SEED)
    assert list(streamed.faults) == [[], [], [], []]
    assert (streamed.turns, model.peak >= 5) == (10, True)
