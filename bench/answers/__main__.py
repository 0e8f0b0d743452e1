"""Ask questions about 25 real essays, a speech and an encyclopedia, offline, and print figures by kinds of questions.

The questions are in two halves, of the same mix. One is for work on the answers. The other shows whether that work
helps with questions that nobody looked at: choose nothing by it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.progress import bars_with_steps
from contextual_rag.commands.evaluate_answer_tables import failures, figures, kinds
from contextual_rag.commands.evaluate_answers import ask_all
from contextual_rag.commands.evaluate_inputs import read, text_files
from contextual_rag.commands.trial import Text, trial
from contextual_rag.errors import RagError
from contextual_rag.evaluation.answers import AnswerReport
from contextual_rag.evaluation.datasets import read_questions
from contextual_rag.parameters import Parameters
from contextual_rag.readers.html import parse_document
from contextual_rag.readers.index_page import read_index
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World

__all__ = ["main", "texts"]

_ROOT = Path(__file__).parents[2]
_HALVES = ("work", "last")
_ESSAYS, _OTHERS = "paulgraham_site", "chroma_chunking"
_CODE = Path("anthropic_contextual") / "codebase_chunks.json"
_RESULTS = Path("bench/results")
# The addresses of the essays do not matter, but an index page has one.
_SOURCE = "https://essays.example/articles.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the halves; return 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m bench.answers", description=__doc__)
    parser.add_argument("--half", choices=_HALVES, help="measure only this half, and write nothing")
    parser.add_argument(
        "--large", action="store_true", help="other questions, in other words than the essays', among 90 more documents"
    )
    parser.add_argument(
        "--readers", action="store_true", help="questions as different readers ask them, among the same documents"
    )
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--to", type=Path, default=_ROOT, help="output folder (default: the repository)")
    parser.add_argument("--save", type=Path, help="keep full results here, for `rag evaluate answers --result`")
    parser.add_argument("--failures", action="store_true", help="also list what failed")
    asked = parser.parse_args(arguments)
    out, err = Console(), Console(stderr=True)
    if lacking := [name for name in (_ESSAYS, _OTHERS) if not (asked.data / name).is_dir()]:
        err.print(f"Nothing is measured: {asked.data} has no {' and no '.join(lacking)}.", style="yellow")
        return 0
    name = "readers" if asked.readers else "large" if asked.large else ""
    try:
        folder = Path(__file__).parent / name
        documents = [*texts(asked.data), *(_code(asked.data) if name else ())]
        reports = _measured(documents, folder, [asked.half] if asked.half else _HALVES, err)
    except RagError as error:
        err.print(f"error: {error}", style="red", markup=False, highlight=False)
        return 1
    for half, report in reports.items():
        out.print(f"\n[bold]{half}[/]")
        out.print(figures(report))
        out.print(kinds(report))
        if asked.failures and (table := failures(report)):
            out.print(table)
        if asked.save:
            asked.save.mkdir(parents=True, exist_ok=True)
            _write(asked.save / f"{half}.json", report.as_json())
    if not asked.half:
        file = f"answers-{name}.json" if name else "answers.json"
        _write(asked.to / _RESULTS / file, {half: _without_texts(report) for half, report in reports.items()})
    return 0


def texts(data: Path) -> list[Text]:
    """Return the essays, as a build reads their pages, and the other texts."""
    folder = data / _ESSAYS
    entries = read_index(read(folder / "articles.html"), _SOURCE).entries
    pages = {entry: folder / f"{entry.slug}.html" for entry in entries}
    essays = [parse_document(read(page), entry) for entry, page in pages.items() if page.is_file()]
    others = {name: file for name, file in text_files(data / _OTHERS).items() if name != "README"}
    return [
        *(Text(document.slug, document.text, document=document) for document in essays),
        *(Text(name, file.text) for name, file in others.items()),
    ]


def _code(data: Path) -> list[Text]:
    documents = json.loads(read(data / _CODE)) if (data / _CODE).is_file() else []
    return [Text(f"{n}-{one['doc_id']}", one["content"]) for n, one in enumerate(documents)]


def _measured(documents: list[Text], folder: Path, halves: Sequence[str], err: Console) -> dict[str, AnswerReport]:
    # Any key or model in the environment is ignored: everybody can try the offline answers.
    offline = {"together_api_key": None, "rerank_model": "none", "chat_model": ""}
    world = World(read_settings().model_copy(update=offline))
    reports = {}
    with bars_with_steps(err) as (part, steps):
        done = part("index", 1)
        with trial(world, documents, Parameters(), steps) as searched:
            done()
            for half in halves:
                done = part(half, 1)
                file = folder / f"{half}.jsonl"
                questions = read_questions(read(file), file.name)
                reports[half] = ask_all(world, searched.index, searched.vectors, questions, steps)
                done()
    return reports


def _without_texts(report: AnswerReport) -> dict[str, Any]:
    """Return the figures alone: the answers quote texts that are not the project's."""
    left = {"answers", "version", "judge", "judge_cost_usd"}
    return {name: value for name, value in report.as_json().items() if name not in left}


def _write(file: Path, value: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
