"""embeddings → index: the rows of an index version, and the words that its keyword index counts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date

from Stemmer import Stemmer

from contextual_rag.keys import digest
from contextual_rag.model import Chunk, Document, EssayKeys, IndexedChunk
from contextual_rag.pipeline.contexts import chunk_ids
from contextual_rag.recipe import Recipe

__all__ = ["content_digest", "rows", "tokenise", "version_id"]

_WORD = re.compile(r"\w+")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b")


def rows(document: Document, chunks: Sequence[Chunk], contexts: Sequence[str]) -> list[IndexedChunk]:
    """Return the chunk table's rows of one essay, in the order of its text."""
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
        )
        for chunk_id, chunk, context in zip(chunk_ids(document.slug, chunks, contexts), chunks, contexts, strict=True)
    ]


def tokenise(text: str, stemmer: str) -> list[str]:
    """Return the words of a text as the keyword index counts them: without accents, lower case, stemmed.

    `stemmer` is a Snowball algorithm's name or "none".
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    words = _WORD.findall(_POSSESSIVE.sub(" ", plain))
    if stemmer == "none":
        return words
    # A stemmer must not be shared between threads, and a new one costs microseconds.
    stemmed: list[str] = Stemmer(stemmer).stemWords(words)
    return stemmed


def content_digest(essays: Sequence[EssayKeys], chunk_ids: Iterable[str], recipe: Recipe) -> str:
    """Return the 8 hex digits that say what a version contains: essays' keys, chunks and recipe, in no order.

    The chunks' ids count beside the keys, since a model that is asked again may explain a chunk in other words.
    """
    named = sorted((essay.slug, essay.url, essay.title, essay.embeddings) for essay in essays)
    return digest(named, sorted(chunk_ids), recipe.model_dump(mode="json"))[:8]


def version_id(day: date, content: str) -> str:
    """Return the name of a version: its logical date and what it contains."""
    return f"{day.isoformat()}-{content}"
