"""Measure retrieval on all available data; write `quality.json`, the page and the plot, and print a table."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.progress import bars_with_steps
from bench.quality.ablation import applied
from bench.quality.corpora import PUBLIC, Corpus, public, sample_site
from bench.quality.figures import Quality
from bench.quality.measure import count_setups, measure, measure_conversation, packages
from bench.quality.page import page
from bench.quality.plot import draw
from bench.quality.speed import measure_speed
from bench.quality.summary import summary
from bench.sample_site import Sample, read_sample
from contextual_rag.errors import RagError
from contextual_rag.parameters import Parameters
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World

__all__ = ["main"]

_ROOT = Path(__file__).parents[2]
_RESULTS, _PAGE, _PLOT = Path("bench/results/quality.json"), Path("docs/quality.md"), Path("docs/images/quality.png")
_ALL = (*PUBLIC, "sample", "speed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the selected parts; return 1 after an error."""
    asked = _arguments(arguments)
    out, err = Console(), Console(stderr=True)
    began = time.monotonic()
    try:
        quality = _kept(asked.to / _RESULTS) if asked.redraw else _measured(asked, read_sample(), err)
    except RagError as error:
        err.print(f"error: {error}", style="red", markup=False, highlight=False)
        return 1
    _write(quality, asked.to)
    out.print(summary(quality))
    out.print(
        f"{_RESULTS}, {_PAGE} and {_PLOT}, after {time.monotonic() - began:.0f} s", highlight=False, soft_wrap=True
    )
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=_ALL, default=_ALL, metavar="PART", help=f"of {', '.join(_ALL)}")
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument(
        "--chunks", type=int, default=10_000, help="number of chunks for the speed test (default: %(default)s)"
    )
    parser.add_argument(
        "--questions", type=int, default=500, help="number of questions for the speed test (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--to", type=Path, default=_ROOT, help="output folder (default: the repository)")
    parser.add_argument("--redraw", action="store_true", help="write page and plot from quality.json without measuring")
    asked = parser.parse_args(arguments)
    if len(set(asked.only)) < len(_ALL) and asked.to == _ROOT:
        parser.error("--only measures a part only, so the page of the repository is not written. Set --to to a folder.")
    return asked


def _measured(asked: argparse.Namespace, sample: Sample, err: Console) -> Quality:
    # Ignore any key or model in the environment: everybody can try the offline recipe.
    offline = {"together_api_key": None, "rerank_model": "none"}
    world, default = World(read_settings().model_copy(update=offline)), Parameters()
    parts = applied(default)
    corpora, absent = _corpora(asked, sample)
    for note in absent:
        err.print(f"note: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    with bars_with_steps(err) as (part, steps):
        measured = {}
        for corpus in corpora:
            done = part(corpus.name, count_setups(corpus, parts))
            measured[corpus.name] = measure(world, corpus, default, parts, steps=steps, done=done)
        conversation, speed = None, None
        if "sample" in asked.only:
            done = part("follow-ups", 1)
            conversation = measure_conversation(world, sample, default, steps)
            done()
        if "speed" in asked.only:
            done = part("speed", 1)
            sizes = {"chunks": asked.chunks, "questions": asked.questions, "seed": asked.seed}
            speed = measure_speed(world, sample, **sizes, steps=steps)
            done()
    return Quality(
        recipe={**default.recipe.model_dump(mode="json"), **default.ranking.model_dump(mode="json")},
        packages=packages(),
        corpora=measured,
        conversation=conversation,
        speed=speed,
    )


def _corpora(asked: argparse.Namespace, sample: Sample) -> tuple[list[Corpus], list[str]]:
    """Return the selected corpora, and a note on each missing one."""
    corpora, absent = [], []
    for name in [name for name in PUBLIC if name in asked.only]:
        if (asked.data / PUBLIC[name]).is_dir():
            corpora.append(public(name, asked.data))
        else:
            absent.append(f"{name} is skipped: there is no folder {asked.data / PUBLIC[name]}.")
    return [*corpora, *([sample_site(sample)] if "sample" in asked.only else [])], absent


def _write(quality: Quality, folder: Path) -> None:
    for file in (_RESULTS, _PAGE, _PLOT):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / _RESULTS).write_text(json.dumps(quality.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    (folder / _PAGE).write_text(page(quality), encoding="utf-8")
    (folder / _PLOT).write_bytes(draw(quality))


def _kept(file: Path) -> Quality:
    return Quality.model_validate_json(file.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
