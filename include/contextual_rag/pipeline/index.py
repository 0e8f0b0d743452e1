"""embeddings → index: the rows of an index version, and what it is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from contextual_rag.keys import digest
from contextual_rag.languages import language_of
from contextual_rag.model import Chunk, Document, IndexedChunk
from contextual_rag.pipeline.contexts import chunk_ids
from contextual_rag.recipe import Recipe

__all__ = ["content_digest", "rows", "version_id"]


def rows(document: Document, chunks: Sequence[Chunk], contexts: Sequence[str], recipe: Recipe) -> list[IndexedChunk]:
    """Return the chunk table's rows of one essay, in the order of its text."""
    language = recipe.language or language_of(document.text)
    return [
        IndexedChunk(
            chunk_id=chunk_id,
            slug=document.slug,
            title=document.title,
            url=document.url,
            date=document.date,
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            context=context,
            language=language,
        )
        for chunk_id, chunk, context in zip(chunk_ids(document.url, chunks, contexts), chunks, contexts, strict=True)
    ]


def content_digest(essays: Iterable[tuple[str, ...]], chunk_ids: Iterable[str], fingerprint: str) -> str:
    """Return the 8 hex digits that say what a version contains, in no order: its essays' names and keys, its chunks'
    ids, and its recipe's fingerprint.

    The chunks' ids count beside the keys, since a model that is asked again may explain a chunk in other words.
    """
    return digest(sorted(essays), sorted(chunk_ids), fingerprint)[:8]


def version_id(day: date, content: str) -> str:
    """Return the name of a version: its logical date and what it contains."""
    return f"{day.isoformat()}-{content}"
