"""embeddings → index: the rows of an index version, and what it is called."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from textwrap import shorten
from typing import Protocol

from contextual_rag.keys import digest
from contextual_rag.languages import language_of
from contextual_rag.model import Chunk, Document, IndexedChunk, Place
from contextual_rag.pipeline.contexts import chunk_ids
from contextual_rag.pipeline.plain import heading
from contextual_rag.recipe import Recipe

__all__ = ["IndexWriter", "WriteIndex", "content_digest", "rows", "version_id"]


class IndexWriter(Protocol):
    """Collects the chunks of a version, in a fraction of their memory, and makes its files."""

    def add(self, rows: Sequence[IndexedChunk]) -> None:
        """Add chunks after those that were added before."""

    def files(self, *, with_added: bool = True) -> dict[str, bytes]:
        """Return the files of a version by name. The same rows and recipe give the same bytes.

        Without what was added since, they are as release 0.1.0 wrote them.
        """


WriteIndex = Callable[[Recipe], IndexWriter]

_LONGEST_HEADING = 100


def rows(document: Document, chunks: Sequence[Chunk], contexts: Sequence[str], recipe: Recipe) -> list[IndexedChunk]:
    """Return the chunk table's rows of one essay, in the order of its text."""
    language = recipe.language or language_of(document.text)
    places = _places(document)
    starts = [place.start for place in places]

    def within(chunk: Chunk) -> tuple[Place, ...]:
        # The last one that begins before the chunk, or with it, is that of its first words.
        first = bisect_left(starts, chunk.start + 1)
        return tuple(places[max(first - 1, 0) : bisect_left(starts, chunk.end)])

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
            places=within(chunk),
            language=language,
        )
        for chunk_id, chunk, context in zip(chunk_ids(document.url, chunks, contexts), chunks, contexts, strict=True)
    ]


def _places(document: Document) -> list[Place]:
    """Return where each part of a document is: as its reader says, or else below which heading, or on which lines."""
    places: list[Place] = []
    section, first, at = "", 1, 0
    for paragraph in document.paragraphs:
        if paragraph.kind == "heading":
            line = document.text[paragraph.start : paragraph.end].partition("\n")[0].strip()
            found = heading(line)
            section = shorten(found.text if found else line, _LONGEST_HEADING, placeholder="…")
            if section == document.title:
                section = ""
        first, at = first + document.text.count("\n", at, paragraph.start), paragraph.start
        last = first + document.text.count("\n", at, paragraph.end)
        lines = f"line {first}" if first == last else f"lines {first}–{last}"
        where = paragraph.where or section or (lines if document.as_written else "")
        if where != (places[-1].where if places else ""):
            places.append(Place(start=paragraph.start, where=where))
    return places


def content_digest(essays: Iterable[tuple[str, ...]], chunk_ids: Iterable[str], fingerprint: str) -> str:
    """Return the 8 hex digits that say what a version contains, in no order: its essays' names and keys, its chunks'
    ids, and its recipe's fingerprint.

    The chunks' ids count beside the keys, since a model that is asked again may explain a chunk in other words.
    """
    return digest(sorted(essays), sorted(chunk_ids), fingerprint)[:8]


def version_id(day: date, content: str) -> str:
    """Return the name of a version: its logical date and what it contains."""
    return f"{day.isoformat()}-{content}"
