"""`rag doctor` asks each role's own server: whether it answers, takes the key and serves the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from contextual_rag.commands.model_checks import check_models
from contextual_rag.errors import RagError, SettingError
from contextual_rag.roles import ROLES
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World
from tests.raising import raising
from tests.servers.ollama import OllamaServer
from tests.servers.together import DEFAULT_KEY, TogetherServer

WRONG = "marker-of-a-wrong-key"
RANK = "Salesforce/Llama-Rank-v1"
BGE = "BAAI/bge-base-en-v1.5"

Hosted = Callable[..., World]


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    """Makes worlds, and closes their connections to models."""
    made = list[World]()

    def make(**settings: Any) -> World:
        made.append(World(read_settings(model_attempts=1, **settings)))
        return made[-1]

    yield make
    for world in made:
        for role in ROLES:
            with suppress(SettingError):
                world.server(role, "any").close()


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    with OllamaServer() as server:
        yield server


class TestAModel:
    def test_that_its_server_lists_is_there_with_or_without_its_tag(self, hosted: Hosted, ollama: OllamaServer) -> None:
        for name in ("llama3.2", "llama3.2:latest"):
            said = check_models(hosted(chat_url=ollama.url, chat_model=name))
            assert f"chat: {name} at {ollama.url}" in said
            assert "embedding: offline/all-MiniLM-L6-v2" in said
        assert {call.path for call in ollama.calls()} == {"models"}

    def test_that_is_not_there_is_named_with_the_settings_of_its_role(
        self, hosted: Hosted, ollama: OllamaServer
    ) -> None:
        with raising(RagError, "error", "llama9 (RAG_CHAT_MODEL)", "RAG_CHAT_URL", ollama.url):
            check_models(hosted(chat_url=ollama.url, chat_model="llama9"))

    def test_at_a_server_that_lists_none_is_asked_itself(self, hosted: Hosted) -> None:
        with TogetherServer(key="") as server:
            world = hosted(
                context_url=server.url,
                context_model="thinking-test",
                rerank_url=server.url,
                rerank_model=RANK,
                embedding_url=server.url,
                embedding_model=BGE,
            )
            server.fault("404", path="models", times=9)
            check_models(world)
            assert [call.path for call in server.calls()] == [
                *("models", "chat"),
                *("models", "embeddings"),
                *("models", "rerank"),
            ]
            server.fault("404", path="rerank", times=9)
            with raising(RagError, "error", f"{RANK} (RAG_RERANK_MODEL)") as raised:
                check_models(world)
            assert "RAG_CONTEXT_MODEL" not in str(raised.value)


class TestAServer:
    def test_that_does_not_answer_is_named(self, hosted: Hosted, ollama: OllamaServer) -> None:
        nowhere = "http://127.0.0.1:9/v1"
        with raising(RagError, "error", nowhere) as raised:
            check_models(hosted(embedding_url=nowhere, embedding_model="x", chat_url=ollama.url, chat_model="llama3.2"))
        assert ollama.url not in str(raised.value)

    def test_that_is_not_set_is_named_with_what_is_missing(self, hosted: Hosted) -> None:
        with raising(RagError, "error", "llama3.2 (RAG_CHAT_MODEL)", "RAG_CHAT_URL", "TOGETHER_API_KEY"):
            check_models(hosted(chat_model="llama3.2"))

    def test_without_a_model_is_named_with_what_is_missing(self, hosted: Hosted, ollama: OllamaServer) -> None:
        with raising(RagError, "error", "RAG_CHAT_MODEL"):
            check_models(hosted(chat_url=ollama.url))
        assert ollama.calls() == []


class TestAWrongKey:
    def test_is_named_by_the_setting_of_its_role_and_never_shown(self, hosted: Hosted) -> None:
        with TogetherServer() as server:
            world = hosted(
                chat_url=server.url,
                chat_model="thinking-test",
                chat_key=WRONG,
                embedding_url=server.url,
                embedding_model=BGE,
                embedding_key=DEFAULT_KEY,
                rerank_url=server.url,
                rerank_model=RANK,
            )
            with raising(RagError, "error", "RAG_CHAT_KEY", "RAG_RERANK_KEY") as raised:
                check_models(world)
            said = str(raised.value)
            assert not any(one in said for one in ("RAG_EMBEDDING_KEY", "TOGETHER_API_KEY", WRONG, DEFAULT_KEY))
            assert {call.authorization for call in server.calls()} == {f"Bearer {WRONG}", f"Bearer {DEFAULT_KEY}", None}
