"""A trial: a corpus made searchable for as long as it is measured, by the same steps as an index version.

Nothing of it stays or is published: its files stand in a temporary folder, its vectors in memory, or in a collection of
Milvus of its own if the recipe has words searched there. What models said is kept on disk, so that a trial with another
setting asks only for what is new. All that a trial needs of chunks, contexts and index is called here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import numpy as np

from contextual_rag.adapters.index_files import IndexFiles, write
from contextual_rag.adapters.kept_models import KeptAnswers, KeptChat, KeptEmbeddings
from contextual_rag.adapters.memory_vectors import MemoryVectors
from contextual_rag.building.contexts import explain
from contextual_rag.errors import CorruptObjectError
from contextual_rag.evaluation.scores import Searched
from contextual_rag.model import Chunk, Document, IndexedChunk
from contextual_rag.parameters import Parameters
from contextual_rag.pipeline.chunks import split
from contextual_rag.pipeline.index import rows
from contextual_rag.pipeline.plain import read_text
from contextual_rag.pipeline.windows import words_of
from contextual_rag.ports import EmbeddingModel, Index, Matrix, VectorStore
from contextual_rag.recipe import Recipe
from contextual_rag.versions.records import Version
from contextual_rag.wiring import World

__all__ = ["Steps", "Text", "published", "trial"]

# Told how far a step is: its name, how many are done, of how many.
Steps = Callable[[str, int, int], None]

_VERSION = "trial"
# So much of the embedding is lost where it is interrupted.
_EMBEDDED_AT_ONCE = 64


class Text(NamedTuple):
    """A document of the corpus, with its chunks where they are given; None has the recipe cut them.

    `document` is the text as it was read from a page; None has it read as the plain text that it is.
    """

    slug: str
    text: str
    chunks: tuple[Chunk, ...] | None = None
    document: Document | None = None


@contextmanager
def trial(world: World, texts: Sequence[Text], parameters: Parameters, steps: Steps) -> Iterator[Searched]:
    """Yield all texts as one index, searchable as a version of this recipe and ranking is; it is gone after the block.

    Raises CorruptObjectError if the corpus has no chunks at all.
    """
    recipe, kept = parameters.recipe, _kept(world)
    embedder = KeptEmbeddings(world.embedding_model(recipe), kept, recipe.prefixes)
    model = world.context_model(recipe.context_model)
    chat = KeptChat(model, kept) if model else None
    table = []
    for done, text in enumerate(texts, 1):
        document = text.document or read_text(text.slug, text.text)
        chunks = split(document, recipe) if text.chunks is None else text.chunks
        contexts, _ = explain(document, chunks, recipe, chat, {}, concurrency=world.settings.model_concurrency)
        table += rows(document, chunks, contexts, recipe)
        steps("contexts", done, len(texts))
    if not table:
        raise CorruptObjectError("The corpus has no text to cut into chunks.")
    embeddings = _embedded(embedder, [row.embedded_text for row in table], steps)
    with TemporaryDirectory(prefix="rag-trial-") as folder, _stored(world, recipe, table, embeddings) as found_in:
        for name, body in write(table, recipe).items():
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(body)
        vectors, collection = found_in
        index = IndexFiles(Path(folder), _VERSION, *parameters, collection, vectors=lambda: vectors)
        yield _searched(world, index, vectors, embedder)


@contextmanager
def _stored(
    world: World, recipe: Recipe, table: Sequence[IndexedChunk], embeddings: Matrix
) -> Iterator[tuple[VectorStore, str]]:
    """Yield where the vectors are: in memory, unless it is Milvus's search that is tried."""
    ids = [row.chunk_id for row in table]
    if recipe.keyword_search == "bm25s":
        memory = MemoryVectors()
        memory.upsert(recipe.collection, ids, embeddings)
        yield memory, recipe.collection
        return
    collection = f"trial_{uuid4().hex}"
    try:
        world.vectors.upsert(collection, ids, embeddings, words_of(table, recipe))
        yield world.vectors, collection
    finally:
        world.vectors.drop(collection)


def published(world: World, version: Version) -> Searched:
    """Return an index version as it is searched in production, but that questions are embedded once."""
    embedder = KeptEmbeddings(world.embedding_model(version.recipe), _kept(world), version.recipe.prefixes)
    return _searched(world, world.indexes.open(version), world.vectors, embedder)


def _searched(world: World, index: Index, vectors: VectorStore, embedder: EmbeddingModel) -> Searched:
    return Searched(index, vectors, embedder, world.rerank_model(), world.settings.model_concurrency)


def _embedded(embedder: EmbeddingModel, texts: Sequence[str], steps: Steps) -> Matrix:
    parts = []
    steps("embeddings", 0, len(texts))
    for start in range(0, len(texts), _EMBEDDED_AT_ONCE):
        part = texts[start : start + _EMBEDDED_AT_ONCE]
        parts.append(embedder.embed(part, kind="passage")[0])
        steps("embeddings", start + len(part), len(texts))
    return np.concatenate(parts)


def _kept(world: World) -> KeptAnswers:
    return KeptAnswers(world.settings.data_dir / "evaluation" / "answers.sqlite")
