"""Ask about short essays in six languages, offline: each language by itself, then all together with English essays.

The essays were written for this. Their questions are in two halves of the same mix: one for work, the other shows
whether that work helps with questions that nobody looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.progress import bars_with_steps
from bench.sample_site import Sample, read_sample
from contextual_rag.commands.evaluate_answer_tables import failures
from contextual_rag.commands.evaluate_answers import ask_all
from contextual_rag.commands.trial import Steps, Text, trial
from contextual_rag.evaluation.answers import AnswerReport
from contextual_rag.evaluation.datasets import Question, read_questions
from contextual_rag.evaluation.scores import score_spans
from contextual_rag.model import Document
from contextual_rag.parameters import parsed
from contextual_rag.pipeline.plain import read_text
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World

__all__ = ["FIGURES", "LANGUAGES", "main", "sample_of"]

LANGUAGES: Final = ("de", "fr", "es", "ru", "zh", "ar")
_FOLDER: Final = Path(__file__).parent
_RESULTS: Final = Path("bench/results/languages.json")
_HALVES: Final = ("work", "last")
# With the usual size, each of these short essays would be one chunk, and five of six would always be found.
_SIZE: Final = 400
_SEARCHED: Final = ("recall@5", "mrr@5")
FIGURES: Final = {
    "recall@5": "recall@5",
    "mrr@5": "mrr@5",
    "answered": "answered",
    "answered_first": "in the first quotation",
    "silent": "silent on other subjects",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.languages", description=__doc__)
    parser.add_argument("--half", choices=_HALVES, help="measure only this half, and write nothing")
    parser.add_argument("--failures", action="store_true", help="also list what failed")
    parser.add_argument("--to", type=Path, default=_FOLDER.parents[1], help="output folder (default: the repository)")
    asked = parser.parse_args(arguments)
    out, err = Console(), Console(stderr=True)
    found: dict[str, Any] = {}
    # Any key or model in the environment is ignored: everybody can try the offline answers.
    offline = {"together_api_key": None, "rerank_model": "none", "chat_model": ""}
    world = World(read_settings().model_copy(update=offline))
    with bars_with_steps(err) as (part, steps):
        for half in [asked.half] if asked.half else _HALVES:
            done = part(half, len(LANGUAGES) + 1)
            samples = {language: sample_of(language, half) for language in LANGUAGES}
            alone: Measured = {}
            for language, sample in samples.items():
                alone |= _measured(world, sample.documents, {language: sample}, steps)
                done()
            english = read_sample()
            every = [*english.documents, *(one for sample in samples.values() for one in sample.documents)]
            together = _measured(world, every, {**samples, "en": english}, steps)
            done()
            found[half] = {"alone": _figures(alone), "together": _figures(together)}
            for name, reports in (("alone", alone), ("together", together)):
                out.print(_table(f"{half}, {name}", found[half][name]))
                if asked.failures:
                    for language, (_, report) in reports.items():
                        if language != "en" and (table := failures(report)):
                            out.print(language, table)
    if not asked.half:
        file = asked.to / _RESULTS
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def sample_of(language: str, half: str) -> Sample:
    """Return the essays of a language with a half of their questions."""
    texts = (_FOLDER / "texts" / f"{language}.md").read_text(encoding="utf-8").removeprefix("# ").split("\n\n# ")
    documents = tuple(read_text(f"{language}-{n}", f"# {text}") for n, text in enumerate(texts, 1))
    file = _FOLDER / half / f"{language}.jsonl"
    questions = tuple(read_questions(file.read_bytes(), file.name))
    own = tuple(one for one in questions if one.references)
    return Sample(documents, own, (), tuple(one.question for one in questions if one.is_unanswerable), ())


Measured = dict[str, tuple[dict[str, float], AnswerReport]]


def _measured(world: World, documents: Sequence[Document], samples: dict[str, Sample], steps: Steps) -> Measured:
    texts = [Text(document.slug, document.text, document=document) for document in documents]
    reports = {}
    with trial(world, texts, parsed({"chunk_size": _SIZE}), steps) as searched:
        for language, sample in samples.items():
            scored = score_spans(searched, questions=sample.located(), ks=(5,))
            asked = [
                *(one for one in sample.questions if one.judges_answers),
                *(Question(question=one, kind="foreign") for one in sample.foreign),
            ]
            report = ask_all(world, searched.index, searched.vectors, asked, steps)
            reports[language] = {name: fmean(one.figures[name] for one in scored) for name in _SEARCHED}, report
    return reports


def _figures(reports: Measured) -> dict[str, dict[str, float]]:
    return {
        language: {name: round(mean, 4) for name, mean in searched.items()}
        | {name: value for name, value in AnswerReport.of(report.answers).items() if name in FIGURES}
        for language, (searched, report) in reports.items()
    }


def _table(title: str, found: dict[str, dict[str, float]]) -> Table:
    table = Table(title=title)
    for heading in ("", *FIGURES.values()):
        table.add_column(heading, justify="right")
    for language, figures in [*found.items(), ("mean", _mean(found))]:
        table.add_row(language, *_cells(figures))
    return table


def _mean(found: dict[str, dict[str, float]]) -> dict[str, float]:
    others = [figures for language, figures in found.items() if language != "en"]
    return {name: fmean(one[name] for one in others) for name in FIGURES}


def _cells(figures: dict[str, float]) -> Iterator[str]:
    for name in FIGURES:
        yield f"{100 * figures[name]:.0f}" if name in figures else ""


if __name__ == "__main__":
    sys.exit(main())
