"""The recipe: every parameter that decides what an index contains."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contextual_rag.keys import digest
from contextual_rag.record import Record

__all__ = ["CONTEXT_PROMPT", "NO_CONTEXTS", "OFFLINE_CONTEXTS", "OFFLINE_EMBEDDINGS", "PARSER", "Recipe"]

# Raise one of these when what its module writes changes, and every object made by the old one is made again.
PARSER = "essay-html-1"
CONTEXT_PROMPT = "place-in-document-1"

OFFLINE_CONTEXTS = "offline/structure-2"
NO_CONTEXTS = "offline/none"
OFFLINE_EMBEDDINGS = "offline/all-MiniLM-L6-v2"

# Not among what else is told of a recipe in a line.
_APART = {"parser", "chunker", "chunk_size", "context_model", "context_prompt", "embedding_model"}


class Recipe(Record):
    """Two builds of the same essays by the same recipe give the same index; sizes are in characters.

    The defaults are those of docs/quality.md, which says what each of them brings. `keyword_weight` is the share of the
    keyword search in the fused score, 1 for words alone and 0 for vectors alone; `window_weight` is what the best
    passage of a chunk weighs beside that, `nearby_weight` what is found near it in its essay (see `qa/retrieve.py`).
    Where `per_essay` is set, no more chunks of one essay are found.
    """

    parser: str = PARSER
    chunker: Literal["recursive", "fixed"] = "recursive"
    chunk_size: Annotated[int, Field(ge=50, le=8000)] = 1350
    chunk_overlap: Annotated[int, Field(ge=0, le=4000)] = 0
    context_model: str = OFFLINE_CONTEXTS
    context_prompt: str = CONTEXT_PROMPT
    embedding_model: str = OFFLINE_EMBEDDINGS
    split_identifiers: bool = True
    stop_words: Literal["english", "none"] = "english"
    stemmer: Literal["english", "none"] = "english"
    bm25_k1: Annotated[float, Field(gt=0, le=10)] = 1.2
    bm25_b: Annotated[float, Field(ge=0, le=1)] = 0.75
    keyword_weight: Annotated[float, Field(ge=0, le=1)] = 0.6
    window_weight: Annotated[float, Field(ge=0, le=1)] = 0.3
    nearby_weight: Annotated[float, Field(ge=0, le=1)] = 0.2
    per_essay: Annotated[int, Field(ge=1, le=1000)] | None = None

    @model_validator(mode="after")
    def _overlap_is_smaller(self) -> Self:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError(
                f"chunk_overlap ({self.chunk_overlap}) must be smaller than chunk_size ({self.chunk_size})"
            )
        if self.chunker == "recursive" and self.chunk_overlap:
            raise ValueError("chunk_overlap belongs to the fixed chunker; recursive chunks end where sentences end")
        return self

    @property
    def summary(self) -> str:
        """How texts are cut, and what else but models is not the default: "recursive 1350, keyword_weight 0.4"."""
        others = self.model_dump(exclude_defaults=True, exclude=_APART)
        return ", ".join([f"{self.chunker} {self.chunk_size}", *(f"{name} {value}" for name, value in others.items())])

    @property
    def fingerprint(self) -> str:
        """The first 8 hex digits of the recipe's digest."""
        return digest(self.model_dump(mode="json"))[:8]

    @property
    def collection(self) -> str:
        """The Milvus collection that holds this recipe's vectors."""
        return f"recipe_{self.fingerprint}"
