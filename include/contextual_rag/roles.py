"""Which model serves each role, and at which server: one role's settings change no other role."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from contextual_rag.errors import SettingError
from contextual_rag.recipe import OFFLINE_CONTEXTS, OFFLINE_EMBEDDINGS
from contextual_rag.setting_types import Environment, Prefix, ServerKey, ServerUrl, named

__all__ = ["NO_RERANKING", "OFFLINE_ANSWERS", "OFFLINE_RERANKING", "ROLES", "ModelSettings", "Role", "Server"]

Role = Literal["context", "embedding", "chat", "rerank"]

OFFLINE_ANSWERS: Final = "offline/quotes"
OFFLINE_RERANKING: Final = "offline/ms-marco-MiniLM-L-12-v2"
NO_RERANKING: Final = "offline/none"
_OFFLINE: Final = {
    "context": OFFLINE_CONTEXTS,
    "embedding": OFFLINE_EMBEDDINGS,
    "chat": OFFLINE_ANSWERS,
    "rerank": "",
}
ROLES: Final[tuple[Role, ...]] = ("context", "embedding", "chat", "rerank")
# A small model writes contexts, as in the provider's own cookbook.
_TOGETHER: Final = {
    "context": "meta-llama/Llama-3.2-3B-Instruct-Turbo",
    "embedding": "BAAI/bge-large-en-v1.5",
    "chat": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "rerank": "Salesforce/Llama-Rank-v1",
}
_TOGETHERS_HOSTS: Final = {"api.together.ai", "api.together.xyz"}


class Server(NamedTuple):
    """Where a role's models are, and the names of the settings that say so; `url` None is Together AI's own."""

    url: str | None
    key: SecretStr | None
    url_setting: str
    key_setting: str


class ModelSettings(Environment):
    """The settings of the models. A role without a model or a server of its own is Together's, or runs here."""

    together_api_key: Annotated[SecretStr | None, named("TOGETHER_API_KEY")] = None
    together_base_url: Annotated[str | None, named("TOGETHER_BASE_URL")] = None
    context_url: ServerUrl | None = None
    context_key: ServerKey | None = None
    context_model: str = ""
    embedding_url: ServerUrl | None = None
    embedding_key: ServerKey | None = None
    embedding_model: str = ""
    embedding_dimension: Annotated[int | None, Field(ge=1, le=32768)] = None
    embedding_query_prefix: Prefix | None = None
    embedding_passage_prefix: Prefix | None = None
    chat_url: ServerUrl | None = None
    chat_key: ServerKey | None = None
    chat_model: str = ""
    rerank_url: ServerUrl | None = None
    rerank_key: ServerKey | None = None
    rerank_model: str = ""
    quote_model: Literal["", "none", "offline/ms-marco-MiniLM-L-12-v2"] = ""

    @property
    def offline(self) -> bool:
        """Whether no role has a server."""
        return all(server.url is None and server.key is None for server in map(self._server, ROLES))

    def model_for(self, role: Role) -> str:
        """Return the name of the model for a role.

        Models whose names begin with `offline/` run in this process. The name is empty if nothing is reranked: offline,
        or if the setting is "none". Raises SettingError if a role has a server, and no model is named.
        """
        chosen: str = getattr(self, f"{role}_model")
        if chosen:
            return "" if chosen == "none" else chosen
        server, own_url = self._server(role), getattr(self, f"{role}_url")
        if own_url and not _is_togethers(own_url):
            raise SettingError(
                f"{server.url_setting} names a server, and {_setting(role, 'model')} is not set. Set it to one of the "
                "server's models.",
                code="setting_model",
            )
        return (_TOGETHER if server.key or own_url else _OFFLINE)[role]

    def server(self, role: Role, model: str) -> Server:
        """Return the server for a hosted model. Raises SettingError if there is none, or if it needs a key."""
        server = self._server(role)
        if server.key is None and _is_togethers(server.url):
            own_url, setting = _setting(role, "url"), _setting(role, "model")
            missing, what = (own_url, "a server") if server.url is None else (_setting(role, "key"), "a key")
            raise SettingError(
                f"{model} ({setting}) needs {what}, and neither {missing} nor TOGETHER_API_KEY is set (environment or "
                ".env). Set one of them, or choose an offline model.",
                code="setting_server",
            )
        return server

    def _server(self, role: Role) -> Server:
        own_url: str | None = getattr(self, f"{role}_url")
        own_key: SecretStr | None = getattr(self, f"{role}_key")
        # Together's key goes to Together's server alone, or to the one that stands in for it.
        shared = not own_url or _is_togethers(own_url)
        key = own_key or (self.together_api_key if shared else None)
        return Server(
            own_url or self.together_base_url,
            key,
            _setting(role, "url") if own_url else "TOGETHER_BASE_URL",
            _setting(role, "key") if own_key or not shared else "TOGETHER_API_KEY",
        )


def _setting(role: Role, what: str) -> str:
    return f"RAG_{role}_{what}".upper()


def _is_togethers(url: str | None) -> bool:
    return url is None or urlsplit(url).hostname in _TOGETHERS_HOSTS
