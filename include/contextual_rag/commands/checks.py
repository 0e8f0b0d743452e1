"""Checks each service and setting, and says how to repair what is wrong."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from threading import Barrier
from typing import Any, Final, NamedTuple

from contextual_rag import keys
from contextual_rag.building.fetch import list_source
from contextual_rag.building.follow import list_several
from contextual_rag.building.order import source_of
from contextual_rag.commands.model_checks import check_models
from contextual_rag.embedded.airflow import DAG, health_of, last_port, running
from contextual_rag.errors import ConflictError, CorruptObjectError, RagError
from contextual_rag.noun import noun
from contextual_rag.parameters import validated_parameters
from contextual_rag.wiring import World

__all__ = ["Finding", "examine"]

# A worker gives a sign of life every two seconds.
_WORKER_SILENT_S: Final = 15.0
_WRITERS: Final = 32
_RACES: Final = 3
# What no run of Airflow goes on without, as Airflow names it.
_NEEDED: Final = ("metadatabase", "scheduler", "dag_processor")


class Finding(NamedTuple):
    """The result of one check; `detail` says what was found, or what is wrong and how to repair it.

    With a `warning`, all works that was checked, and a person should know what does not happen by itself.
    """

    check: str
    ok: bool
    detail: str
    warning: bool = False


class _Warning(str):
    """What a check found, for `Finding.warning`."""

    __slots__ = ()


def examine(world: World) -> Iterator[Finding]:
    """Yield a finding for each check. The others run even if one fails."""
    checks: dict[str, Callable[[World], str]] = {
        "recipe": _recipe,
        "object store": _object_store,
        "conditional writes": _conditional_writes,
        "Airflow": _airflow,
        "Milvus": _milvus,
        "models": check_models,
        "current index": _current_index,
        "vectors": _vectors,
        "source": _source,
        "conversations": _conversations,
    }
    for name, check in checks.items():
        try:
            found = check(world)
            yield Finding(name, True, found, warning=isinstance(found, _Warning))
        except RagError as error:
            yield Finding(name, False, str(error))


def _recipe(world: World) -> str:
    parameters = validated_parameters(world.settings)
    recipe = parameters.recipe
    if recipe.dimension is None:
        recipe = recipe.model_copy(update={"embedding_dimension": world.embedding_model(recipe).dimension})
    return f"{parameters.summary}, fingerprint {recipe.fingerprint}"


def _object_store(world: World) -> str:
    world.store.put(keys.PROBE, b"doctor")
    return f"bucket {world.store.name} at {world.store.endpoint} can be written"


def _conditional_writes(world: World) -> str:
    """Let many writers race. With a store that ignores a condition now and then, two of them could both win."""
    key = keys.probe(secrets.token_hex(8))
    # A tag is a digest of the bytes: none may be written twice.
    created, changed = ([f"{what} by {n}".encode() for n in range(_WRITERS)] for what in ("created", "changed"))
    try:
        for _ in range(_RACES):
            world.store.delete([key])
            won = _winners(lambda name: world.store.put_new(key, name), created)
            _check_race(world, key, won, "If-None-Match", "two builds could overwrite each other's versions")
            stored = world.store.get(key)
            tag = stored.etag if stored else None
            won = _winners(lambda name, tag=tag: _swapped(world, key, name, tag), changed)  # type: ignore[misc]
            _check_race(world, key, won, "If-Match", "two publishers could both move CURRENT, and one would be lost")
    finally:
        world.store.delete([key])
    return f"of {_WRITERS} writers at once one wins, with If-None-Match and with If-Match"


def _swapped(world: World, key: str, body: bytes, tag: str | None) -> bool:
    try:
        world.store.swap(key, body, expected=tag)
    except ConflictError:
        return False
    return True


def _winners(write: Callable[[bytes], bool], names: Sequence[bytes]) -> list[bytes]:
    """Return which of some writers, who begin at the same moment, were told that they wrote."""
    together = Barrier(len(names))

    def one(name: bytes) -> bool:
        together.wait()
        return write(name)

    with ThreadPoolExecutor(len(names)) as pool:
        return [name for name, wrote in zip(names, pool.map(one, names), strict=True) if wrote]


def _check_race(world: World, key: str, won: Sequence[bytes], condition: str, danger: str) -> None:
    stored = world.store.get(key)
    if len(won) != 1 or stored is None or stored.body != won[0]:
        raise RagError(
            f"The object store at {world.store.endpoint} does not respect {condition}: of {_WRITERS} writers at once "
            f"{len(won)} were told that they wrote, and one must be. With it, {danger}. Use a store with conditional "
            "writes (AWS S3, SeaweedFS 4.47 or newer)."
        )


def _milvus(world: World) -> str:
    return f"{world.vectors.ping()} at {world.vectors.uri}"


def _current_index(world: World) -> str:
    """Hash every file in the bucket, from which other machines download it, and in the local copy."""
    try:
        manifest = world.registry.resolve()
        world.registry.verify(manifest)
    except CorruptObjectError as error:
        raise CorruptObjectError(f"{error} {_what_still_answers(world)}") from None
    damaged = world.indexes.damaged(manifest)
    index = world.indexes.open(manifest)
    found = f"{manifest.version}: {noun().counted(len(manifest.essays))}, {len(index.rows)} chunks, every file verified"
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
    source = source_of(world.settings)
    if several := world.sources(source.url):
        parts = list_several(several, partial(world.site, source.url))
        if unread := [f"{one.source.name}: {one.why}" for one, *_ in parts if one.why]:
            return _Warning(f"of {len(parts)} sources, these cannot be read now: {' '.join(unread)}")
        named = ", ".join(f"{one.source.name} {one.listed}" for one, *_ in parts)
        return f"{source.url} names {len(parts)} sources, with documents: {named}"
    with world.site(source.url) as site:
        listed = list_source(site, source)
    return f"the {listed.kind} {source.url} names {len(listed.entries)} documents"


def _conversations(world: World) -> str:
    """Check the database. A missing worker is not an error, because questions are stored without one too."""
    seen = world.conversations.worker_seen_at()
    ago_s = (datetime.now(UTC) - seen).total_seconds() if seen else math.inf
    if ago_s <= _WORKER_SILENT_S:
        return f"the database works, and a worker gave a sign of life {ago_s:.0f} s ago"
    return _Warning("the database works, but no worker is running. Start one with `rag worker` to get answers")


def _airflow(world: World) -> str:
    """Check the Airflow of `rag up --all`, or the one that the settings name."""
    data_dir = world.settings.data_dir
    if url := world.settings.airflow_url:
        states = _working(health_of(url), "Start it again where it runs, and read its log there.")
        return _without_triggerer(states) or f"its database, scheduler and DAG processor work, says {url}"
    if last_port(data_dir) is None:
        return "not started here. One that runs elsewhere is checked if RAG_AIRFLOW_URL names it"
    client = running(data_dir)
    if client is None:
        return _Warning("it was started here and does not run now, so nothing is built by itself. Start it: `make up`")
    with closing(client):
        mend = f"Stop `make up` and start it again. Their logs are in {data_dir / 'logs'}."
        states = _working(client.health(), mend)
        if broken := client.import_errors():
            named = "; ".join(f"{file}: {why}" for file, why in broken.items())
            raise RagError(f"Airflow cannot read some DAG files. Correct them: {named}")
        dag = client.dag(DAG)
        if dag["is_paused"]:
            return _Warning(f"it works, but {DAG} is paused, so no night builds. `rag airflow dags unpause {DAG}`")
    works = f"scheduler and DAG processor work, and {DAG} runs next at {dag['next_dagrun_run_after']}"
    return _without_triggerer(states) or works


def _working(health: Mapping[str, Mapping[str, Any]], mend: str) -> dict[str, str | None]:
    """Return the state of each part of Airflow; one that every run needs must be well."""
    states = {name: part["status"] for name, part in health.items()}
    if gone := [name for name in _NEEDED if states.get(name) != "healthy"]:
        raise RagError(f"Airflow's {' and '.join(gone)} gave no sign of life for too long, so no run goes on. {mend}")
    return states


def _without_triggerer(states: Mapping[str, str | None]) -> _Warning | None:
    if states.get("triggerer") != "unhealthy":
        return None
    return _Warning("it works, but its triggerer is gone. DAGs of your own that defer wait for it")
