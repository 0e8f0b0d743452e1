"""How a collection is laid out in Milvus: ids, vectors, and the words of each row if its recipe has them there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import MilvusException
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contextual_rag.model import Words

__all__ = ["BY_WORDS", "ID", "VECTOR", "WORDS", "as_text", "create"]

ID: Final = "chunk_id"
VECTOR: Final = "embedding"
WORDS: Final = "words"
BY_WORDS: Final = "by_words"
# The most bytes of a field.
_LONGEST = 65_535
_MAKING_TRIES = 6


def as_text(words: Iterable[str]) -> str:
    """Return words as a text that every analyzer cuts into these words again, whatever their script.

    What does not fit into a field is left out; the longest chunks do if there are spaces between their words.
    """
    text = " ".join(word if word.isascii() and word.isalnum() else f"x{word.encode().hex()}" for word in words)
    return text if len(text) <= _LONGEST else text[: _LONGEST + 1].rpartition(" ")[0]


def create(client: MilvusClient, collection: str, dimension: int, words: Words | None, timeout_s: float) -> None:
    """Create a collection and its indexes, where another writer has not, or was killed between two of them."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(ID, DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
    index = client.prepare_index_params()
    index.add_index(VECTOR, index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 200})
    indexes = {VECTOR: index}
    if words:
        schema.add_field(WORDS, DataType.VARCHAR, max_length=_LONGEST, enable_analyzer=True)
        schema.add_field(BY_WORDS, DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(Function(BY_WORDS, FunctionType.BM25, [WORDS], [BY_WORDS]))
        index = client.prepare_index_params()
        # The embedded server reads only what stands in "params" as one, which pymilvus takes apart.
        parameters = {"params": {"bm25_k1": words.k1, "bm25_b": words.b}}
        index.add_index(BY_WORDS, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params=parameters)
        indexes[BY_WORDS] = index
    _unless_there(
        partial(client.has_collection, collection, timeout=timeout_s),
        partial(client.create_collection, collection, schema=schema, timeout=timeout_s),
    )
    for field, one in indexes.items():
        _unless_there(
            partial(client.list_indexes, collection, field, timeout=timeout_s),
            partial(client.create_index, collection, one, timeout=timeout_s),
        )


def _unless_there(there: Callable[[], object], make: Callable[[], object]) -> None:
    """Make what is not there; that another writer is at it, or was faster, is no fault."""
    if there():
        return
    for attempt in Retrying(
        retry=retry_if_exception_type(MilvusException),
        stop=stop_after_attempt(_MAKING_TRIES),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        reraise=True,
    ):
        with attempt:
            if not there():
                make()
