"""A model that there is not is named with its setting, by the command that needs it and by `rag doctor`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contextual_rag.building.build import Built
from contextual_rag.settings import Settings
from tests.faults.commands import SECRETS, Commands, answers
from tests.faults.small_site import QUESTION, index_url
from tests.servers.faulty_site import FaultySite
from tests.servers.together import TogetherServer

_SETTINGS = ("RAG_CONTEXT_MODEL", "RAG_EMBEDDING_MODEL", "RAG_CHAT_MODEL", "RAG_RERANK_MODEL")


@pytest.fixture(scope="module")
def provider() -> Iterator[dict[str, str]]:
    """The provider, as it is set."""
    with TogetherServer(key=SECRETS["TOGETHER_API_KEY"]) as server:
        yield {"TOGETHER_BASE_URL": server.url, "RAG_EMBEDDING_DIMENSION": "384"}


def _who_needs(setting: str, site: FaultySite) -> list[str]:
    if setting in {"RAG_CHAT_MODEL", "RAG_RERANK_MODEL"}:
        return ["ask", QUESTION]
    # Fixed chunks are made by no earlier build, so that each needs its context and embedding.
    return ["build", "--source", index_url(site), "--chunker", "fixed"]


class TestAModelThatTheProviderDoesNotServe:
    def test_is_named_where_it_is_needed_and_the_old_version_answers(
        self,
        commands: Commands,
        published: Built,
        small_site: FaultySite,
        settings: Settings,
        provider: dict[str, str],
    ) -> None:
        errors = commands.all_fail(
            *((_who_needs(name, small_site), {**provider, name: "acme/nonsense"}) for name in _SETTINGS)
        )
        for name, error in zip(_SETTINGS, errors, strict=True):
            assert error.startswith("Model: ")
            assert "acme/nonsense" in error
            assert name in error
        assert answers(settings) == published.version

    def test_is_named_by_doctor_with_every_setting_that_asks_for_it(
        self, commands: Commands, published: Built, provider: dict[str, str]
    ) -> None:
        done = commands.run("doctor", **provider, **dict.fromkeys(_SETTINGS, "acme/nonsense"))
        assert done.returncode == 1
        (said,) = [line for line in done.stdout.splitlines() if line.startswith("bad  models: ")]
        assert all(f"acme/nonsense ({name})" in said for name in _SETTINGS)

    def test_of_unknown_width_is_named_before_anything_is_fetched_or_paid_for(
        self, commands: Commands, small_site: FaultySite, provider: dict[str, str]
    ) -> None:
        error = commands.fails(
            *("build", "--source", index_url(small_site)),
            **provider | {"RAG_EMBEDDING_MODEL": "acme/nonsense", "RAG_EMBEDDING_DIMENSION": ""},
        )
        assert error.startswith("Model: ")
        assert all(word in error for word in ("acme/nonsense", "RAG_EMBEDDING_MODEL"))
        assert small_site.seen == []

    def test_is_replaced_by_one_that_is_served_and_what_was_made_before_is_kept(
        self, commands: Commands, small_site: FaultySite, provider: dict[str, str]
    ) -> None:
        build = ("build", "--source", index_url(small_site))
        model = {"RAG_CONTEXT_MODEL": "meta-llama/Llama-3.2-3B-Instruct-Turbo"}
        commands.fails(*build, **provider, **model, RAG_EMBEDDING_MODEL="acme/nonsense")
        width = {"RAG_EMBEDDING_DIMENSION": "1024"}
        built = commands.succeeds(*build, **provider | width, **model, RAG_EMBEDDING_MODEL="BAAI/bge-large-en-v1.5")
        assert (built["model_calls"], built["embedded"]) == (0, built["chunks"])
        assert built["published"]


@pytest.mark.parametrize("model", ["acme/nonsense", "offline/nonsense"])
def test_without_a_key_a_model_that_cannot_run_here_is_named_before_anything_is_fetched(
    commands: Commands, published: Built, small_site: FaultySite, model: str
) -> None:
    asking = [(_who_needs(name, small_site), {"TOGETHER_API_KEY": "", name: model}) for name in _SETTINGS]
    doctors = [(["doctor"], {"TOGETHER_API_KEY": "", name: model}) for name in _SETTINGS[:3:2]]
    done = commands.run_all(*asking, *doctors)
    for name, failed in zip(_SETTINGS, done, strict=False):
        assert failed.returncode in {1, 4}
        assert model in failed.stderr
        assert name in failed.stderr
        assert "TOGETHER_API_KEY" in failed.stderr or model.startswith("offline/")
    for name, said in zip(_SETTINGS[:3:2], done[len(_SETTINGS) :], strict=True):
        assert said.returncode == 1
        assert any("bad  models: " in line and model in line and name in line for line in said.stdout.splitlines())
    assert small_site.seen == []


def test_a_wrong_key_is_named_and_not_shown(
    commands: Commands, published: Built, small_site: FaultySite, provider: dict[str, str]
) -> None:
    wrong = "marker-of-a-wrong-key"
    error = commands.fails(*("ask", QUESTION), **provider, TOGETHER_API_KEY=wrong, RAG_CHAT_MODEL="thinking-test")
    assert error.startswith("Credentials: ")
    assert "TOGETHER_API_KEY" in error
    assert wrong not in error
