"""What a person does to the index versions: each change is checked first, and recorded with who made it and why."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from contextual_rag.errors import ConflictError, CorruptObjectError, SettingError, UnknownVersionError
from contextual_rag.ports import Indexes, ObjectStore, ReadIds, VectorStore
from contextual_rag.record import Record
from contextual_rag.settings import Settings
from contextual_rag.versions.gates import Gates, failures, objections, recorded
from contextual_rag.versions.prune import Pruned
from contextual_rag.versions.prune import prune as remove
from contextual_rag.versions.records import Pointer
from contextual_rag.versions.registry import Registry
from contextual_rag.versions.vectors import fill

__all__ = ["Changed", "Stock", "pin", "promote", "prune", "reason", "rollback", "unpin"]


class Stock(Protocol):
    """Where versions are; each part is connected at its first use."""

    @property
    def settings(self) -> Settings:
        """How many versions are kept, and for how long what a dead build made."""

    @property
    def store(self) -> ObjectStore:
        """The object store."""

    @property
    def vectors(self) -> VectorStore:
        """The vector store."""

    @property
    def registry(self) -> Registry:
        """The index versions."""

    @property
    def indexes(self) -> Indexes:
        """The index versions on this machine's disk."""

    @property
    def read_ids(self) -> ReadIds:
        """What reads the ids of a version's chunks."""


class Changed(Record):
    """What CURRENT says after a change, and the change in a sentence.

    `moved_from` is what answered before, if another version did. `objections` are what the gates would have said to a
    build: a person decides.
    """

    version: str
    moved_from: str | None = None
    pinned: tuple[str, ...]
    objections: tuple[str, ...] = ()
    message: str


class Removed(Pruned):
    """What was removed, and in a sentence."""

    message: str


def promote(stock: Stock, version: str, *, by: str, why: str) -> Changed:
    """Let a version answer, whatever answers now.

    Raises UnknownVersionError, or CorruptObjectError that names what the version lacks; then nothing is changed.
    """
    why = reason(why)
    objected = _check(stock, version)
    return _changed(stock.registry.promote(version, by=by, why=why), f"{version} answers now.", objected)


def rollback(stock: Stock, *, by: str, why: str) -> Changed:
    """Let the parent of the current version answer. Raises what `promote` raises."""
    why = reason(why)
    old = stock.registry.resolve().version
    objected = _check(stock, stock.registry.parent(old).version)
    pointer = stock.registry.rollback(old, by=by, why=why)
    return _changed(
        pointer,
        f"{pointer.version} answers now instead of {old}, until a build finds something new; pin it to keep it longer.",
        objected,
    )


def pin(stock: Stock, version: str | None = None, *, by: str, why: str) -> Changed:
    """Keep a version, by default the current one: it is not pruned and, while it answers, not replaced by a build."""
    pointer = stock.registry.pin(version, by=by, why=reason(why))
    return _changed(pointer, f"{version or pointer.version} is pinned.")


def unpin(stock: Stock, version: str | None = None, *, by: str, why: str) -> Changed:
    """Let a version be pruned and replaced again. Raises UnknownVersionError if it was not pinned."""
    pointer = stock.registry.unpin(version, by=by, why=reason(why))
    return _changed(pointer, f"{version or pointer.version} is no longer pinned.")


def prune(stock: Stock, *, by: str, why: str, keep: int | None = None, remove_it: bool = True) -> Removed:
    """Remove old versions and what nothing refers to; if `remove_it` is False, only say what would go."""
    settings = stock.settings
    try:
        pruned = remove(
            stock.store,
            stock.vectors,
            stock.registry,
            stock.read_ids,
            keep=settings.keep_versions if keep is None else keep,
            grace=timedelta(hours=settings.prune_grace_hours),
            by=by,
            why=reason(why),
            remove=remove_it,
        )
    except ConflictError:
        _put_back_vectors(stock)
        raise
    what = (
        f"{len(pruned.versions)} versions, {pruned.objects} objects ({pruned.bytes / 1e6:.1f} MB) and "
        f"{pruned.rows} vectors"
    )
    message = f"{what} {'were' if remove_it else 'would be'} removed; {len(pruned.kept)} versions stay."
    return Removed(**pruned.model_dump(), message=message)


def _put_back_vectors(stock: Stock) -> None:
    """Put back what each version lacks: Milvus obeys a request that was on its way for longer than it should be."""
    for manifest in stock.registry.versions():
        with suppress(CorruptObjectError, UnknownVersionError):
            fill(stock.store, stock.vectors, manifest, stock.indexes.open(manifest))


def _check(stock: Stock, version: str) -> tuple[str, ...]:
    """Raise if a version cannot answer: a file is missing or damaged, or vectors are lost for good.

    Return what the gates object to it.
    """
    manifest = stock.registry.manifest(version)
    stock.registry.verify(manifest)
    if lost := fill(stock.store, stock.vectors, manifest, stock.indexes.open(manifest)):
        raise CorruptObjectError(
            f"Milvus lacks {lost} of the {manifest.chunks} vectors of {version}, and what they were made from is gone. "
            "The current version stays. Restore Milvus from a copy."
        )
    gates = Gates(**stock.settings.model_dump(include=set(Gates.model_fields)))
    found = failures(manifest, gates)
    pointer = stock.registry.current()
    if pointer and pointer.version != version:
        with suppress(CorruptObjectError):  # what answers cannot be compared with, and is about to be replaced
            before = stock.registry.before(manifest, pointer)
            found += objections(before, manifest, gates, recorded(before, manifest)) if before else []
    return tuple(one.message for one in found)


def reason(why: str) -> str:
    """Return a reason on one line. Raises SettingError if there is none."""
    if not why.strip():
        raise SettingError("Give a reason: each change of what answers is recorded with one.")
    return " ".join(why.split())


def _changed(pointer: Pointer, message: str, objected: tuple[str, ...] = ()) -> Changed:
    return Changed(
        version=pointer.version,
        moved_from=pointer.before if pointer.before != pointer.version else None,
        pinned=pointer.pinned,
        objections=objected,
        message=f"{message} A build would have been refused: {'; '.join(objected)}." if objected else message,
    )
