"""Checks each service and setting, and says how to repair what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, NamedTuple

from contextual_rag import keys
from contextual_rag.errors import CorruptObjectError, RagError
from contextual_rag.parameters import validated_parameters
from contextual_rag.wiring import World

__all__ = ["Finding", "examine"]

# A worker gives a sign of life every two seconds.
_WORKER_SILENT_S: Final = 15.0


class Finding(NamedTuple):
    """The result of one check; `detail` says what was found, or what is wrong and how to repair it."""

    check: str
    ok: bool
    detail: str


def examine(world: World) -> Iterator[Finding]:
    """Yield a finding for each check. The others run even if one fails."""
    checks: dict[str, Callable[[World], str]] = {
        "recipe": _recipe,
        "object store": _object_store,
        "conditional writes": _conditional_writes,
        "Milvus": _milvus,
        "models": _models,
        "current index": _current_index,
        "vectors": _vectors,
        "source": _source,
        "conversations": _conversations,
    }
    for name, check in checks.items():
        try:
            yield Finding(name, True, check(world))
        except RagError as error:
            yield Finding(name, False, str(error))


def _recipe(world: World) -> str:
    parameters = validated_parameters(world.settings)
    return f"{parameters.summary}, fingerprint {parameters.recipe.fingerprint}"


def _object_store(world: World) -> str:
    world.store.put(keys.PROBE, b"doctor")
    return f"bucket {world.store.name} at {world.store.endpoint} can be written"


def _conditional_writes(world: World) -> str:
    """With a store that ignores If-None-Match, two publishers could both win."""
    world.store.put(keys.PROBE, b"doctor")
    if world.store.put_new(keys.PROBE, b"another"):
        raise RagError(
            f"The object store at {world.store.endpoint} ignores If-None-Match, so two builds could overwrite "
            "each other. Use a store with conditional writes (AWS S3, SeaweedFS 4.47 or newer)."
        )
    world.store.delete([keys.PROBE])
    return "the store respects If-None-Match"


def _milvus(world: World) -> str:
    return f"{world.vectors.ping()} at {world.vectors.uri}"


def _models(world: World) -> str:
    settings = world.settings
    recipe = validated_parameters(settings).recipe
    names = {
        "RAG_CONTEXT_MODEL": recipe.context_model,
        "RAG_EMBEDDING_MODEL": recipe.embedding_model,
        "RAG_CHAT_MODEL": settings.model_for("chat"),
        "RAG_RERANK_MODEL": settings.model_for("rerank"),
    }
    # Each is created but not called: this finds a name that no adapter can serve.
    world.context_model(recipe.context_model)
    world.embedding_model(recipe)
    world.chat_model()
    world.rerank_model()
    hosted = {setting: name for setting, name in names.items() if name and not name.startswith("offline/")}
    if not hosted:
        return "offline: contexts from structure, MiniLM embeddings, quoted answers; set TOGETHER_API_KEY to use others"
    served = set(world.together.models())
    unknown = {setting: name for setting, name in hosted.items() if name not in served}
    if unknown:
        named = ", ".join(f"{name} ({setting})" for setting, name in unknown.items())
        raise RagError(f"The provider does not serve {named}. Set each to a model that it lists.")
    return f"the provider serves {', '.join(sorted(set(hosted.values())))}"


def _current_index(world: World) -> str:
    """Hash every file in the bucket, from which other machines download it, and in the local copy."""
    try:
        manifest = world.registry.resolve()
        world.registry.verify(manifest)
    except CorruptObjectError as error:
        raise CorruptObjectError(f"{error} {_what_still_answers(world)}") from None
    damaged = world.indexes.damaged(manifest)
    index = world.indexes.open(manifest)
    found = f"{manifest.version}: {len(manifest.essays)} essays, {len(index.rows)} chunks, every file verified"
    if damaged:
        return f"{found}; {', '.join(damaged)} was damaged on this machine's disk and was downloaded again"
    return found


def _what_still_answers(world: World) -> str:
    for version in world.registry.names():
        with suppress(CorruptObjectError):
            world.registry.verify(world.registry.manifest(version))
            return f"Version {version} is complete and still answers (--version {version})."
    return "No other version is complete."


def _vectors(world: World) -> str:
    manifest = world.registry.resolve()
    index = world.indexes.open(manifest)
    missing = world.vectors.missing(manifest.collection, list(index.rows))
    if missing:
        raise RagError(
            f"Milvus lacks {len(missing)} of the {len(index.rows)} vectors of {manifest.version}. `rag build` puts "
            "them back and embeds nothing again."
        )
    return f"all {len(index.rows)} vectors of {manifest.version} are in Milvus"


def _source(world: World) -> str:
    source = world.settings.source_url
    with world.site(source) as site:
        response = site.get(source)
    return f"{source} answers with {len(response.body):,} bytes"


def _conversations(world: World) -> str:
    """Check the database. A missing worker is not an error, because questions are stored without one too."""
    seen = world.conversations.worker_seen_at()
    ago_s = (datetime.now(UTC) - seen).total_seconds() if seen else math.inf
    if ago_s <= _WORKER_SILENT_S:
        return f"the database works, and a worker gave a sign of life {ago_s:.0f} s ago"
    return "the database works, but no worker is running. Start one with `rag worker` to get answers"
