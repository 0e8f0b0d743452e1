"""ONNX models: written as the bytes of https://onnx.ai/onnx/repo-docs/IR.html, and run by onnxruntime.

The package `onnx` would write them too, but it is larger than the models. Field numbers are those of `onnx.proto`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

__all__ = ["Graph", "each", "opened"]

_IR_VERSION, _OPSET = 8, 17
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int8): 3}
_MICROSOFT = "com.microsoft"
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class Graph:
    """Nodes in the order in which they run. Each method returns the name of what it adds."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._weights: list[bytes] = []

    def weight(self, values: NDArray[Any]) -> str:
        """Add an array."""
        name = f"w{len(self._weights)}"
        dimensions = b"".join(_field(1, size) for size in values.shape)
        raw = np.ascontiguousarray(values).tobytes()
        self._weights.append(dimensions + _field(2, _TYPES[values.dtype]) + _field(8, name) + _field(9, raw))
        return name

    def node(self, operator: str, *inputs: str, microsoft: bool = False, **attributes: int | float) -> str:
        """Add a node with one output."""
        name = f"n{len(self._nodes)}"
        parts = [*(_field(1, one) for one in inputs), _field(2, name), _field(4, operator)]
        parts += [_field(5, _attribute(key, value)) for key, value in attributes.items()]
        self._nodes.append(b"".join([*parts, _field(7, _MICROSOFT if microsoft else "")]))
        return name

    def encoded(self, given: str, result: str, width: int) -> bytes:
        """Return the model from the input `given` to `result`, both float32 of the shape (1, any number, width)."""
        parts = [_field(1, node) for node in self._nodes] + [_field(2, "graph")]
        parts += [_field(5, weight) for weight in self._weights]
        parts += [_field(11, _matrix(given, width)), _field(12, _matrix(result, width))]
        opsets = _field(8, _field(2, _OPSET)) + _field(8, _field(1, _MICROSOFT) + _field(2, 1))
        return _field(1, _IR_VERSION) + opsets + _field(7, b"".join(parts))


def opened(model: bytes) -> onnxruntime.InferenceSession:
    """Return a model, ready to run. It computes in the thread that calls it.

    So it needs no other thread, is safe to fork and to share between threads, and waits for no core that is busy.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def each(compute: Callable[[_Given], _Made], inputs: Sequence[_Given]) -> list[_Made]:
    """Compute each input alone, on all cores: nothing is padded, and no input changes what is computed of another."""
    if len(inputs) < 2:  # noqa: PLR2004
        return [compute(one) for one in inputs]
    with ThreadPoolExecutor(min(len(inputs), os.cpu_count() or 1)) as pool:
        return list(pool.map(compute, inputs))


def _matrix(name: str, width: int) -> bytes:
    """Return a ValueInfoProto: float32 of the shape (1, any number, width)."""
    dimensions = (_field(1, 1), _field(2, "tokens"), _field(1, width))
    shape = b"".join(_field(1, dimension) for dimension in dimensions)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def _attribute(name: str, value: int | float) -> bytes:
    if isinstance(value, float):
        return _field(1, name) + _key(2, 5) + np.float32(value).tobytes() + _field(20, 1)
    return _field(1, name) + _field(3, value) + _field(20, 2)


def _field(number: int, value: int | str | bytes) -> bytes:
    """Return a field in protobuf's encoding: numbers as varints, all else after its length."""
    if isinstance(value, int):
        return _key(number, 0) + _varint(value)
    body = value.encode() if isinstance(value, str) else value
    return _key(number, 2) + _varint(len(body)) + body


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value == low else bytes([low | 0x80]) + _varint(value >> 7)
