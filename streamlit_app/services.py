"""The services that the page and the API share: one world and one conversations database per process."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from contextual_rag import keys
from contextual_rag.conversation.client import Conversations
from contextual_rag.errors import RagError
from contextual_rag.evaluation.datasets import Question, read_questions
from contextual_rag.model import Document
from contextual_rag.noun import noun
from contextual_rag.objects import require
from contextual_rag.ports import EmbeddingModel, Index
from contextual_rag.qa.filters import Filter, narrowed
from contextual_rag.qa.retrieve import Hit, retrieve
from contextual_rag.settings import Settings, read_settings
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World, connect
from streamlit_app.metrics import LIMITED, Metrics
from streamlit_app.suggestions import answerable, related

__all__ = ["Services", "services"]

# A worker sends a heartbeat every two seconds.
_WORKER_DEAD_AFTER = timedelta(seconds=10)


class Services:
    """The shared services. Safe to share between threads; connects at first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.world: World = connect(settings)
        self.metrics = Metrics()
        self.manifest = lru_cache(maxsize=64)(self._manifest)
        self._questions = lru_cache(maxsize=8)(self._questions_of)
        self._document = lru_cache(maxsize=256)(self._document_of)

    @property
    def conversations(self) -> Conversations:
        """The conversations of this service's database."""
        return self.world.conversations

    @property
    def worker_is_down(self) -> bool:
        """Whether no worker has sent a heartbeat recently."""
        seen = self.conversations.worker_seen_at()
        return seen is None or datetime.now(UTC) - seen > _WORKER_DEAD_AFTER

    def wait_s(self, client: str, what: str = "questions") -> int:
        """Count a question of a client, or something else; return 0, or the seconds to wait if that is too many."""
        seconds = self.conversations.take(client, what)
        if seconds:
            LIMITED.labels(what).inc()
        return seconds

    def city(self, given: str | None, address: str | None) -> str | None:
        """Return the city that a person gave; if none, it may be looked up from their network address."""
        lookup = self.world.city_lookup
        return given or (lookup.city(address) if lookup and address else None)

    def current(self) -> Manifest | None:
        """Return the current version, or None if nothing is published yet."""
        pointer = self.world.registry.current()
        return self.manifest(pointer.version) if pointer else None

    def _manifest(self, version: str) -> Manifest:
        return self.world.registry.manifest(version)

    def essay(self, version: str, slug: str) -> Document | None:
        """Return an essay of a version, or None if it has no such essay. Raises UnknownVersionError."""
        essay = next((essay for essay in self.manifest(version).essays if essay.slug == slug), None)
        return self._document(essay.document) if essay else None

    def _document_of(self, digest: str) -> Document:
        return require(self.world.store, keys.document(digest), Document)

    def _questions_of(self, version: str) -> list[Question]:
        stored = self.world.store.get(keys.QUESTIONS)
        questions = read_questions(stored.body, keys.QUESTIONS) if stored else []
        return answerable(questions, {essay.slug for essay in self.manifest(version).essays})

    def suggestions(self, version: str, count: int) -> list[str]:
        """Return questions that a version's essays answer: from its test questions, or about its titles."""
        try:
            questions = [one.question for one in self._questions(version)] or [
                f"What is the {noun().one} “{essay.title}” about?" for essay in self.manifest(version).essays
            ]
        except RagError:
            return []  # suggestions are optional, and the page reports the problem elsewhere
        # Always the same ones for a version, so that a redrawn page does not change.
        return random.Random(version).sample(questions, min(count, len(questions)))  # noqa: S311

    def related(self, version: str, asked: Collection[str], slugs: Sequence[str], count: int) -> list[str]:
        """Return questions that were not asked and that these essays answer; none if nobody wrote questions."""
        try:
            return related(self._questions(version), asked, slugs, count)
        except RagError:
            return []

    def narrowed(self, version: str | None, where: Filter | None) -> Index:
        """Return a version, or CURRENT, with the documents that match. Raises as `filters.narrowed` does."""
        world = self.world
        index: Index = world.indexes.open(world.registry.resolve(version)) if version else world.reader.index()
        return narrowed(index, where)

    def search(self, question: str, k: int, version: str | None, where: Filter | None = None) -> tuple[str, list[Hit]]:
        """Return the version that was searched, and the passages found."""
        world, index = self.world, self.narrowed(version, where)
        embedder: EmbeddingModel = world.embedding_model(index.recipe)
        return index.version, retrieve(index, world.vectors, embedder, question, k=k, reranker=world.rerank_model())

    def close(self) -> None:
        """Close the database and the index."""
        for name in ("conversations", "reader", "city_lookup"):
            if (made := self.world.__dict__.get(name)) is not None:
                made.close()


@cache
def services() -> Services:
    """Return the services of this process. Few attempts and a short timeout report a store that is down quickly."""
    return Services(read_settings(object_store_attempts=2, object_store_timeout_s=10.0))
