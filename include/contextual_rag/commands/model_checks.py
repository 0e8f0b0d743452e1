"""Checks the model of each role at its own server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from contextual_rag.errors import ModelError, RagError, RefusalError
from contextual_rag.parameters import validated_parameters
from contextual_rag.ports import ChatModel, Message, RerankModel
from contextual_rag.recipe import Recipe
from contextual_rag.roles import ROLES, Role
from contextual_rag.wiring import World

__all__ = ["check_models"]


def check_models(world: World) -> str:
    """Return where the model of each role is. Raises RagError that names all that is wrong at once."""
    recipe = validated_parameters(world.settings).recipe
    found, wrong = [], []
    for role in ROLES:
        try:
            found.append(f"{role}: {_model(world, role, recipe)}")
        except RagError as error:
            wrong.append(str(error))
    if wrong:
        raise RagError(" ".join(dict.fromkeys(wrong)))
    return "; ".join(found)


def _model(world: World, role: Role, recipe: Recipe) -> str:
    """Ask a role's server for its list of models; ask the model itself if it is not in there, or runs here."""
    named = {"context": recipe.context_model, "embedding": recipe.embedding_model}
    name = named.get(role) or world.settings.model_for(role)
    ask = _QUESTIONS[role]
    if not name or name.startswith("offline/"):
        ask(world, recipe)
        return name or "none"
    server = world.server(role, name)
    with suppress(ModelError):  # not every server has the list
        # Ollama lists the whole name of what people call by its first part.
        if {name, f"{name}:latest"} & set(server.models()):
            return f"{name} at {server.url}"
    # llama.cpp answers by any name, and some servers do not list all that they serve.
    ask(world, recipe)
    return f"{name} at {server.url}"


def _answer(model: ChatModel | None) -> None:
    with suppress(RefusalError):  # it is there, though it thinks longer than this
        if model:
            model.complete([Message("user", "Say yes.")], max_tokens=16)


def _rerank(model: RerankModel | None) -> None:
    if model:
        model.rerank("yes", ["yes"])


# The smallest question to the model of each role.
_QUESTIONS: Final[dict[Role, Callable[[World, Recipe], object]]] = {
    "context": lambda world, recipe: _answer(world.context_model(recipe.context_model)),
    "embedding": lambda world, recipe: world.embedding_model(recipe).embed(["yes"], kind="query"),
    "chat": lambda world, _: _answer(world.chat_model()),
    "rerank": lambda world, _: _rerank(world.rerank_model()),
}
