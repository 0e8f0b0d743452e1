"""The contexts of a document's chunks: stored as soon as each is made, and found again by every later edition.

A document's contexts stand in one object, by the text of their chunk. It only grows, and is replaced by
compare-and-set, so that processes that work on one document lose nothing of each other's. A refusal, a spent budget or
a kill loses the calls under way and no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from threading import Lock
from typing import Protocol

from contextual_rag import keys
from contextual_rag.errors import ConflictError, RefusalError
from contextual_rag.model import Chunk, Document
from contextual_rag.pipeline.contexts import MAX_CONTEXT_TOKENS, messages, shortened, structural
from contextual_rag.ports import ChatModel, ObjectStore
from contextual_rag.recipe import NO_CONTEXTS, Recipe
from contextual_rag.record import Record, decode, encode
from contextual_rag.threads import pool
from contextual_rag.versions.pointer import until_first

__all__ = ["Keeper", "KeptContexts", "explain", "names_of"]


class _Kept(Record):
    """Every context that a document got from a model and a prompt, by the name of its chunk (see `names_of`)."""

    contexts: dict[str, str]


class Keeper(Protocol):
    """Where contexts are kept by the names of their chunks; threads may share it."""

    def get(self, name: str, /) -> str | None:
        """Return a context, or None if there is none yet."""

    def update(self, contexts: Mapping[str, str], /) -> None:
        """Keep these contexts."""


def names_of(chunks: Sequence[Chunk]) -> list[str]:
    """Return what each chunk of a document is called among its contexts: a digest of its text and its occurrence."""
    seen: Counter[str] = Counter()
    names = []
    for chunk in chunks:
        names.append(keys.digest(chunk.text, seen[chunk.text])[:16])
        seen[chunk.text] += 1
    return names


def explain(
    document: Document,
    chunks: Sequence[Chunk],
    recipe: Recipe,
    model: ChatModel | None,
    kept: Keeper,
    *,
    concurrency: int = 8,
    again: bool = False,
) -> tuple[list[str], int]:
    """Return a context for each chunk of a document, and how many were made now; each is kept as soon as it is made.

    `model` is asked, or the document's structure if it is None. With `again`, those that are kept are made anew.
    Raises RefusalError, after all others were asked, if the model refuses one.
    """
    if recipe.context_model == NO_CONTEXTS:
        return [""] * len(chunks), len(chunks)
    names = names_of(chunks)
    new = [n for n, name in enumerate(names) if again or kept.get(name) is None]
    if model is None:
        made = structural(document, [chunks[n] for n in new])
        kept.update(dict(zip((names[n] for n in new), made, strict=True)))
    else:
        _ask(document, chunks, model, kept, [(n, names[n]) for n in new], concurrency)
    return [kept.get(name) or "" for name in names], len(new)


def _ask(
    document: Document,
    chunks: Sequence[Chunk],
    model: ChatModel,
    kept: Keeper,
    new: Sequence[tuple[int, str]],
    concurrency: int,
) -> None:
    def ask(n: int, name: str) -> RefusalError | None:
        try:
            answer = model.complete(messages(document, chunks[n]), max_tokens=MAX_CONTEXT_TOKENS)
        except RefusalError as error:
            return error
        kept.update({name: shortened(answer.text)})
        return None

    # After an error that concerns more than one chunk, those that were not sent yet are not sent any more.
    with pool(concurrency) as threads:
        asked = [threads.submit(ask, n, name) for n, name in new]
        wait(asked, return_when=FIRST_EXCEPTION)
        refused = [error for future in asked if future.done() and (error := future.result())]
    if refused:
        raise RefusalError(f"{len(refused)} of {len(chunks)} chunks got no context: {refused[0]}")


class KeptContexts:
    """A document's contexts in the object store."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self._lock = Lock()
        self._writing = False
        self._new: dict[str, str] = {}
        self._known, self._etag = self._load()

    def get(self, name: str, /) -> str | None:
        """Return a context, or None if there is none yet."""
        with self._lock:
            return self._new.get(name, self._known.get(name))

    def update(self, contexts: Mapping[str, str], /) -> None:
        """Store contexts. One thread writes at a time, and takes along what others have made meanwhile."""
        with self._lock:
            self._new.update(contexts)
            mine, self._writing = not self._writing, True
        while mine:
            with self._lock:
                new = dict(self._new)
                mine = self._writing = bool(new)
            if new:
                self._write(new)

    def _write(self, new: dict[str, str]) -> None:
        try:
            self._swap(new)
        except BaseException:
            with self._lock:
                self._writing = False
            raise
        with self._lock:
            self._new = {name: context for name, context in self._new.items() if new.get(name) != context}

    @until_first
    def _swap(self, new: dict[str, str]) -> None:
        known = {**self._known, **new}
        try:
            etag = self._store.swap(self._key, encode(_Kept(contexts=known)), expected=self._etag)
        except ConflictError:
            self._known, self._etag = self._load()
            raise
        with self._lock:
            self._known, self._etag = known, etag

    def _load(self) -> tuple[dict[str, str], str | None]:
        stored = self._store.get(self._key)
        return (decode(self._key, stored.body, _Kept).contexts, stored.etag) if stored else ({}, None)
