"""The campaign on conversations, with small numbers; `make chaos-chat` runs it with large ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bench.chaos_chat.ground import ModelServer
from bench.chaos_chat.kills import kill_often
from bench.chaos_chat.load import stream_at_once
from bench.chaos_chat.postgres import installed, postgres
from contextual_rag.settings import Settings
from tests.servers.together import TogetherServer

SEED = 20261121


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(
    corpus: Settings, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The corpus, with conversations in either database."""
    here = corpus.model_copy(update={"data_dir": tmp_path_factory.mktemp("chaos")})
    if request.param == "sqlite":
        yield here
    elif not installed():
        pytest.skip("PostgreSQL is not installed")
    else:
        with postgres() as url:
            yield here.model_copy(update={"conversations_url": SecretStr(url)})


def test_a_worker_that_is_killed_again_and_again_loses_doubles_and_repeats_nothing(
    settings: Settings, model: TogetherServer
) -> None:
    model.tokens_per_second = 200
    survived = kill_often(settings, ModelServer(model.url), turns=24, kills=8, talkers=4, seed=SEED)
    assert list(survived.faults) == [[], [], [], []]
    assert (survived.turns, survived.kills) == (24, 8)
    assert survived.restarted > 0


def test_of_many_conversations_at_once_none_loses_a_word(
    corpus: Settings, model: TogetherServer, tmp_path: Path
) -> None:
    model.tokens_per_second = 50
    here = corpus.model_copy(update={"data_dir": tmp_path})
    streamed = stream_at_once(here, ModelServer(model.url), conversations=10, turns=1, seed=SEED)
    assert list(streamed.faults) == [[], [], [], []]
    assert (streamed.turns, model.peak >= 5) == (10, True)
