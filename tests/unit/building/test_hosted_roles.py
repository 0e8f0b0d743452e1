"""Builds with a server for some roles: over real sockets, with both stores in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from contextual_rag.errors import BudgetError, CredentialsError, ModelError, SettingError
from contextual_rag.ports import Budget, ChatModel, EmbeddingModel, RerankModel
from contextual_rag.qa.answer import Answer, answer
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.recipe import Recipe
from contextual_rag.roles import ROLES, Role
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World
from tests.memory_objects import MemoryObjects
from tests.memory_world import MemoryWorld, names, text_of
from tests.raising import raising
from tests.servers.ollama import OllamaServer
from tests.servers.together import DEFAULT_KEY, TogetherServer

WRONG = "marker-of-a-wrong-key"
TOGETHERS = "marker-of-togethers-key"
RANK = "Salesforce/Llama-Rank-v1"
BGE = "BAAI/bge-base-en-v1.5"
QUESTION = "Who mended the lantern before winter?"


class HostedWorld(MemoryWorld):
    """Stores in memory, and the models that the settings describe."""

    def __init__(self, folder: Path, store: MemoryObjects | None = None, **settings: Any) -> None:
        super().__init__(folder, store, model_attempts=1, **settings)
        self.models = World(self.settings)
        self.pages.show({name: text_of(name) for name in names(3)})

    def check_price(self, role: Role, name: str) -> None:
        self.models.check_price(role, name)

    def context_model(self, name: str, budget: Budget | None = None) -> ChatModel | None:
        return self.models.context_model(name, budget)

    def chat_model(self, budget: Budget | None = None) -> ChatModel | None:
        return self.models.chat_model(budget)

    def embedding_model(self, recipe: Recipe, budget: Budget | None = None) -> EmbeddingModel:
        return self.models.embedding_model(recipe, budget)

    def rerank_model(self, budget: Budget | None = None) -> RerankModel | None:
        return self.models.rerank_model(budget)

    def manifest(self) -> Manifest:
        """The version that answers."""
        return self.registry.resolve()

    def ask(self, question: str) -> Answer:
        """Ask it as production does."""
        index = self.indexes.open(self.manifest())
        embedder, chat = self.embedding_model(index.recipe), self.chat_model()
        return answer(index, self.vectors, embedder, question, chat=chat, reranker=self.rerank_model())


Hosted = Callable[..., HostedWorld]


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    """Makes worlds that share one store of objects, as processes do, and closes their connections."""
    store, made = MemoryObjects(), list[HostedWorld]()

    def make(**settings: Any) -> HostedWorld:
        made.append(HostedWorld(tmp_path / str(len(made)), store, **settings))
        return made[-1]

    yield make
    for world in made:
        for role in ROLES:
            with suppress(SettingError):
                world.models.server(role, "any").close()


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    with OllamaServer() as server:
        yield server


def nomic(server: TogetherServer) -> dict[str, str]:
    return {"embedding_url": server.url, "embedding_model": "nomic-embed-text"}


class TestTheLengthOfVectors:
    def test_is_asked_once_and_stored_in_the_recipe(self, hosted: Hosted, ollama: OllamaServer) -> None:
        world = hosted(**nomic(ollama))
        assert world.build().published
        recipe = world.manifest().recipe
        assert (recipe.embedding_dimension, recipe.dimension) == (64, 64)
        first, *texts = [call.text for call in ollama.calls("embeddings")]
        assert first == "length"
        assert {text.partition(" ")[0] for text in texts} == {"search_document:"}
        # Another process has it from the version.
        other = hosted(**nomic(ollama))
        other.vectors = world.vectors
        assert other.ask(QUESTION).hits
        assert f"search_query: {QUESTION}" in [call.text for call in ollama.calls("embeddings")]
        assert [call.text for call in ollama.calls("embeddings")].count("length") == 1
        assert {call.authorization for call in ollama.calls()} == {None}

    def test_that_a_server_changed_makes_a_new_recipe_and_never_a_mixed_index(
        self, hosted: Hosted, ollama: OllamaServer
    ) -> None:
        first = hosted(**nomic(ollama)).build()
        again = hosted(**nomic(ollama)).build()
        assert (again.version, again.work.embedded) == (first.version, 0)
        ollama.models["nomic-embed-text:latest"] = 32
        world = hosted(**nomic(ollama))
        with raising(ModelError, "model_dimension", "nomic-embed-text", "[32]", "64"):
            world.ask(QUESTION)
        second = world.build(promote=True, max_quality_drop=1)
        recipe = world.registry.manifest(second.version).recipe
        assert recipe.embedding_dimension == 32
        assert recipe.collection != world.registry.manifest(first.version).recipe.collection

    def test_is_never_asked_of_a_model_that_is_known(self, hosted: Hosted) -> None:
        with TogetherServer() as server:
            world = hosted(embedding_url=server.url, embedding_key=DEFAULT_KEY, embedding_model=BGE)
            world.build()
            assert world.manifest().recipe.embedding_dimension is None
            assert "length" not in [call.text for call in server.calls("embeddings")]

    def test_is_asked_within_the_budget(self, hosted: Hosted, ollama: OllamaServer) -> None:
        world = hosted(**nomic(ollama), model_prices={"nomic-embed-text": (1, 1)})
        with raising(BudgetError, "budget"):
            world.build(budget=0)
        assert ollama.calls("embeddings") == []
        with raising(SettingError, "setting_price", "nomic-embed-text"):
            hosted(**nomic(ollama)).build(budget=1)

    def test_beyond_the_budget_is_told_with_the_document_where_the_work_stopped(
        self, hosted: Hosted, ollama: OllamaServer
    ) -> None:
        world = hosted(**nomic(ollama), model_prices={"nomic-embed-text": (1, 1)})
        # It is enough for asking how long its vectors are.
        with raising(BudgetError, "budget", "essay0", "http://essays.example/essay0.html"):
            world.build(budget=0.00004)
        assert [call.text for call in ollama.calls("embeddings")] == ["length"]


class TestAServerForChatAlone:
    def test_leaves_embeddings_here_and_never_gets_a_request_for_them(
        self, hosted: Hosted, ollama: OllamaServer
    ) -> None:
        world = hosted(chat_url=ollama.url, chat_model="llama3.2")
        world.build()
        assert world.manifest().recipe == Recipe()
        assert world.ask(QUESTION).text
        assert {call.path for call in ollama.calls()} == {"chat"}


class TestAServerForReranking:
    def test_reranks_what_was_found_here(self, hosted: Hosted) -> None:
        with TogetherServer(key="") as server:
            world = hosted(rerank_url=server.url, rerank_model=RANK)
            world.build()
            index = world.indexes.open(world.manifest())
            server.forget()
            embedder = world.embedding_model(index.recipe)
            assert retrieve(index, world.vectors, embedder, QUESTION, k=3, reranker=world.rerank_model())
            assert {call.path for call in server.calls()} == {"rerank"}


class TestARoleWithoutAServer:
    @pytest.mark.parametrize("role", ["context", "embedding"])
    def test_is_refused_before_anything_is_fetched(self, hosted: Hosted, role: str) -> None:
        world = hosted(**{f"{role}_model": "acme/x"})
        world.pages.show({})
        with raising(SettingError, "setting_server", "acme/x", f"RAG_{role.upper()}_URL"):
            world.build()

    def test_is_refused_when_it_is_needed_and_leaves_the_others(self, hosted: Hosted) -> None:
        world = hosted(chat_model="acme/x")
        assert world.build().published
        with raising(SettingError, "setting_server", "acme/x", "RAG_CHAT_URL"):
            world.ask(QUESTION)


class TestAWrongKey:
    def test_is_named_by_its_role_and_stored_nowhere(self, hosted: Hosted) -> None:
        with TogetherServer() as server:
            of_the_roles = {"embedding_url": server.url, "embedding_model": BGE, "embedding_key": WRONG}
            world = hosted(
                together_api_key=TOGETHERS, context_model="offline/structure-2", rerank_model="none", **of_the_roles
            )
            with raising(CredentialsError, "credentials", "RAG_EMBEDDING_KEY") as raised:
                world.build()
            assert WRONG not in str(raised.value)
            assert {call.authorization for call in server.calls()} == {f"Bearer {WRONG}"}
            stored = [world.store.get(key) for key in world.store.list("")]
            for secret in (WRONG, TOGETHERS):
                assert not [one for one in stored if one and secret.encode() in one.body]
