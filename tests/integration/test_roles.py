"""A server for some roles, while the others stay offline: built, asked and examined over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product

import pytest

from contextual_rag import ask, search
from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Run
from contextual_rag.commands.checks import examine
from contextual_rag.errors import BudgetError, CredentialsError, ModelError, SettingError
from contextual_rag.roles import ROLES
from contextual_rag.settings import Settings, read_settings
from contextual_rag.wiring import World
from tests.faults.small_site import QUESTION, index_url, show
from tests.raising import raising
from tests.servers.faulty_site import FaultySite
from tests.servers.ollama import OllamaServer
from tests.servers.together import DEFAULT_KEY, TogetherServer

WRONG = "marker-of-a-wrong-key"
RANK = "Salesforce/Llama-Rank-v1"
# Sets variables, and returns the world that they describe.
Connect = Callable[..., World]


@pytest.fixture
def site() -> Iterator[FaultySite]:
    with FaultySite() as site:
        show(site)
        yield site


@pytest.fixture
def ollama() -> Iterator[OllamaServer]:
    with OllamaServer() as server:
        yield server


@pytest.fixture
def connect(settings: Settings, site: FaultySite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    assert settings.offline
    made: list[World] = []
    monkeypatch.setenv("RAG_SOURCE_URL", index_url(site))
    monkeypatch.setenv("RAG_MODEL_ATTEMPTS", "1")

    def connected(**variables: str) -> World:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made.append(World(read_settings()))
        return made[-1]

    yield connected
    for world, role in product(made, ROLES):
        with suppress(SettingError):
            world.server(role, "any").close()


def build(world: World, **asked: object) -> Built:
    run = {"day": datetime.now(UTC).date(), "by": "tests", **asked}
    return build_all(world.steps, Run.model_validate(run))


def findings(world: World) -> dict[str, tuple[bool, str]]:
    return {finding.check: (finding.ok, finding.detail) for finding in examine(world)}


class TestAServerForChatAndEmbeddings:
    def test_builds_and_answers_while_contexts_and_reranking_stay_here(
        self, connect: Connect, ollama: OllamaServer
    ) -> None:
        world = connect(
            RAG_CHAT_URL=ollama.url,
            RAG_CHAT_MODEL="llama3.2",
            RAG_EMBEDDING_URL=f"{ollama.url}/v1",
            RAG_EMBEDDING_MODEL="nomic-embed-text",
        )
        built = build(world)
        recipe = world.registry.manifest(built.version).recipe
        assert (recipe.context_model, recipe.embedding_model) == ("offline/structure-2", "nomic-embed-text")
        assert (recipe.embedding_dimension, recipe.prefixes) == (64, ("search_query: ", "search_document: "))
        answer = ask(world, QUESTION)
        assert answer.text
        assert [call.model for call in ollama.calls("chat")] == ["llama3.2"]

        # The length is asked once; passages and the question come with their prefixes.
        first, *texts, question = [call.text for call in ollama.calls("embeddings")]
        assert first == "length"
        assert {text.partition(" ")[0] for text in texts} == {"search_document:", "search_query:"}
        assert question == f"search_query: {QUESTION}"
        assert {call.authorization for call in ollama.calls()} == {None}
        assert ollama.calls("rerank") == []

        # Another process knows the length from the version.
        assert search(connect(), QUESTION).hits[0].chunk.slug == "bell"
        assert [call.text for call in ollama.calls("embeddings")].count("length") == 1

        found = findings(world)
        assert [check for check, (ok, _) in found.items() if not ok] == []
        for part in ("nomic-embed-text at", "llama3.2 at", "context: offline/structure-2", "rerank: none"):
            assert part in found["models"][1]
        assert recipe.fingerprint in found["recipe"][1]
        # What is stored names the models, and not where they are.
        stored = [world.store.get(key) for key in world.store.list("")]
        assert not [one for one in stored if one and ollama.url.encode() in one.body]

    def test_changes_the_recipe_if_the_model_has_vectors_of_another_length_now(
        self, connect: Connect, ollama: OllamaServer
    ) -> None:
        variables = {"RAG_EMBEDDING_URL": ollama.url, "RAG_EMBEDDING_MODEL": "nomic-embed-text"}
        first = build(connect(**variables))
        again = build(connect(**variables))
        assert (again.version, again.work.embedded) == (first.version, 0)
        ollama.models["nomic-embed-text:latest"] = 32
        world = connect(**variables)
        with raising(ModelError, "model_dimension", "nomic-embed-text", "[32]", "64"):
            search(world, QUESTION, version=first.version)
        second = build(world, promote=True)
        assert world.registry.manifest(second.version).recipe.embedding_dimension == 32
        assert search(world, QUESTION, version=second.version).hits


class TestAServerForChatAlone:
    def test_leaves_embeddings_where_they_are(self, connect: Connect, ollama: OllamaServer) -> None:
        world = connect(RAG_CHAT_URL=ollama.url, RAG_CHAT_MODEL="llama3.2")
        built = build(world)
        assert world.registry.manifest(built.version).recipe.embedding_model == "offline/all-MiniLM-L6-v2"
        assert ask(world, QUESTION).text
        assert findings(world)["models"][0]
        assert {call.path for call in ollama.calls()} == {"chat", "models"}

    def test_that_is_not_there_is_named_with_its_role(self, connect: Connect) -> None:
        world = connect(RAG_CHAT_URL="http://127.0.0.1:9", RAG_CHAT_MODEL="llama3.2")
        ok, said = findings(world)["models"]
        assert not ok
        assert "http://127.0.0.1:9" in said

    def test_that_does_not_have_the_model_is_named_with_its_setting(
        self, connect: Connect, ollama: OllamaServer
    ) -> None:
        ok, said = findings(connect(RAG_CHAT_URL=ollama.url, RAG_CHAT_MODEL="llama9"))["models"]
        assert not ok
        assert all(part in said for part in ("llama9 (RAG_CHAT_MODEL)", "RAG_CHAT_URL", ollama.url))


class TestAServerThatListsNoModels:
    def test_is_asked_for_an_answer_instead(self, connect: Connect) -> None:
        with TogetherServer(key="") as server:
            world = connect(
                RAG_CONTEXT_URL=server.url,
                RAG_CONTEXT_MODEL="thinking-test",
                RAG_RERANK_URL=server.url,
                RAG_RERANK_MODEL=RANK,
                RAG_EMBEDDING_URL=server.url,
                RAG_EMBEDDING_MODEL="BAAI/bge-base-en-v1.5",
            )
            server.fault("404", path="models", times=9)
            ok, said = findings(world)["models"]
            assert ok, said
            assert {call.path for call in server.calls()} == {"models", "chat", "rerank", "embeddings"}
            server.fault("404", path="rerank", times=9)
            ok, said = findings(world)["models"]
            assert not ok
            assert f"{RANK} (RAG_RERANK_MODEL)" in said
            assert "RAG_CONTEXT_MODEL" not in said


class TestAWrongKey:
    def test_is_named_by_the_setting_of_its_role_and_never_shown(self, connect: Connect) -> None:
        with TogetherServer() as server:
            world = connect(
                TOGETHER_API_KEY="marker-of-another-key",
                RAG_CHAT_URL=server.url,
                RAG_CHAT_MODEL="thinking-test",
                RAG_CHAT_KEY=WRONG,
                RAG_CONTEXT_MODEL="offline/structure-2",
                RAG_EMBEDDING_URL=server.url,
                RAG_EMBEDDING_MODEL="BAAI/bge-large-en-v1.5",
                RAG_EMBEDDING_KEY=DEFAULT_KEY,
                RAG_RERANK_URL=server.url,
                RAG_RERANK_MODEL=RANK,
            )
            with raising(CredentialsError, "credentials", "RAG_RERANK_KEY", "without a key"):
                build(world)
            ok, said = findings(world)["models"]
            assert not ok
            assert all(name in said for name in ("RAG_CHAT_KEY", "RAG_RERANK_KEY"))
            assert not any(name in said for name in ("RAG_EMBEDDING_KEY", "TOGETHER_API_KEY", WRONG, DEFAULT_KEY))
            # Together's key went to none of them.
            sent = {call.authorization for call in server.calls()}
            assert sent == {f"Bearer {WRONG}", f"Bearer {DEFAULT_KEY}", None}
            stored = [world.store.get(key) for key in world.store.list("")]
            assert not [one for one in stored if one and (WRONG.encode() in one.body or b"test-key" in one.body)]


class TestARoleWithoutAServer:
    def test_is_refused_before_anything_is_fetched(self, connect: Connect, site: FaultySite) -> None:
        site.seen.clear()
        with raising(SettingError, "setting_server", "nomic-embed-text", "RAG_EMBEDDING_URL"):
            build(connect(RAG_EMBEDDING_MODEL="nomic-embed-text"))
        assert site.seen == []

    def test_is_named_by_doctor(self, connect: Connect) -> None:
        ok, said = findings(connect(RAG_CHAT_MODEL="llama3.2"))["models"]
        assert not ok
        assert all(part in said for part in ("llama3.2 (RAG_CHAT_MODEL)", "RAG_CHAT_URL", "TOGETHER_API_KEY"))


def test_a_budget_holds_for_the_request_that_asks_for_the_length_of_vectors(
    connect: Connect, ollama: OllamaServer, site: FaultySite
) -> None:
    world = connect(
        RAG_EMBEDDING_URL=ollama.url,
        RAG_EMBEDDING_MODEL="nomic-embed-text",
        RAG_MODEL_PRICES='{"nomic-embed-text": [1, 1]}',
    )
    site.seen.clear()
    with raising(BudgetError, "budget"):
        build(world, budget=0)
    assert (site.seen, ollama.calls("embeddings")) == ([], [])
