"""A server for chat and embeddings, while contexts and reranking stay here: built, asked and examined."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contextual_rag import ask, build
from contextual_rag.commands.checks import examine
from contextual_rag.settings import Settings, read_settings
from contextual_rag.wiring import World
from tests.faults.small_site import QUESTION, index_url, show
from tests.servers.faulty_site import FaultySite
from tests.servers.ollama import OllamaServer


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    with OllamaServer() as server:
        yield server


def test_an_ollama_builds_and_answers_and_doctor_is_content(
    settings: Settings, ollama: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.offline
    with FaultySite() as site:
        show(site)
        variables = {
            "RAG_SOURCE_URL": index_url(site),
            "RAG_CHAT_URL": ollama.url,
            "RAG_CHAT_MODEL": "llama3.2",
            "RAG_EMBEDDING_URL": f"{ollama.url}/v1",
            "RAG_EMBEDDING_MODEL": "nomic-embed-text",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        world = World(read_settings())
        built = build(world)
        recipe = world.registry.manifest(built.version).recipe
        assert (recipe.context_model, recipe.embedding_model) == ("offline/structure-2", "nomic-embed-text")
        assert (recipe.embedding_dimension, recipe.prefixes) == (64, ("search_query: ", "search_document: "))
        assert ask(world, QUESTION).text
        assert [call.model for call in ollama.calls("chat")] == ["llama3.2"]

        findings = {finding.check: finding for finding in examine(world)}
        assert [finding for finding in findings.values() if not finding.ok] == []
        for part in ("nomic-embed-text at", "llama3.2 at", "context: offline/structure-2", "rerank: none"):
            assert part in findings["models"].detail
        assert recipe.fingerprint in findings["recipe"].detail
        assert {call.path for call in ollama.calls()} == {"chat", "embeddings", "models"}
        # What is stored names the models, and not where they are.
        stored = [world.store.get(key) for key in world.store.list("")]
        assert not [one for one in stored if one and ollama.url.encode() in one.body]
        world.server("chat", "llama3.2").close()
