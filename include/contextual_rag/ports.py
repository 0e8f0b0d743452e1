"""What the rooms need from outside: a store of objects, a store of vectors, sites, and three kinds of model.

Adapters implement these protocols; `wiring.py` chooses between them. An implementation raises only errors of
`contextual_rag.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from operator import add
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from contextual_rag.model import IndexedChunk, Origin, Response, Words
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe

__all__ = [
    "Budget",
    "ChatModel",
    "Check",
    "Completion",
    "Described",
    "EmbeddingModel",
    "Index",
    "Indexes",
    "Matrix",
    "Message",
    "Models",
    "ObjectStore",
    "ReadIds",
    "RerankModel",
    "Response",
    "Site",
    "Stored",
    "ToolCall",
    "ToolSpec",
    "Usage",
    "VectorStore",
]

Matrix = NDArray[np.float32]
# The ids of the chunks that a file of a version lists.
ReadIds = Callable[[bytes], list[str]]
# Raises if what is about to be done must not be done any more; else returns for how many seconds it may still be done.
Check = Callable[[], int]


class Stored(NamedTuple):
    """An object's bytes and the tag that a compare-and-set names it by."""

    body: bytes
    etag: str


class Described(NamedTuple):
    """An object of a listing; `size` in bytes, `modified` by the store's clock."""

    key: str
    size: int
    modified: datetime
    etag: str | None = None


class ObjectStore(Protocol):
    """A bucket. Keys are as in `keys.py`; bodies are small enough for memory."""

    def get(self, key: str) -> Stored | None:
        """Return the object, or None if there is none."""

    def put(self, key: str, body: bytes) -> None:
        """Store the object, replacing what was there."""

    def put_new(self, key: str, body: bytes) -> bool:
        """Store the object unless one is there; False if one was."""

    def swap(self, key: str, body: bytes, *, expected: str | None) -> str:
        """Compare-and-set: replace the object whose tag is `expected`, or create it if None; return its tag.

        Raises ConflictError if another writer was first.
        """

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, in lexicographic order."""

    def describe(self, prefix: str) -> Iterator[Described]:
        """Yield what stands below a prefix, in lexicographic order of its keys."""

    def delete(self, keys: Sequence[str], *, check: Check | None = None) -> None:
        """Delete the objects, in any order; one that is not there is no error.

        `check` is called right before each request is sent, also one that is sent again; if it raises, nothing is. The
        store itself refuses a request that arrives later than `check` allows.
        """


class VectorStore(Protocol):
    """Collections of (chunk id, embedding), searched by inner product of L2-normalised vectors; some by words too."""

    def missing(self, collection: str, ids: Sequence[str]) -> list[str]:
        """Return the ids that the collection does not hold, in the order given."""

    def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix, words: Words | None = None) -> None:
        """Store rows of shape (n, dimension) under their ids, creating the collection where it is new, and flush."""

    def search(self, collection: str, vector: Matrix, k: int, *, among: Collection[str]) -> list[tuple[str, float]]:
        """Return up to k (id, cosine) of the nearest rows, best first, that are in `among`."""

    def search_words(
        self, collection: str, words: Sequence[str], k: int, *, among: Collection[str]
    ) -> list[tuple[str, float]]:
        """Return up to k (id, BM25 score) of rows in `among` that have one of the words, best first."""

    def count(self, collection: str) -> int:
        """Return the number of rows; 0 if there is no such collection."""

    def collections(self) -> list[str]:
        """Return the names of all collections."""

    def ids(self, collection: str) -> list[str]:
        """Return the ids of all rows, in no order; none if there is no such collection."""

    def delete(self, collection: str, ids: Sequence[str], *, check: Check | None = None) -> None:
        """Remove rows; one that is not there is no error. `check` is called right before each request."""

    def drop(self, collection: str, *, check: Check | None = None) -> None:
        """Remove a collection with all its rows; one that is not there is no error. `check` is called before."""


class Usage(NamedTuple):
    """What model calls took. Adds up with `+`. `cut_off` counts the answers that reached the tokens allowed."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    cut_off: int = 0

    def __add__(self, other: object) -> Usage:
        """Add field by field; a tuple's own `+` would concatenate."""
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(*map(add, self, other))


class Budget(Protocol):
    """What may still be spent on models, and what was; shared by all that spend it. `limit_usd` None is no limit."""

    limit_usd: float | None

    def reserve(self, usd: float) -> None:
        """Take what a request may cost at most, before it is sent. Raises BudgetError if less is left."""

    def settle(self, reserved: float, paid: float) -> None:
        """Put right a `reserve` by what the request did cost."""

    def count(self, usage: Usage) -> None:
        """Count what an answered call took, whether its answer was of use or not."""


