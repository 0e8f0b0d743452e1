"""What the page and the API stand on: one world and one set of conversations for the process."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from contextual_rag import keys
from contextual_rag.conversation.client import Conversations
from contextual_rag.conversation.model import Thread
from contextual_rag.errors import RagError
from contextual_rag.evaluation.datasets import read_questions
from contextual_rag.model import Document
from contextual_rag.objects import require
from contextual_rag.ports import EmbeddingModel, Index
from contextual_rag.qa.retrieve import Hit, retrieve
from contextual_rag.settings import Settings, read_settings
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World, connect
from streamlit_app.limits import Allowance

__all__ = ["Services", "services"]

# A worker gives a sign of life every two seconds.
_WORKER_DEAD_AFTER = timedelta(seconds=10)


class Services:
    """Safe to share between threads; connects at first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.world: World = connect(settings)
        self.allowance = Allowance(settings.questions_per_minute)
        self.manifest = lru_cache(maxsize=64)(self._manifest)
        self._questions = lru_cache(maxsize=8)(self._questions_of)
        self._document = lru_cache(maxsize=256)(self._document_of)

    @property
    def conversations(self) -> Conversations:
        """The conversations of this service's database."""
        return self.world.conversations

    @property
    def worker_is_down(self) -> bool:
        """Whether no worker has given a sign of life lately."""
        seen = self.conversations.worker_seen_at()
        return seen is None or datetime.now(UTC) - seen > _WORKER_DEAD_AFTER

    def start_thread(self, owner: str | None, *, city: str | None, address: str | None) -> Thread:
        """Begin a conversation of somebody who is in a city, or at a network address whose city may be looked up."""
        lookup = self.world.city_lookup
        if not city and lookup and address:
            city = lookup.city(address)
        return self.conversations.start_thread(owner, city=city or None)

    def current(self) -> Manifest | None:
        """Return the version that answers now, or None where nothing was published yet."""
        pointer = self.world.registry.current()
        return self.manifest(pointer.version) if pointer else None

    def _manifest(self, version: str) -> Manifest:
        return self.world.registry.manifest(version)

    def essay(self, version: str, slug: str) -> Document | None:
        """Return an essay as a version has it, or None where it has none of that name. Raises UnknownVersionError."""
        essay = next((essay for essay in self.manifest(version).essays if essay.slug == slug), None)
        return self._document(essay.document) if essay else None

    def _document_of(self, digest: str) -> Document:
        return require(self.world.store, keys.document(digest), Document)

    def _questions_of(self, version: str) -> list[str]:
        manifest = self.manifest(version)
        slugs = {essay.slug for essay in manifest.essays}
        stored = self.world.store.get(keys.QUESTIONS)
        questions = read_questions(stored.body, keys.QUESTIONS) if stored else []
        answered = [one.question for one in questions if {reference.slug for reference in one.references} <= slugs]
        return answered or [f"What is the essay “{essay.title}” about?" for essay in manifest.essays]

    def suggestions(self, version: str, count: int) -> list[str]:
        """Return questions that a version's essays answer: some of those it was measured with, or about its titles."""
        try:
            questions = self._questions(version)
        except RagError:
            return []  # they are a courtesy, and the page says elsewhere what is wrong
        # The same ones for a version, so that a page that is drawn again does not change under the reader's hand.
        return random.Random(version).sample(questions, min(count, len(questions)))  # noqa: S311

    def search(self, question: str, k: int, version: str | None) -> tuple[str, list[Hit]]:
        """Return which version was searched, and the passages that a question finds in it."""
        world = self.world
        index: Index = world.indexes.open(world.registry.resolve(version)) if version else world.reader.index()
        embedder: EmbeddingModel = world.embedding_model(index.recipe)
        return index.version, retrieve(index, world.vectors, embedder, question, k=k, reranker=world.rerank_model())

    def close(self) -> None:
        """Let go of the database and of the index."""
        for name in ("conversations", "reader", "city_lookup"):
            if (made := self.world.__dict__.get(name)) is not None:
                made.close()


@cache
def services() -> Services:
    """Return what this process stands on. Whoever waits for a page is told soon that a store is down."""
    return Services(read_settings(object_store_attempts=2, object_store_timeout_s=10.0))
