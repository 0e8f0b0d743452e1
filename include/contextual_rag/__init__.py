"""Question answering with citations over a changing body of essays.

    from contextual_rag import ask, build, connect

    rag = connect()
    build(rag, source="https://example.org/articles.html")
    print(ask(rag, "Why won't people write?").text)

What is named here is the public face: it is documented in docs/your-own-corpus.md and changes only with a note in
CHANGELOG.md. Each name is imported at its first use, so that a process pays only for what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contextual_rag.building.build import Built
    from contextual_rag.errors import RagError
    from contextual_rag.face import ask, build, connect, search
    from contextual_rag.model import Chunk, Document, Entry, IndexedChunk, Source
    from contextual_rag.qa.answer import Answer
    from contextual_rag.qa.citations import Citation
    from contextual_rag.qa.filters import Filter
    from contextual_rag.qa.retrieve import Hit
    from contextual_rag.ranking import Ranking
    from contextual_rag.recipe import Recipe
    from contextual_rag.settings import Settings
    from contextual_rag.sources.own import Item
    from contextual_rag.versions.records import Manifest
    from contextual_rag.wiring import World

__all__ = [
    "Answer",
    "Built",
    "Chunk",
    "Citation",
    "Document",
    "Entry",
    "Filter",
    "Hit",
    "IndexedChunk",
    "Item",
    "Manifest",
    "RagError",
    "Ranking",
    "Recipe",
    "Settings",
    "Source",
    "World",
    "ask",
    "build",
    "connect",
    "search",
]

_HOMES: Final = {
    "Answer": "qa.answer",
    "Built": "building.build",
    "Chunk": "model",
    "Citation": "qa.citations",
    "Document": "model",
    "Entry": "model",
    "Filter": "qa.filters",
    "Hit": "qa.retrieve",
    "IndexedChunk": "model",
    "Item": "sources.own",
    "Manifest": "versions.records",
    "RagError": "errors",
    "Ranking": "ranking",
    "Recipe": "recipe",
    "Settings": "settings",
    "Source": "model",
    "World": "wiring",
    **dict.fromkeys(("ask", "build", "connect", "search"), "face"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
