"""Every implementation of each port. A real server takes part if a variable names one; it has to be on this machine.

RAG_TEST_S3_URL is like `http://key:secret@127.0.0.1:9000`, RAG_TEST_MILVUS_URI like `http://127.0.0.1:19531`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from contextual_rag.adapters.cross_encoder import CrossEncoder
from contextual_rag.adapters.kept_models import KeptAnswers, KeptChat, KeptEmbeddings
from contextual_rag.adapters.memory_vectors import MemoryVectors
from contextual_rag.adapters.milvus import Milvus
from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.adapters.object_store import Bucket
from contextual_rag.adapters.together import Together
from contextual_rag.adapters.together_chat import TogetherChat
from contextual_rag.adapters.together_embeddings import TogetherEmbeddings
from contextual_rag.adapters.together_rerank import TogetherRerank
from contextual_rag.embedded.services import Services
from contextual_rag.ports import ChatModel, EmbeddingModel, ObjectStore, RerankModel, VectorStore
from tests.memory_objects import MemoryObjects
from tests.servers.together import DEFAULT_KEY, TogetherServer
from tests.small_world import Says, Shortest, WordCounts

__all__ = ["SENTENCE"]

# What the chat models are made to answer.
SENTENCE = "Please repeat the words of this line after me."

# Read before any test starts: each is shown a clean environment.
_S3_URL = os.environ.get("RAG_TEST_S3_URL")
_MILVUS_URI = os.environ.get("RAG_TEST_MILVUS_URI")
_EMBEDDED = pytest.param("embedded", marks=pytest.mark.service)


def _server(variable: str, value: str | None) -> object:
    reason = f"{variable} is not set"
    return pytest.param("server", marks=[pytest.mark.service, pytest.mark.skipif(not value, reason=reason)])


@pytest.fixture(params=["memory", _EMBEDDED, _server("RAG_TEST_S3_URL", _S3_URL)])
def objects(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """A store without any object."""
    if request.param == "memory":
        yield MemoryObjects()
        return
    url, name = _S3_URL, f"contract-{uuid.uuid4().hex[:12]}"
    if request.param == "embedded":
        stores: Services = request.getfixturevalue("stores")
        access, secret = (stores.environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
        url = stores.environment["AWS_ENDPOINT_URL"].replace("://", f"://{access}:{secret}@")
        name += "/a/prefix"
    parts = urlsplit(str(url))
    bucket = Bucket(
        name,
        endpoint=f"{parts.scheme}://{parts.hostname}:{parts.port}",
        access_key=parts.username or "",
        secret_key=parts.password or "",
        region="us-east-1",
    )
    bucket.ensure()
    yield bucket
    bucket.delete(list(bucket.list("")))


@pytest.fixture(params=["memory", _EMBEDDED, _server("RAG_TEST_MILVUS_URI", _MILVUS_URI)])
def vectors(request: pytest.FixtureRequest) -> Iterator[VectorStore]:
    """A store without any collection."""
    if request.param == "memory":
        yield MemoryVectors()
        return
    uri = _MILVUS_URI
    if request.param == "embedded":
        stores: Services = request.getfixturevalue("stores")
        uri = stores.environment["MILVUS_URI"]
    milvus = Milvus(str(uri), owner=f"contract_{uuid.uuid4().hex[:12]}")
    yield milvus
    for collection in milvus.collections():
        milvus.drop(collection)


@pytest.fixture(scope="session")
def provider() -> Iterator[Together]:
    """A connection to the provider's API, served on loopback."""
    with TogetherServer() as server:
        client = Together(DEFAULT_KEY, base_url=server.url, attempts=1)
        yield client
        client.close()


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The offline model, which computes each vector anew."""
    return MiniLM(remembered=0)


@pytest.fixture(params=["MiniLM", "Together", "word counts", "kept"])
def embedder(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddingModel:
    """An embedding model."""
    if request.param == "MiniLM":
        model: EmbeddingModel = request.getfixturevalue("minilm")
        return model
    if request.param == "Together":
        return TogetherEmbeddings(request.getfixturevalue("provider"), "BAAI/bge-large-en-v1.5", 1024)
    if request.param == "kept":
        return KeptEmbeddings(WordCounts(), KeptAnswers(tmp_path / "answers.sqlite"))
    return WordCounts()


@pytest.fixture(params=["Together", "cross encoder", "shortest"])
def reranker(request: pytest.FixtureRequest) -> RerankModel:
    """A rerank model; the shortest of the passages that share a word with the question has to be the best for it."""
    if request.param == "Together":
        return TogetherRerank(request.getfixturevalue("provider"), "Salesforce/Llama-Rank-v1")
    if request.param == "cross encoder":
        return CrossEncoder()
    return Shortest()


@pytest.fixture(params=["Together", "says", "kept"])
def chat(request: pytest.FixtureRequest, tmp_path: Path) -> ChatModel:
    """A chat model that answers SENTENCE when it is asked for it."""
    if request.param == "Together":
        return TogetherChat(request.getfixturevalue("provider"), "meta-llama/Llama-3.3-70B-Instruct-Turbo")
    if request.param == "kept":
        return KeptChat(Says(SENTENCE), KeptAnswers(tmp_path / "answers.sqlite"))
    return Says(SENTENCE)
