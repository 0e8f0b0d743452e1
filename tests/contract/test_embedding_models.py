"""What every embedding model does, and what none does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest

from contextual_rag.ports import EmbeddingModel, Matrix, Usage

TEXTS = [
    "Lisp has macros.",
    "Painters mix colours.",
    "a jug of water " * 20,
    "Ünïcode, 日本語, one",
    "Startups grow fast.",
]
Kind = Literal["passage", "query"]
# Sums of floats in another order come out a little otherwise.
CLOSE = 2e-6


def embed(model: EmbeddingModel, *texts: str, kind: Kind = "passage") -> Matrix:
    return model.embed(texts, kind=kind)[0]


class TestRows:
    @pytest.mark.parametrize("kind", ["passage", "query"])
    def test_are_unit_float32_vectors_one_for_each_text(self, embedder: EmbeddingModel, kind: Kind) -> None:
        matrix, usage = embedder.embed(TEXTS, kind=kind)
        assert matrix.shape == (len(TEXTS), embedder.dimension)
        assert matrix.dtype == np.dtype(np.float32)
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
        assert isinstance(usage, Usage)

    def test_of_no_texts_are_an_empty_matrix_that_costs_nothing(self, embedder: EmbeddingModel) -> None:
        matrix, usage = embedder.embed([], kind="passage")
        assert matrix.shape == (0, embedder.dimension)
        assert matrix.dtype == np.dtype(np.float32)
        assert usage == Usage()

    def test_come_in_the_order_of_the_texts(self, embedder: EmbeddingModel) -> None:
        np.testing.assert_allclose(embed(embedder, *TEXTS)[::-1], embed(embedder, *TEXTS[::-1]), atol=CLOSE)

    def test_never_depend_on_the_texts_beside_them(self, embedder: EmbeddingModel) -> None:
        together = embed(embedder, *TEXTS, TEXTS[0])
        for row, text in zip(together, [*TEXTS, TEXTS[0]], strict=True):
            np.testing.assert_allclose(row, embed(embedder, text)[0], atol=CLOSE)

    def test_never_are_the_same_for_other_words(self, embedder: EmbeddingModel) -> None:
        matrix = embed(embedder, *TEXTS)
        cosines = matrix @ matrix.T
        assert float((cosines - np.eye(len(TEXTS), dtype=np.float32)).max()) < 0.9

    def test_of_several_threads_are_those_of_one(self, embedder: EmbeddingModel) -> None:
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(lambda text: embed(embedder, text)[0], TEXTS))
        np.testing.assert_allclose(rows, embed(embedder, *TEXTS), atol=CLOSE)


class TestSearching:
    @pytest.mark.parametrize(
        ("question", "best"),
        [("Which language has macros?", 0), ("Who mix colours?", 1), ("How fast do startups grow?", 4)],
    )
    def test_finds_the_passage_that_a_question_is_about(
        self, embedder: EmbeddingModel, question: str, best: int
    ) -> None:
        passages, (asked,) = embed(embedder, *TEXTS), embed(embedder, question, kind="query")
        assert int((passages @ asked).argmax()) == best


class TestTheName:
    def test_is_there_to_be_put_down_in_a_recipe(self, embedder: EmbeddingModel) -> None:
        assert embedder.name
        assert embedder.dimension > 0
