"""The sample site's first day as an index in memory, made by the pipeline itself: no stores, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contextual_rag.adapters.index_files import IndexFiles, write
from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.evaluation.datasets import Reference
from contextual_rag.evaluation.metrics import Span, recall
from contextual_rag.model import Document, Entry, IndexedChunk
from contextual_rag.pipeline.chunks import split
from contextual_rag.pipeline.contexts import structural
from contextual_rag.pipeline.documents import parse_document
from contextual_rag.pipeline.index import rows
from contextual_rag.pipeline.pages import read_index
from contextual_rag.ports import EmbeddingModel, VectorStore
from contextual_rag.qa.retrieve import Hit, retrieve
from contextual_rag.recipe import Recipe
from tests.small_world import SmallVectors

__all__ = ["SampleIndex", "sample_index"]

_FOLDER = Path(__file__).parents[1] / "sample_site" / "day1"


@dataclass(frozen=True)
class SampleIndex:
    """All that a search asks for, and where the words of a reference stand."""

    documents: dict[str, Document]
    index: IndexFiles
    vectors: VectorStore
    embedder: EmbeddingModel

    def retrieve(self, question: str, k: int = 5) -> list[Hit]:
        """Return the k best hits."""
        return retrieve(self.index, self.vectors, self.embedder, question, k=k)

    def recall(self, question: str, references: Sequence[Reference], k: int = 5) -> float:
        """Return the share of the references' characters that the k best hits hold."""
        hits = [hit.chunk for hit in self.retrieve(question, k)]
        return recall([self._span(ref) for ref in references], [Span(hit.slug, hit.start, hit.end) for hit in hits])

    def _span(self, reference: Reference) -> Span:
        start = self.documents[reference.slug].text.index(reference.content)
        return Span(reference.slug, start, start + len(reference.content))


def sample_index(folder: Path, recipe: Recipe | None = None) -> SampleIndex:
    """Index the essays by the offline models, with the keyword index's files in `folder`."""
    recipe = recipe or Recipe()
    listed = read_index((_FOLDER / "articles.html").read_bytes(), "http://127.0.0.1/articles.html").entries
    documents = {entry.slug: _document(entry) for entry in listed}
    table: list[IndexedChunk] = []
    for document in documents.values():
        chunks = split(document, recipe)
        table += rows(document, chunks, [structural(document, chunk) for chunk in chunks])
    for name, body in write(table, recipe).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    embedder, vectors = MiniLM(), SmallVectors()
    matrix, _ = embedder.embed([row.contextual_text for row in table], kind="passage")
    vectors.upsert(recipe.collection, [row.chunk_id for row in table], matrix)
    return SampleIndex(documents, IndexFiles(folder, "2026-01-01-00000000", recipe), vectors, embedder)


def _document(entry: Entry) -> Document:
    return parse_document((_FOLDER / f"{entry.slug}.html").read_bytes(), entry)
