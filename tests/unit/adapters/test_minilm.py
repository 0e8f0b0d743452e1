"""The offline embedding model reproduces the figures of its model card."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.ports import EmbeddingModel, Matrix
from contextual_rag.recipe import OFFLINE_EMBEDDINGS

MODEL = MiniLM(remembered=0)  # each vector is computed
TEXTS = ["That is a happy person", "one", "a jug of water " * 20, "", "Ünïcode, 日本語, 🎉", "end."]


def embed(*texts: str) -> Matrix:
    return MODEL.embed(texts, kind="passage")[0]


class TestFigures:
    @pytest.mark.parametrize(
        ("text", "cosine"),
        [
            ("That is a happy dog", 0.695),
            ("That is a very happy person", 0.943),
            ("Today is a sunny day", 0.257),
            ("That is a happy person", 1.0),
        ],
    )
    def test_are_those_of_the_model_card(self, text: str, cosine: float) -> None:
        one, other = embed("That is a happy person", text)
        assert float(one @ other) == pytest.approx(cosine, abs=0.0006)

    def test_are_the_same_for_questions_and_passages(self) -> None:
        np.testing.assert_array_equal(MODEL.embed(["Why?"], kind="query")[0], embed("Why?"))

    def test_do_not_depend_on_letter_case(self) -> None:
        np.testing.assert_allclose(embed("A HAPPY Person"), embed("a happy person"), atol=1e-6)


class TestShape:
    def test_is_what_the_port_and_the_recipe_ask_for(self) -> None:
        port: EmbeddingModel = MODEL
        assert (port.name, port.dimension) == (OFFLINE_EMBEDDINGS, 384)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.text(max_size=50), min_size=1, max_size=3))
    def test_holds_for_any_text(self, texts: list[str]) -> None:
        np.testing.assert_allclose(np.linalg.norm(embed(*texts), axis=1), 1, atol=1e-5)


class TestBatches:
    def test_change_no_row(self) -> None:
        together = embed(*TEXTS)
        for row, text in zip(together, TEXTS, strict=True):
            np.testing.assert_allclose(row, embed(text)[0], atol=2e-6)

    def test_may_run_in_several_threads(self) -> None:
        fresh = MiniLM()  # so that all of them want the weights at once
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(lambda text: fresh.embed([text], kind="passage")[0][0], TEXTS))
        np.testing.assert_allclose(rows, embed(*TEXTS), atol=2e-6)


class TestRememberedVectors:
    def test_are_those_that_were_computed_and_cost_the_same(self) -> None:
        model = MiniLM()
        first, again = (model.embed([*TEXTS, TEXTS[0]], kind="passage") for _ in range(2))
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_allclose(first[0], embed(*TEXTS, TEXTS[0]), atol=2e-6)
        assert first[1] == again[1]
        # A caller that writes into its matrix changes no other answer.
        again[0][:] = 0
        np.testing.assert_array_equal(model.embed([*TEXTS, TEXTS[0]], kind="query")[0], first[0])

    def test_are_the_last_ones_alone(self) -> None:
        model = MiniLM(remembered=2)
        for text in TEXTS:
            model.embed([text], kind="passage")
        assert len(model._remembered) == 2
        np.testing.assert_allclose(model.embed(TEXTS, kind="passage")[0], embed(*TEXTS), atol=2e-6)


class TestLongTexts:
    def test_are_read_up_to_512_tokens_and_cut_there(self) -> None:
        whole, longer, other = ("word " * 510, "word " * 510 + "and much more", "word " * 509 + "jug")
        matrix, usage = MODEL.embed([whole, longer, other], kind="passage")
        np.testing.assert_allclose(matrix[0], matrix[1], atol=2e-6)
        assert np.abs(matrix[0] - matrix[2]).max() > 1e-3
        assert usage.prompt_tokens == 3 * 512

    def test_count_their_tokens_with_the_two_special_ones(self) -> None:
        assert MODEL.embed(["a happy person", "one"], kind="passage")[1].prompt_tokens == 5 + 3


class TestTokens:
    def test_are_counted_uncut_without_special_tokens(self) -> None:
        assert MODEL.count_tokens(["", "one", "one two three", "jug " * 3000]) == [0, 1, 3, 3000]

    @given(st.lists(st.text(max_size=60), max_size=5))
    @settings(deadline=None)
    def test_are_those_that_are_embedded_without_the_special_tokens(self, texts: list[str]) -> None:
        _, usage = MODEL.embed(texts, kind="passage")
        assert sum(MODEL.count_tokens(texts)) + 2 * len(texts) == usage.prompt_tokens
