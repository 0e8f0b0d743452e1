"""A version of the index small enough to be written out in a test, and models that are plain arithmetic."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from typing import Literal
from zlib import crc32

import numpy as np

from contextual_rag.languages import ENGLISH
from contextual_rag.model import IndexedChunk, Origin, Words
from contextual_rag.ports import Check, Completion, Matrix, Message, ToolCall, ToolSpec, Usage
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe

__all__ = ["Says", "Shortest", "SmallIndex", "SmallVectors", "WordCounts", "passage"]


def passage(text: str, slug: str = "essay", *, chunk_id: str = "", context: str = "", start: int = 0) -> IndexedChunk:
    """A chunk of an essay, with what the other fields need."""
    return IndexedChunk(
        chunk_id=chunk_id or f"{slug}-{start}",
        slug=slug,
        title=slug.title(),
        url=f"https://essays.example/{slug}.html",
        date="March 2019",
        start=start,
        end=start + len(text),
        text=text,
        context=context,
    )


class WordCounts:
    """An embedding model: a unit vector of how often each word occurs, words told apart by a checksum."""

    name = "word-counts"
    dimension = 512

    def embed(
        self,
        texts: Sequence[str],
        *,
        kind: Literal["passage", "query"],
    ) -> tuple[Matrix, Usage]:
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[crc32(word.encode()) % self.dimension] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), Usage()


class Says:
    """A chat model that always says the same, and keeps what it was asked."""

    name = "says"

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[Sequence[Message]] = []

    def complete(self, messages: Sequence[Message], *, max_tokens: int, temperature: float = 0.0) -> Completion:
        self.asked.append(messages)
        return Completion(self.text, Usage())

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        tools: Sequence[ToolSpec] = (),
    ) -> Iterator[str | ToolCall | Usage]:
        yield from self.complete(messages, max_tokens=max_tokens, temperature=temperature)


class Shortest:
    """A reranker to which the shortest text is best, and which keeps what it was asked."""

    name = "shortest"
    most = 50

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        self.asked.append((query, list(texts)))
        return [1 / (1 + len(text)) for text in texts], Usage()


class SmallIndex:
    """An index version of these chunks, whose keyword search ranks as it is told."""

    version = "2026-01-01-00000000"
    recipe = Recipe()
    ranking = Ranking()
    collection = recipe.collection

    def __init__(self, chunks: Sequence[IndexedChunk], by_words: Sequence[str] = ()) -> None:
        self._chunks = {chunk.chunk_id: chunk for chunk in chunks}
        self._by_words = by_words
        self.authors: dict[str, tuple[str, ...]] = {}

    def ranked(self, ranking: Ranking) -> SmallIndex:
        other = SmallIndex(list(self._chunks.values()), self._by_words)
        other.ranking = ranking
        return other

    def within(self, slugs: frozenset[str]) -> SmallIndex:
        other = copy(self)
        other._chunks = {id_: chunk for id_, chunk in self._chunks.items() if chunk.slug in slugs}
        return other

    @property
    def rows(self) -> Mapping[str, int]:
        return {chunk_id: row for row, chunk_id in enumerate(self._chunks)}

    def chunk(self, chunk_id: str) -> IndexedChunk:
        return self._chunks[chunk_id]

    @property
    def essays(self) -> Mapping[str, str]:
        return {chunk.slug: chunk.title for chunk in self._chunks.values()}

    @property
    def origins(self) -> Mapping[str, Origin]:
        return {
            chunk.slug: Origin("essays", chunk.url, chunk.date, self.authors.get(chunk.slug, ()))
            for chunk in self._chunks.values()
        }

    def essay(self, slug: str) -> list[IndexedChunk]:
        return sorted((chunk for chunk in self._chunks.values() if chunk.slug == slug), key=lambda chunk: chunk.start)

    @property
    def order(self) -> Mapping[str, Sequence[str]]:
        return {slug: [chunk.chunk_id for chunk in self.essay(slug)] for slug in self.essays}

    def near(self, chunk_ids: Sequence[str]) -> list[list[str]]:
        slugs = dict.fromkeys(self._chunks[chunk_id].slug for chunk_id in chunk_ids)
        essays = [self.order[slug] for slug in slugs]
        return [
            [
                one
                for n, one in enumerate(essay)
                if n == 0 or not {essay[n - 1], one, *essay[n + 1 : n + 2]}.isdisjoint(chunk_ids)
            ]
            for essay in essays
        ]

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(chunk.language for chunk in self._chunks.values()) or frozenset({ENGLISH})

    def words(self, text: str, language: str = ENGLISH) -> list[str]:
        return re.findall(r"\w+", text.lower())

    def asked(self, question: str, language: str | None = None) -> list[str]:
        return self.words(question)

    def rarity(self, word: str) -> float:
        return 1.0

    def respelled(self, word: str) -> str | None:
        return None

    def keyword_search(self, question: str, k: int) -> list[tuple[str, float]]:
        ranked = [(chunk_id, 1 / rank) for rank, chunk_id in enumerate(self._by_words, 1)]
        return [hit for hit in ranked if hit[0] in self._chunks][:k]

    def coverage(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        words = set(question.split())
        said = (set(self._chunks[chunk_id].contextual_text.split()) for chunk_id in chunk_ids)
        return [len(words & text) / (len(words) or 1) for text in said]

    def best_windows(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        words = question.split()
        return [float(sum(word in self._chunks[chunk_id].text.split() for word in words)) for chunk_id in chunk_ids]


class SmallVectors:
    """A vector store that compares with every row."""

    def __init__(self, chunks: Sequence[IndexedChunk] = ()) -> None:
        self._rows: dict[str, Matrix] = {}
        if chunks:
            vectors, _ = WordCounts().embed([chunk.contextual_text for chunk in chunks], kind="passage")
            self.upsert("", [chunk.chunk_id for chunk in chunks], vectors)

    def missing(self, collection: str, ids: Sequence[str]) -> list[str]:
        return [id_ for id_ in ids if id_ not in self._rows]

    def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix, words: Words | None = None) -> None:
        self._rows.update(zip(ids, vectors, strict=True))

    def search(
        self,
        collection: str,
        vector: Matrix,
        k: int,
        *,
        among: Collection[str],
    ) -> list[tuple[str, float]]:
        found = [(id_, float(row @ vector)) for id_, row in self._rows.items() if id_ in among]
        return sorted(found, key=lambda item: -item[1])[:k]

    def search_words(
        self, collection: str, words: Sequence[str], k: int, *, among: Collection[str]
    ) -> list[tuple[str, float]]:
        return []

    def count(self, collection: str) -> int:
        return len(self._rows)

    def collections(self) -> list[str]:
        return [""] if self._rows else []

    def ids(self, collection: str) -> list[str]:
        return list(self._rows)

    def delete(self, collection: str, ids: Sequence[str], *, check: Check | None = None) -> None:
        if check:
            check()
        for id_ in ids:
            self._rows.pop(id_, None)

    def drop(self, collection: str, *, check: Check | None = None) -> None:
        if check:
            check()
        self._rows.clear()
