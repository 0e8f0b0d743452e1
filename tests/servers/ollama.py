"""A local server that speaks OpenAI's HTTP API as Ollama does: no key, models with a tag, no rerank, no prices."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.together import Call, TogetherServer

__all__ = ["OllamaServer"]


class OllamaServer(TogetherServer):
    """The server, with a chat model and an embedding model; see `TogetherServer`. Small models take no `tools`."""

    def __init__(self, models: dict[str, int | str] | None = None, *, tools: bool = True) -> None:
        self._tools = tools
        named: dict[str, int | str] = {"llama3.2:latest": "chat", "nomic-embed-text:latest": 64}
        super().__init__(key="", models=named if models is None else models, prices={})
        self.app.routes[:] = [one for one in self.app.routes if not isinstance(one, Route) or one.path != "/v1/rerank"]

    async def _admit(self, request: Request, path: str, model: str, texts: list[str]) -> tuple[Call, Response | None]:
        call, refused = await super()._admit(request, path, model, texts)
        if refused is None and path == "chat" and not self._tools and (await request.json()).get("tools"):
            message = f"registry.ollama.ai/library/{self.whole(model)} does not support tools"
            refused = JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, 400)
        return call, refused

    def list_of(self, models: list[dict[str, Any]]) -> object:
        """The list of models; null without any, as Go writes an empty one."""
        return {"object": "list", "data": models or None}

    def whole(self, model: str) -> str:
        """The name with its tag, which people may leave out."""
        return model if ":" in model else f"{model}:latest"

    def unknown(self, model: str) -> str:
        """How Ollama says that it does not have a model."""
        return f'model "{model}" not found, try pulling it first'
