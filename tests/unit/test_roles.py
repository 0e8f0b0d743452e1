"""Roles: each has a model, a server and a key of its own, and none gets those of another."""

from __future__ import annotations

from typing import Any

import pytest

from contextual_rag.errors import SettingError
from contextual_rag.roles import ROLES, Role
from contextual_rag.settings import Settings, read_settings
from tests.raising import raising

SECRET = "very-secret-0123456789"
OTHER = "other-secret-987654321"
URL = "http://127.0.0.1:11434/v1"
EACH = pytest.mark.parametrize("role", ROLES)


def of(role: Role, **own: str) -> dict[str, Any]:
    """Settings of one role: `of("chat", url=…)` is RAG_CHAT_URL."""
    return {f"{role}_{name}": value for name, value in own.items()}


def key_of(settings: Settings, role: Role) -> str | None:
    key = settings.server(role, "mine").key
    return key.get_secret_value() if key else None


@EACH
class TestARoleWithItsOwnServer:
    def test_has_its_model_there_and_needs_no_key(self, role: Role) -> None:
        settings = Settings(**of(role, url=URL, model="mine"))
        assert settings.model_for(role) == "mine"
        server = settings.server(role, "mine")
        assert (server.url, server.key) == (URL, None)
        assert (server.url_setting, server.key_setting) == (f"RAG_{role.upper()}_URL", f"RAG_{role.upper()}_KEY")

    @pytest.mark.parametrize("together", [{}, {"together_api_key": SECRET}])
    def test_leaves_the_others_as_they_are(self, role: Role, together: dict[str, Any]) -> None:
        before, settings = Settings(**together), Settings(**together, **of(role, url=URL, model="mine"))
        assert not settings.offline
        for other in set(ROLES) - {role}:
            assert settings.model_for(other) == before.model_for(other)
            if together:
                assert settings.server(other, "x") == before.server(other, "x")

    def test_is_never_sent_togethers_key(self, role: Role) -> None:
        own = of(role, url=URL, model="mine")
        assert key_of(Settings(together_api_key=SECRET, **own), role) is None
        assert key_of(Settings(together_api_key=SECRET, **own, **of(role, key=OTHER)), role) == OTHER

    def test_and_without_a_model_is_refused_with_the_setting_that_is_missing(self, role: Role) -> None:
        with raising(SettingError, "setting_model", f"RAG_{role.upper()}_URL", f"RAG_{role.upper()}_MODEL"):
            Settings(**of(role, url=URL)).model_for(role)

    def test_may_be_turned_off_or_run_here_all_the_same(self, role: Role) -> None:
        assert Settings(**of(role, url=URL, model="offline/x")).model_for(role) == "offline/x"
        assert Settings(**of(role, url=URL, model="none")).model_for(role) == ""

    def test_at_togethers_own_address_has_togethers_key_and_models(self, role: Role) -> None:
        settings = Settings(together_api_key=SECRET, **of(role, url="https://api.together.ai/v1"))
        assert settings.model_for(role) == Settings(together_api_key=SECRET).model_for(role)
        assert key_of(settings, role) == SECRET
        keyless = Settings(**of(role, url="https://api.together.xyz"))
        assert keyless.model_for(role) == settings.model_for(role)
        with raising(SettingError, "setting_server", f"RAG_{role.upper()}_KEY", "TOGETHER_API_KEY"):
            keyless.server(role, "mine")


@EACH
class TestARoleWithoutAServer:
    def test_runs_here(self, role: Role) -> None:
        assert Settings().model_for(role) in {"", "offline/structure-2", "offline/all-MiniLM-L6-v2", "offline/quotes"}

    def test_is_refused_a_hosted_model_with_the_settings_that_are_missing(self, role: Role) -> None:
        name = role.upper()
        with raising(SettingError, "setting_server", "acme/x", f"RAG_{name}_MODEL", f"RAG_{name}_URL", "TOGETHER_"):
            Settings(**of(role, model="acme/x")).server(role, "acme/x")

    def test_has_togethers_with_a_key_of_its_own_or_of_all(self, role: Role) -> None:
        for settings in (Settings(together_api_key=SECRET), Settings(**of(role, key=SECRET))):
            assert "/" in settings.model_for(role)
            assert not settings.model_for(role).startswith("offline/")
            assert (settings.server(role, "x").url, key_of(settings, role)) == (None, SECRET)
        both = Settings(together_api_key=SECRET, **of(role, key=OTHER))
        assert key_of(both, role) == OTHER

    def test_has_the_server_that_stands_in_for_togethers(self, role: Role) -> None:
        settings = Settings(together_base_url=URL, **of(role, model="mine"))
        server = settings.server(role, "mine")
        assert (server.url, server.key, server.url_setting) == (URL, None, "TOGETHER_BASE_URL")
        assert key_of(settings.model_copy(update={"together_api_key": Settings(chat_key=SECRET).chat_key}), role)


class TestTheAddressOfAServer:
    @pytest.mark.parametrize(
        "url",
        [
            "http://localhost:11434",
            "http://10.0.0.7:8000/v1",
            "https://host.example/openai/v1/",
            "http://[::1]:8080/v1",
        ],
    )
    def test_may_be_private(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("RAG_CHAT_URL", url)
        assert read_settings().chat_url == url

    @pytest.mark.parametrize(
        "url",
        [
            f"http://user:{SECRET}@host/v1",
            f"https://{SECRET}@host",
            f"https://host/v1?key={SECRET}",
            f"https://host/v1#{SECRET}",
            "localhost:11434",
            "ftp://host/v1",
            "http://",
        ],
    )
    def test_never_has_a_key_in_it(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("RAG_CHAT_URL", url)
        with raising(SettingError, "setting", "RAG_CHAT_URL") as raised:
            read_settings()
        assert SECRET not in str(raised.value)


class TestAKey:
    def test_that_cannot_be_sent_is_named_and_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_CHAT_KEY", f"{SECRET} two words")
        with raising(SettingError, "setting", "RAG_CHAT_KEY") as raised:
            read_settings()
        assert SECRET not in str(raised.value)

    def test_is_read_without_the_white_space_around_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_CHAT_KEY", f" {SECRET}\n")
        assert key_of(read_settings(), "chat") == SECRET
