"""How long an offline answer takes, alone and beside a process for each core that never rests, in the same run.

    python -m bench.asking [--questions N] [--rounds N]

Over the sample site and its own questions. Rounds alone and rounds beside the busy processes take turns, so that both
meet the same load of the machine; other load is in the load average, which is stored. With the reranker, if its extra
is installed. Prints a table and writes `bench/results/asking.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Column, Table

from bench.progress import bars_with_steps
from bench.sample_site import read_sample
from contextual_rag.commands.trial import trial
from contextual_rag.errors import RagError
from contextual_rag.evaluation.scores import Searched
from contextual_rag.parameters import Parameters
from contextual_rag.ports import EmbeddingModel, RerankModel
from contextual_rag.qa.answer import answer
from contextual_rag.roles import OFFLINE_RERANKING
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World

__all__ = ["RESULTS", "main", "measure"]

RESULTS = Path(__file__).parent / "results" / "asking.json"
_OFFLINE = {"together_api_key": None, "chat_model": ""}
# The first question of a setup loads its models.
_ALONE, _BESIDE = "alone", "beside"


class _Models(NamedTuple):
    reranker: RerankModel | None = None
    reader: RerankModel | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="python -m bench.asking", description=__doc__)
    parser.add_argument("--questions", type=int, default=20, help="how many of the sample's questions (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds alone, and as many beside (default: 3)")
    parser.add_argument("--to", type=Path, default=RESULTS, help=f"default: {RESULTS.name} in bench/results")
    asked = parser.parse_args(arguments)
    out, err = Console(), Console(stderr=True)
    sample = read_sample()
    questions = [one.question for one in sample.questions[: asked.questions]]
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    world = World(read_settings().model_copy(update={**_OFFLINE, "rerank_model": "none"}))
    with bars_with_steps(err) as (part, steps), trial(world, sample.texts, Parameters(), steps) as searched:
        # Not the trial's own embedder, which keeps what it has embedded.
        embedder = world.embedding_model(Parameters().recipe)
        for name, models in _setups(world):
            done = part(name, 1)
            found[name] = measure(searched, embedder, questions, models, asked.rounds)
            done()
    asked.to.parent.mkdir(parents=True, exist_ok=True)
    asked.to.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    out.print(_table(found))
    return 0


def measure(
    searched: Searched,
    embedder: EmbeddingModel,
    questions: Sequence[str],
    models: _Models,
    rounds: int,
) -> dict[str, float]:
    """Return the milliseconds of an answer, median and 95th percentile, alone and beside busy processes.

    `cpu_ms` is what an answer takes of all cores together, which other load hardly changes.
    """
    spent = []

    def ask(question: str) -> float:
        started, before = time.perf_counter(), time.process_time()
        answer(
            searched.index,
            searched.vectors,
            embedder,
            question,
            chat=None,
            reranker=models.reranker,
            reader=models.reader,
        )
        spent.append(1000 * (time.process_time() - before))
        return 1000 * (time.perf_counter() - started)

    ask(questions[0])
    took: dict[str, list[float]] = {_ALONE: [], _BESIDE: []}
    for _ in range(rounds):
        took[_ALONE] += map(ask, questions)
        with _busy():
            took[_BESIDE] += map(ask, questions)
    found = {f"{where}_p50_ms": round(median(some), 1) for where, some in took.items()}
    found |= {
        f"{where}_p95_ms": round(quantiles(some, n=20, method="inclusive")[18], 1) for where, some in took.items()
    }
    found["cpu_ms"] = round(median(spent), 1)
    return {**found, "ratio": round(found[f"{_BESIDE}_p50_ms"] / found[f"{_ALONE}_p50_ms"], 2)}


@contextmanager
def _busy() -> Iterator[None]:
    """Keep each core busy with a process of its own."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _setups(world: World) -> Iterator[tuple[str, _Models]]:
    yield "answer", _Models()
    if reader := world.quote_model():
        yield "answer, quotations read", _Models(reader=reader)
    settings = world.settings.model_copy(update={"rerank_model": OFFLINE_RERANKING})
    try:
        yield "answer, reranked", _Models(World(settings).rerank_model())
    except RagError:
        return


def _table(found: dict[str, Any]) -> Table:
    figures = ("alone_p50_ms", "alone_p95_ms", "beside_p50_ms", "beside_p95_ms", "ratio", "cpu_ms")
    table = Table("", *(Column(name, justify="right") for name in figures), box=None)
    for name, one in found.items():
        if isinstance(one, dict):
            table.add_row(name, *(str(one[figure]) for figure in figures))
    return table


if __name__ == "__main__":
    sys.exit(main())
