"""What all peers are given: texts, questions and their vectors, also in the forms that other libraries ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Ground", "K", "Search", "langchain_known", "llama_index_known", "llama_index_nodes"]

K = 10

Search = Callable[[int], list[str]]


class Ground:
    """What all peers are given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.texts = _lines(folder / "texts.txt")
        self.questions = _lines(folder / "questions.txt")

    def vectors(self) -> Any:
        return np.load(self.folder / "vectors.npy")

    def milvus(self) -> str:
        """The address of the server that all share."""
        return (self.folder / "milvus.txt").read_text("utf-8")

    def asked(self) -> dict[str, list[float]]:
        """The vector of each question."""
        found: list[list[float]] = np.load(self.folder / "question-vectors.npy").tolist()
        return dict(zip(self.questions, found, strict=True))


def llama_index_nodes(ground: Ground, *, with_vectors: bool = False) -> list[Any]:
    from llama_index.core.schema import TextNode

    nodes = [TextNode(text=text) for text in ground.texts]
    if with_vectors:
        for node, vector in zip(nodes, ground.vectors().tolist(), strict=True):
            node.embedding = vector
    return nodes


def llama_index_known(ground: Ground) -> Any:
    from llama_index.core.embeddings import BaseEmbedding

    asked = ground.asked()

    class Known(BaseEmbedding):  # type: ignore[misc]
        def _get_query_embedding(self, query: str) -> list[float]:
            return asked[query]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return asked[query]

        def _get_text_embedding(self, text: str) -> list[float]:
            raise NotImplementedError(text)

    return Known()


def langchain_known(ground: Ground) -> Any:
    from langchain_core.embeddings import Embeddings

    asked: dict[str, list[float]] = ground.asked() | dict(zip(ground.texts, ground.vectors().tolist(), strict=True))

    class Known(Embeddings):  # type: ignore[misc]
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [asked[text] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return asked[text]

    return Known()


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()
