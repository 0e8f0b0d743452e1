"""What a person does to the index versions: each change is checked first, and recorded with who made it and why."""

from __future__ import annotations

from datetime import timedelta

from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.model import Pointer
from contextual_rag.record import Record
from contextual_rag.stages.index import fill
from contextual_rag.stages.prune import Pruned
from contextual_rag.stages.prune import prune as remove
from contextual_rag.wiring import World

__all__ = ["Changed", "pin", "promote", "prune", "rollback", "unpin"]


class Changed(Record):
    """What CURRENT says after a change, and the change in a sentence."""

    version: str
    pinned: tuple[str, ...]
    message: str


class Removed(Pruned):
    """What was removed, and in a sentence."""

    message: str


def promote(world: World, version: str, *, by: str, why: str) -> Changed:
    """Let a version answer, whatever answers now.

    Raises UnknownVersionError, or CorruptObjectError that names what the version lacks; then nothing is changed.
    """
    why = _reason(why)
    _check(world, version)
    return _changed(world.registry.promote(version, by=by, why=why), f"{version} answers now.")


def rollback(world: World, *, by: str, why: str) -> Changed:
    """Let the parent of the current version answer. Raises what `promote` raises."""
    why = _reason(why)
    old = world.registry.resolve().version
    _check(world, world.registry.parent(old).version)
    pointer = world.registry.rollback(old, by=by, why=why)
    return _changed(
        pointer,
        f"{pointer.version} answers now instead of {old}, until a build finds something new; pin it to keep it longer.",
    )


def pin(world: World, version: str | None = None, *, by: str, why: str) -> Changed:
    """Keep a version, by default the current one: it is not pruned and, while it answers, not replaced by a build."""
    pointer = world.registry.pin(version, by=by, why=_reason(why))
    return _changed(pointer, f"{version or pointer.version} is pinned.")


def unpin(world: World, version: str | None = None, *, by: str, why: str) -> Changed:
    """Let a version be pruned and replaced again. Raises UnknownVersionError where it was not pinned."""
    pointer = world.registry.unpin(version, by=by, why=_reason(why))
    return _changed(pointer, f"{version or pointer.version} is pinned no more.")


def prune(world: World, *, by: str, why: str, keep: int | None = None, remove_it: bool = True) -> Removed:
    """Remove old versions and what nothing refers to; where `remove_it` is False, only say what would go."""
    settings = world.settings
    pruned = remove(
        world.store,
        world.vectors,
        world.registry,
        keep=settings.keep_versions if keep is None else keep,
        grace=timedelta(hours=settings.prune_grace_hours),
        by=by,
        why=_reason(why),
        remove=remove_it,
    )
    what = (
        f"{len(pruned.versions)} versions, {pruned.objects} objects ({pruned.bytes / 1e6:.1f} MB) and "
        f"{pruned.rows} vectors"
    )
    message = f"{what} {'were' if remove_it else 'would be'} removed; {len(pruned.kept)} versions stay."
    return Removed(**pruned.model_dump(), message=message)


def _check(world: World, version: str) -> None:
    """Raise where a version cannot answer: a file is missing or damaged, or vectors are lost for good."""
    manifest = world.registry.manifest(version)
    world.registry.verify(version)
    index = world.indexes.open(manifest)
    lost = fill(world.store, world.vectors, manifest, list(index.rows))
    if lost:
        raise CorruptObjectError(
            f"Milvus lacks {lost} of the {len(index.rows)} vectors of {version}, and what they were made from is gone. "
            "What answers now stays; restore Milvus from a copy."
        )


def _reason(why: str) -> str:
    if not why.strip():
        raise SettingError("A change of what answers is recorded with its reason, and none was given.")
    return " ".join(why.split())


def _changed(pointer: Pointer, message: str) -> Changed:
    return Changed(version=pointer.version, pinned=pointer.pinned, message=message)
