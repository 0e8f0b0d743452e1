"""How much of the time of embedding passages is matrix multiplication: beside onnxruntime's own, bare, in one run.

    python -m bench.embedding [--rounds N]

The bare side runs a model of nothing but the multiplications of each layer, in the same types and shapes, on as many
threads. Both sides embed the same passages in turn, alone and beside a process that never rests. Times are the
processor's, of all threads, so that other load hardly counts; the seconds on the clock say whether all cores are used.
Prints and writes `bench/results/embedding.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench.sample_site import read_sample
from contextual_rag.adapters import minilm
from contextual_rag.adapters.onnx_graph import Graph, each, opened
from contextual_rag.pipeline.chunks import split
from contextual_rag.ports import Matrix
from contextual_rag.recipe import Recipe

__all__ = ["RESULTS", "main"]

RESULTS = Path(__file__).parent / "results" / "embedding.json"
_WIDTH, _HIDDEN, _LAYERS = 384, 1536, 6
_PASSAGES = 60


def main() -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="python -m bench.embedding", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds alone, and as many beside (default: 5)")
    parser.add_argument("--to", type=Path, default=RESULTS, help=f"default: {RESULTS.name} in bench/results")
    asked = parser.parse_args()
    passages = [chunk.text for one in read_sample().documents for chunk in split(one, Recipe())][:_PASSAGES]
    model = minilm.MiniLM(remembered=0)
    tokens = [n + 2 for n in model.count_tokens(passages)]
    bare = opened(_bare())
    inputs = [_random(min(n, 512), _WIDTH) for n in tokens]

    def ours() -> None:
        model.embed(passages, kind="passage")

    def multiplied() -> None:
        each(lambda x: bare.run(None, {"x": x[None]}), inputs)

    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "passages": len(passages),
        "tokens": sum(tokens),
        "alone": _in_turn(ours, multiplied, asked.rounds),
    }
    with _busy():
        found["beside"] = _in_turn(ours, multiplied, asked.rounds)
    found["speed_beside"] = round(found["alone"]["wall_s"] / found["beside"]["wall_s"], 2)
    asked.to.parent.mkdir(parents=True, exist_ok=True)
    asked.to.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    Console().print_json(data=found)
    return 0


def _in_turn(ours: Callable[[], None], bare: Callable[[], None], rounds: int) -> dict[str, float]:
    """Return the medians of both sides; `share` is that of the bare multiplications in our time, `cores` those used."""
    ours()
    bare()
    taken = np.array([[*_took(ours), *_took(bare)] for _ in range(rounds)])
    cpu, wall, bare_cpu, bare_wall = np.median(taken, axis=0)
    return {
        "cpu_s": round(float(cpu), 3),
        "bare_cpu_s": round(float(bare_cpu), 3),
        "share": round(float(np.median(taken[:, 2] / taken[:, 0])), 3),
        "wall_s": round(float(wall), 3),
        "bare_wall_s": round(float(bare_wall), 3),
        "cores": round(float(np.median(taken[:, 0] / taken[:, 1])), 2),
    }


def _took(do: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    do()
    return time.process_time() - cpu, time.perf_counter() - wall


@contextmanager
def _busy() -> Iterator[None]:
    """Keep a core busy with a process."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def _bare() -> bytes:
    """Return a model of the multiplications of all layers alone, each of the last one's result."""
    graph, x = Graph(), "x"
    for _ in range(_LAYERS):
        query, key, value = (_times(graph, x, _WIDTH) for _ in range(3))
        scores = graph.node("FusedMatMul", query, key, microsoft=True, transB=1, alpha=0.001)
        x = _times(graph, graph.node("FusedMatMul", scores, value, microsoft=True, alpha=0.05), _WIDTH)
        x = _times(graph, _times(graph, x, _HIDDEN), _WIDTH, of=_HIDDEN)
    return graph.encoded("x", x, _WIDTH)


def _times(graph: Graph, x: str, width: int, *, of: int = _WIDTH) -> str:
    weight, bias = _random(width, of) / np.float32(of**0.5), np.zeros(width, np.float32)
    if of == _HIDDEN:
        return minilm._linear_in_blocks(graph, x, weight, bias)
    return minilm._linear(graph, x, weight, bias, None)


def _random(*shape: int) -> Matrix:
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


if __name__ == "__main__":
    sys.exit(main())
