"""Our searches over a synthetic corpus, and what bounds them: bare bm25s, and the slower of a hybrid search's two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import bm25s
import numpy as np

from bench.speed import corpora
from contextual_rag.adapters.index_files import IndexFiles, write
from contextual_rag.pipeline.words import tokenise
from contextual_rag.ports import Matrix, Usage, VectorStore
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.recipe import Recipe

__all__ = ["Hybrid", "bare", "bare_build", "build", "keyword", "make", "write_texts"]

SEED = 20261127
_K = 10
_CANDIDATES = 200
_VERSION = "bench"

Search = Callable[[int], object]


def write_texts(folder: Path, chunks: int) -> None:
    """Put a corpus into a folder."""
    with (folder / "texts.txt").open("w", encoding="utf-8") as file:
        file.writelines(f"{text}\n" for text in corpora.texts(chunks, SEED))


def make(folder: Path, chunks: int, questions: int, *, with_vectors: bool) -> None:
    """Put a corpus, its index and questions into a folder, where peers find them too."""
    write_texts(folder, chunks)
    (folder / "questions.txt").write_text("\n".join(corpora.questions(questions, SEED)), "utf-8")
    for name, body in write(corpora.rows(folder / "texts.txt"), Recipe()).items():
        path = folder / "index" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    if with_vectors:
        np.save(folder / "vectors.npy", corpora.vectors(chunks, SEED))
        np.save(folder / "question-vectors.npy", corpora.vectors(questions, SEED + 1))


def build(folder: Path) -> Search:
    """Make the files of an index of the texts, of which nothing is kept."""
    return lambda _: write(corpora.rows(folder / "texts.txt"), Recipe())


def bare_build(folder: Path) -> Search:
    """Count the words of the same texts by bare bm25s."""
    recipe = Recipe()

    def make(_: int) -> None:
        index = bm25s.BM25(k1=recipe.bm25_k1, b=recipe.bm25_b)
        with (folder / "texts.txt").open(encoding="utf-8") as lines:
            index.index([tokenise(line, recipe) for line in lines], show_progress=False)

    return make


def keyword(folder: Path) -> Search:
    """Open the index anew: a question, the texts of the best chunks."""
    index, asked = IndexFiles(folder / "index", _VERSION, Recipe()), _sentences(folder)
    return lambda n: [index.chunk(id_).text for id_, _ in index.keyword_search(asked[n], _K)]


def bare(folder: Path) -> Search:
    """Bare bm25s on the same arrays: a question, its words, their scores, the best texts by a partial sort."""
    index = bm25s.BM25.load(folder / "index" / "bm25", mmap=True, show_progress=False)
    texts, asked, recipe = (folder / "texts.txt").read_text("utf-8").splitlines(), _questions(folder), Recipe()

    def search(n: int) -> list[str]:
        scores = index.get_scores([word for word in tokenise(asked[n], recipe) if word in index.vocab_dict])
        best = np.argpartition(scores, -_K)[-_K:]
        return [texts[row] for row in best[np.argsort(-scores[best])]]

    return search


class Hybrid:
    """A whole retrieval without the question's embedding, and each of its two searches by itself."""

    name = "known"
    dimension = corpora.DIMENSION

    def __init__(self, folder: Path, vectors: VectorStore) -> None:
        self._asked = _sentences(folder)
        self._index = IndexFiles(folder / "index", _VERSION, Recipe())
        self._vectors = vectors
        self._vectors.upsert(self._index.collection, list(self._index.rows), np.load(folder / "vectors.npy"))
        self._embedded = dict(zip(self._asked, np.load(folder / "question-vectors.npy"), strict=True))

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:  # noqa: ARG002
        return np.stack([self._embedded[text] for text in texts]), Usage()

    def whole(self, n: int) -> object:
        return retrieve(self._index, self._vectors, self, self._asked[n], k=_K, candidates=_CANDIDATES)

    def by_words(self, n: int) -> object:
        return self._index.keyword_search(self._asked[n], _CANDIDATES)

    def by_meaning(self, n: int) -> object:
        vector = self._embedded[self._asked[n]]
        return self._vectors.search(self._index.collection, vector, _CANDIDATES, among=self._index.rows)


def _questions(folder: Path) -> list[str]:
    return (folder / "questions.txt").read_text("utf-8").splitlines()


def _sentences(folder: Path) -> list[str]:
    """Return the questions as readers ask them: with small words, which say that they are in English.

    Those of the public sets all have some. Invented words alone would first have their language guessed.
    """
    return [f"what is {question}" for question in _questions(folder)]