class ToolSpec(NamedTuple):
    """A tool as a model is told of it; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class ToolCall(NamedTuple):
    """A tool that a model asks for; `arguments` is JSON as the model wrote it, checked by nobody yet."""

    id: str
    name: str
    arguments: str


class Message(NamedTuple):
    """One message of a chat. An assistant's may ask for tools; a tool's answers one of these calls, named by its id."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Completion(NamedTuple):
    """A chat model's whole answer, without its thinking."""

    text: str
    usage: Usage


class ChatModel(Protocol):
    """A model that answers messages."""

    name: str

    def complete(self, messages: Sequence[Message], *, max_tokens: int, temperature: float = 0.0) -> Completion:
        """Answer at once. Raises RefusalError if nothing is answered."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        tools: Sequence[ToolSpec] = (),
    ) -> Iterator[str | ToolCall | Usage]:
        """Yield the answer's text piece by piece, then each tool that it asks for, then the Usage, last.

        Raises RefusalError if neither text nor a tool comes.
        """


class EmbeddingModel(Protocol):
    """A model that places texts in a vector space."""

    name: str

    @property
    def dimension(self) -> int:
        """The length of its vectors."""

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        """Return a matrix of shape (len(texts), dimension), rows L2-normalised."""


class RerankModel(Protocol):
    """A model that reads a question and passages together; `most` is how many of them are worth its time."""

    name: str
    most: int

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        """Return how relevant each text is, from 0 to 1, in the order given."""


class Index(Protocol):
    """One index version, open for searching."""

    version: str
    recipe: Recipe
    ranking: Ranking
    collection: str

    def ranked(self, ranking: Ranking) -> Index:
        """Return the same version, asked by another ranking."""

    def within(self, slugs: frozenset[str]) -> Index:
        """Return the same version with these of its essays alone; words stay as rare as in the whole."""

    @property
    def rows(self) -> Mapping[str, int]:
        """Row of each chunk id of this version."""

    def chunk(self, chunk_id: str) -> IndexedChunk:
        """Return a chunk of this version."""

    @property
    def essays(self) -> Mapping[str, str]:
        """Title of each essay of this version, by its slug."""

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where each essay of this version comes from, by its slug."""

    def essay(self, slug: str) -> list[IndexedChunk]:
        """Return an essay's chunks in the order of its text; none if there is no such essay."""

    @property
    def order(self) -> Mapping[str, Sequence[str]]:
        """The chunk ids of each essay in the order of its text, by its slug."""

    def near(self, chunk_ids: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return for each essay of these chunks its opening, the chunks and those beside them, in order."""

    @property
    def languages(self) -> frozenset[str]:
        """The languages of this version's essays, by their codes."""

    def words(self, text: str, language: str = ...) -> list[str]:
        """Return the words of a text in a language, or in English, as the keyword search counts them."""

    def asked(self, question: str, language: str | None = None) -> list[str]:
        """Return the words of a question, or of a part of one in a language, as the keyword search counts them."""

    def rarity(self, word: str) -> float:
        """Return how much such a word tells: the inverse document frequency of BM25, most for one that is not there."""

    def respelled(self, word: str) -> str | None:
        """Return the word of this version that a misspelt one means, or None."""

    def keyword_search(self, question: str, k: int) -> list[tuple[str, float]]:
        """Return up to k (chunk id, BM25 score) that share a word with the question, best first."""

    def coverage(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        """Return for each chunk the share of the question's words, by rarity, that it or its context says; 0 to 1."""

    def best_windows(self, question: str, chunk_ids: Sequence[str]) -> list[float]:
        """Return for each chunk how well its best passage of a few sentences matches the question's words, by BM25."""


class Indexes(Protocol):
    """Index versions on this machine."""

    def open(self, version: Any, /) -> Index:
        """Return a version (a draft or a manifest) ready for searching."""


class Site(Protocol):
    """A site that is asked politely; a context manager that ends its connections."""

    def __enter__(self) -> Self:
        """Return the site itself."""

    def __exit__(self, *_: object) -> None:
        """Close the connections."""

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Return a page, or status 304 if it is still the one with this `etag` or `last_modified`.

        Raises SkippableError if it cannot be had.
        """


class Models(Protocol):
    """The models of an environment. Each raises SettingError if the model cannot be had there."""

    def context_model(self, name: str, budget: Budget | None = None) -> ChatModel | None:
        """The model that writes contexts; None if they come from the document's structure, or there are none."""

    def chat_model(self, budget: Budget | None = None) -> ChatModel | None:
        """The model that answers; None if sentences are quoted instead."""

    def embedding_model(self, recipe: Recipe, budget: Budget | None = None) -> EmbeddingModel:
        """The embedding model of a recipe; a version is searched with the model it was built with."""

    def rerank_model(self, budget: Budget | None = None) -> RerankModel | None:
        """The model that reads question and passages together, if one is set."""

    def quote_model(self) -> RerankModel | None:
        """The model that chooses which quotation comes first, if there is one; chat models need none."""
