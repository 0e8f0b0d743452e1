"""What a version is made of, essay by essay: chunks, contexts and embeddings as they are stored."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np

from contextual_rag import keys
from contextual_rag.errors import CorruptObjectError
from contextual_rag.model import Chunk, embedded_text
from contextual_rag.objects import require
from contextual_rag.pipeline.contexts import chunk_ids
from contextual_rag.ports import Matrix, ObjectStore
from contextual_rag.record import Record
from contextual_rag.versions.records import EssayKeys, Version

__all__ = [
    "Chunks",
    "Contexts",
    "contextual",
    "is_whole",
    "lacking_files",
    "made_of",
    "read_chunks",
    "read_contexts",
    "read_embeddings",
    "row_ids",
]


# NumPy parses a header as a Python literal, and CPython 3.11 now and then raises SystemError if two threads parse at
# once (github.com/python/cpython/issues/106905).
_LOADING = Lock()
_THREADS = 16


class Chunks(Record):
    """The chunks of one essay, in order."""

    chunks: tuple[Chunk, ...]


class Contexts(Record):
    """The contexts of one essay's chunks, in their order."""

    contexts: tuple[str, ...]


def read_chunks(store: ObjectStore, essay: EssayKeys) -> tuple[Chunk, ...]:
    """Return an essay's chunks. Raises CorruptObjectError that names the object."""
    return require(store, keys.chunks(essay.chunks), Chunks).chunks


def read_contexts(store: ObjectStore, essay: EssayKeys) -> tuple[str, ...]:
    """Return the contexts of an essay's chunks. Raises CorruptObjectError that names the object."""
    return require(store, keys.contexts(essay.contexts), Contexts).contexts


def contextual(store: ObjectStore, essay: EssayKeys) -> tuple[list[str], list[str]]:
    """Return the ids and the contextual texts of an essay's chunks."""
    chunks, contexts = read_chunks(store, essay), read_contexts(store, essay)
    texts = [embedded_text(context, chunk.text) for chunk, context in zip(chunks, contexts, strict=True)]
    return chunk_ids(essay.url, chunks, contexts), texts


def read_embeddings(store: ObjectStore, essay: EssayKeys, rows: int) -> Matrix:
    """Return an essay's embeddings, shape (rows, dimension). Raises CorruptObjectError that names the object."""
    key = keys.embeddings(essay.embeddings)
    stored = store.get(key)
    if stored is None:
        raise CorruptObjectError(f"{key}, the embeddings of {essay.slug}, is missing. Run `rag build`.")
    try:
        with _LOADING:
            matrix = np.asarray(np.load(io.BytesIO(stored.body), allow_pickle=False), dtype=np.float32)
    except (ValueError, EOFError) as error:
        raise CorruptObjectError(f"{key} is not a matrix ({error}). Delete it and run `rag build`.") from error
    if matrix.ndim != 2 or len(matrix) != rows:  # noqa: PLR2004
        raise CorruptObjectError(f"{key} has shape {matrix.shape} for {rows} chunks. Delete it and run `rag build`.")
    return matrix


def is_whole(store: ObjectStore, essay: EssayKeys) -> bool:
    """Whether an essay's chunks, contexts and embeddings are all there."""
    return all(store.exists(key) for key in made_of(essay))


def made_of(essay: EssayKeys) -> tuple[str, str, str]:
    """Return the keys of an essay's embeddings, contexts and chunks."""
    return keys.embeddings(essay.embeddings), keys.contexts(essay.contexts), keys.chunks(essay.chunks)


def row_ids(store: ObjectStore, essay: EssayKeys) -> list[str]:
    """Return the ids of an essay's chunks; none if they have no contexts yet."""
    if not all(store.exists(key) for key in (keys.chunks(essay.chunks), keys.contexts(essay.contexts))):
        return []
    return contextual(store, essay)[0]


def lacking_files(store: ObjectStore, version: Version) -> list[str]:
    """Return the names of a version's files that are not there."""
    with ThreadPoolExecutor(_THREADS) as pool:
        there = list(pool.map(lambda name: store.exists(keys.index_file(version.version, name)), version.files))
    return [name for name, found in zip(version.files, there, strict=True) if not found]
