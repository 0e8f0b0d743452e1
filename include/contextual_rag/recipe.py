"""The recipe: every parameter that decides what an index contains."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from contextual_rag.keys import digest
from contextual_rag.languages import NAMES
from contextual_rag.record import StrictRecord

__all__ = [
    "CONTEXT_PROMPT",
    "NO_CONTEXTS",
    "NO_PREFIXES",
    "OFFLINE_CONTEXTS",
    "OFFLINE_EMBEDDINGS",
    "PARSER",
    "Prefixes",
    "Recipe",
    "known_prefixes",
]

# Raise CONTEXT_PROMPT when pipeline/contexts.py makes something else of the same input: then every object is made again
# that it made. What the readers make is told apart by readers.registry.READERS, which renames no document that stays
# the same; PARSER is part of each name and stays.
PARSER: Final = "essay-html-1"
CONTEXT_PROMPT: Final = "place-in-document-1"

OFFLINE_CONTEXTS: Final = "offline/structure-2"
NO_CONTEXTS: Final = "offline/none"
OFFLINE_EMBEDDINGS: Final = "offline/all-MiniLM-L6-v2"

# The length of the vectors of the models that Together AI serves, by their model cards.
_DIMENSIONS: Final = {
    OFFLINE_EMBEDDINGS: 384,
    "BAAI/bge-large-en-v1.5": 1024,
    "BAAI/bge-base-en-v1.5": 768,
    "intfloat/multilingual-e5-large-instruct": 1024,
    "Alibaba-NLP/gte-modernbert-base": 768,
    "togethercomputer/m2-bert-80M-32k-retrieval": 768,
}


class Prefixes(NamedTuple):
    """What stands before each question and before each passage when it is embedded."""

    query: str = ""
    passage: str = ""


NO_PREFIXES: Final = Prefixes()
_SEARCH: Final = "Represent this sentence for searching relevant passages: "
_TASK: Final = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
# By the model cards. Servers call the same model by many names, so the first part of a name that fits counts.
_PREFIXES: Final = {
    r"qwen3-embedding": Prefixes(_TASK),
    r"gte-qwen|e5-\S*instruct": Prefixes(f"{_TASK} "),
    r"(?<![a-z0-9])e5(?![a-z0-9])": Prefixes("query: ", "passage: "),
    r"nomic-embed-text": Prefixes("search_query: ", "search_document: "),
    r"bge-(small|base|large)-zh": Prefixes("为这个句子生成表示以用于检索相关文章："),
    r"bge-(small|base|large)|mxbai-embed-large": Prefixes(_SEARCH),
    r"snowflake-arctic-embed(2|-\S*v2\.0)": Prefixes("query: "),
    r"snowflake-arctic-embed": Prefixes(_SEARCH),
    r"embeddinggemma": Prefixes("task: search result | query: ", "title: none | text: "),
}
# The models whose questions had a prefix before recipes said it.
_HAD_SEARCH: Final = re.compile(r"BAAI/bge-\w+-en-v1\.5")

# The value of each parameter that a fingerprint leaves out. They never change, whatever the defaults become: a new
# parameter comes in with the value that means what was so before, and renames no collection and no version.
_BASELINE: Final[dict[str, Any]] = {
    "parser": "essay-html-1",
    "chunker": "recursive",
    "chunk_size": 1350,
    "chunk_overlap": 0,
    "context_model": "offline/structure-2",
    "context_prompt": "place-in-document-1",
    "embedding_model": "offline/all-MiniLM-L6-v2",
    "embedding_dimension": None,
    "embedding_query_prefix": None,
    "embedding_passage_prefix": "",
    "split_identifiers": True,
    "stop_words": "english",
    "stemmer": "english",
    "language": None,
    "bm25_k1": 1.2,
    "bm25_b": 0.75,
    "keyword_search": "bm25s",
}
# Named apart from the others wherever a recipe is shown in a line.
_SHOWN_APART: Final = {"parser", "chunker", "chunk_size", "context_model", "context_prompt", "embedding_model"}
_OF_PREFIXES: Final = {"embedding_query_prefix", "embedding_passage_prefix"}


class Recipe(StrictRecord):
    """Two builds of the same essays by the same recipe give the same index; sizes are in characters.

    The defaults are those of docs/quality.md, which says what each of them brings. `embedding_dimension` is the length
    of the vectors; None means the length that the embedding model is known to have. `embedding_query_prefix` stands
    before each question that is embedded, `embedding_passage_prefix` before each passage; None means that of release
    0.1.0. `stop_words` names a list of `pipeline/words.py`; "english" is that of release 0.1.0. Essays in another
    language have its own stemmer and small words, unless these are "none". `language` is that of all essays, by its
    code; None finds it out for each. `keyword_search` is what searches by words: arrays in the files of a version, or
    Milvus, which then has the words beside the vectors.
    """

    parser: str = PARSER
    chunker: Literal["recursive", "fixed"] = "recursive"
    chunk_size: Annotated[int, Field(ge=50, le=8000)] = 1350
    chunk_overlap: Annotated[int, Field(ge=0, le=4000)] = 0
    context_model: str = OFFLINE_CONTEXTS
    context_prompt: str = CONTEXT_PROMPT
    embedding_model: str = OFFLINE_EMBEDDINGS
    embedding_dimension: Annotated[int, Field(ge=1, le=32768)] | None = None
    embedding_query_prefix: Annotated[str, Field(max_length=1000)] | None = None
    embedding_passage_prefix: Annotated[str, Field(max_length=1000)] = ""
    split_identifiers: bool = True
    stop_words: Literal["english", "english-2", "none"] = "english-2"
    stemmer: Literal["english", "none"] = "english"
    language: str | None = None
    bm25_k1: Annotated[float, Field(gt=0, le=10)] = 1.2
    bm25_b: Annotated[float, Field(ge=0, le=1)] = 0.75
    keyword_search: Literal["bm25s", "milvus"] = "bm25s"

    @field_validator("embedding_dimension")
    @classmethod
    def _only_if_unknown(cls, dimension: int | None, info: ValidationInfo) -> int | None:
        """Said or not, the same length is the same recipe."""
        return None if dimension == _DIMENSIONS.get(info.data.get("embedding_model", "")) else dimension

    @field_validator("language")
    @classmethod
    def _is_known(cls, language: str | None) -> str | None:
        if language is not None and language not in NAMES:
            raise ValueError(f"{language!r} is none of {', '.join(NAMES)}")
        return language

    @field_validator("embedding_query_prefix")
    @classmethod
    def _only_if_other(cls, prefix: str | None, info: ValidationInfo) -> str | None:
        """Said or not, the same prefix is the same recipe."""
        return None if prefix == _earlier_prefix(info.data.get("embedding_model", "")) else prefix

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
    def dimension(self) -> int | None:
        """The length of the vectors, None if nobody knows it."""
        return self.embedding_dimension or _DIMENSIONS.get(self.embedding_model)

    @property
    def prefixes(self) -> Prefixes:
        """What stands before the texts that are embedded."""
        query = self.embedding_query_prefix
        return Prefixes(
            _earlier_prefix(self.embedding_model) if query is None else query, self.embedding_passage_prefix
        )

    @property
    def summary(self) -> str:
        """How texts are cut, and what else but models is not the default: "recursive 1350, stemmer none"."""
        known = _OF_PREFIXES if self.prefixes == known_prefixes(self.embedding_model) else set()
        others = self.model_dump(exclude_defaults=True, exclude=_SHOWN_APART | known)
        # A prefix may have line breaks.
        shown = (" ".join(f"{name} {value}".split()) for name, value in others.items())
        return ", ".join([f"{self.chunker} {self.chunk_size}", *shown])

    @property
    def fingerprint(self) -> str:
        """The first 8 hex digits of a digest of the parameters that differ from their baseline."""
        fields = self.model_dump(mode="json")
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        return digest({name: value for name, value in fields.items() if value != (defaults | _BASELINE)[name]})[:8]

    @property
    def collection(self) -> str:
        """The Milvus collection that holds this recipe's vectors."""
        return f"recipe_{self.fingerprint}"


def known_prefixes(model: str) -> Prefixes:
    """Return the prefixes that an embedding model was trained with, by its name; none if it is not known."""
    found = (prefixes for name, prefixes in _PREFIXES.items() if re.search(name, model, re.IGNORECASE))
    return next(found, NO_PREFIXES)


def _earlier_prefix(model: str) -> str:
    return _SEARCH if _HAD_SEARCH.fullmatch(model) else ""
