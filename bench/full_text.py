"""The same questions of the same texts, searched by words in bm25s' arrays and in Milvus: how much the setting changes.

Writes `bench/results/full-text.json`. Milvus is the embedded one, which counts how rare a word is in each of the parts
that it keeps its rows in; a server counts over a whole collection.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rich.console import Console

from bench.progress import bars_with_steps
from bench.quality.corpora import PUBLIC, Corpus, public, sample_site
from bench.sample_site import read_sample
from bench.speed.rounds import milvus
from contextual_rag.commands.trial import Steps, trial
from contextual_rag.evaluation.report import Comparison, Report
from contextual_rag.parameters import Parameters, parsed
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World

__all__ = ["main"]

_ROOT = Path(__file__).parents[1]
_RESULTS = Path("bench/results/full-text.json")
_SHOWN = 10


class _Run(NamedTuple):
    report: Report
    first: list[list[str]]
    ms: float


def main() -> int:
    """Measure all corpora that are there."""
    parser = argparse.ArgumentParser(prog="python -m bench.full_text", description=__doc__)
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--to", type=Path, default=_ROOT, help="output folder (default: the repository)")
    asked = parser.parse_args()
    corpora = [public(name, asked.data) for name in PUBLIC if (asked.data / PUBLIC[name]).is_dir()]
    figures: dict[str, Any] = {}
    with TemporaryDirectory(prefix="bench-full-text-") as folder, milvus(Path(folder)) as (uri, _):
        offline = {"together_api_key": None, "rerank_model": "none", "milvus_uri": uri}
        world = World(read_settings().model_copy(update=offline))
        with bars_with_steps(Console(stderr=True)) as (part, steps):
            for corpus in [*corpora, sample_site(read_sample())]:
                done = part(corpus.name, 2)
                figures[corpus.name] = _compared(world, corpus, steps)
                done()
                done()
    file = asked.to / _RESULTS
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    Console().print_json(data=figures)
    return 0


def _compared(world: World, corpus: Corpus, steps: Steps) -> dict[str, Any]:
    arrays, in_milvus = (_run(world, corpus, parsed({"keyword_search": name}), steps) for name in ("bm25s", "milvus"))
    compared = Comparison(in_milvus.report, arrays.report).as_json()
    pairs = list(zip(arrays.first, in_milvus.first, strict=True))
    return {
        "chunks": arrays.report.chunks,
        "questions": len(pairs),
        "bm25s": arrays.report.means,
        "milvus": in_milvus.report.means,
        "difference": compared["difference"],
        "same_first": sum(a[:1] == b[:1] for a, b in pairs) / len(pairs),
        "same_ten": sum(len({*a} & {*b}) for a, b in pairs) / sum(len(a) for a, _ in pairs),
        "ms": {"bm25s": round(arrays.ms, 2), "milvus": round(in_milvus.ms, 2)},
    }


def _run(world: World, corpus: Corpus, parameters: Parameters, steps: Steps) -> _Run:
    with trial(world, corpus.texts, parameters, steps) as searched:
        searched.embedder.embed(corpus.questions, kind="query")
        report = Report(corpus.score(searched), chunks=len(searched.index.rows), mean_chunk_tokens=0)
        began = time.monotonic()
        first = [
            [hit.chunk.chunk_id for hit in retrieve(searched.index, searched.vectors, searched.embedder, one, k=_SHOWN)]
            for one in corpus.questions
        ]
        return _Run(report, first, 1000 * (time.monotonic() - began) / len(first))


if __name__ == "__main__":
    sys.exit(main())
