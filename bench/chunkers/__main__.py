"""Compare ways to cut each type of text: `python -m bench.chunkers` writes `chunkers.json` and `chunkers.png`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.chunkers import corpora, cuts
from contextual_rag.commands.trial import Text, trial
from contextual_rag.evaluation.report import Comparison, Report
from contextual_rag.evaluation.scores import score_spans
from contextual_rag.model import Chunk, Document
from contextual_rag.parameters import Parameters
from contextual_rag.recipe import Recipe
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World

__all__ = ["OURS", "draw", "main"]

_ROOT = Path(__file__).parents[2]
_KS = (5, 8)
OURS = "this project"
# A bar that is longer is cut off at the edge of the plot, and says how long it is.
_FURTHEST = -15


def main() -> None:
    """Measure all, or one type of text."""
    parser = argparse.ArgumentParser(prog="python -m bench.chunkers", description=__doc__)
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--to", type=Path, default=_ROOT, help="output folder (default: the repository)")
    parser.add_argument("--redraw", action="store_true", help="draw the plot again without measuring")
    asked = parser.parse_args()
    file = asked.to / "bench/results/chunkers.json"
    measured = json.loads(file.read_bytes()) if asked.redraw else _measured(asked.data)
    plot = asked.to / "docs/images/chunkers.png"
    for one in (file, plot):
        one.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    plot.write_bytes(draw(measured))


def _measured(data: Path) -> dict[str, dict[str, Any]]:
    world = World(read_settings().model_copy(update={"together_api_key": None, "rerank_model": "none"}))
    texts = {
        "code": corpora.code(data),
        "speech and encyclopedia": corpora.prose(data),
        "sample site": corpora.essays(),
        "tables": corpora.tables(),
    }
    return {name: _compared(world, of, name) for name, of in texts.items()}


def _compared(world: World, of: corpora.Texts, name: str) -> dict[str, Any]:
    embedder = world.embedding_model(Recipe())
    mean = _mean(cuts.ours(), of.documents)
    others: dict[str, cuts.Cut] = {"fixed windows": cuts.fixed(round(mean))}
    if name == "code":
        sizes = range(Recipe().chunk_size, 4 * Recipe().chunk_size, 150)
        others["blocks by syntax"] = min(
            map(cuts.by_syntax, sizes), key=lambda cut: abs(_mean(cut, of.documents) - mean)
        )
    elif name != "tables":
        others["whole sections"] = cuts.by_section()
        others["by meaning"] = cuts.by_meaning(
            lambda texts: embedder.embed(texts, kind="passage")[0], of.documents, mean, Recipe().chunk_size
        )
    base = _report(world, of.documents, of, cuts.ours())
    rows = {OURS: _row(base)}
    for way, cut in others.items():
        rows[way] = _row(_report(world, of.documents, of, cut), base)
        print(name, way, rows[way], flush=True)  # noqa: T201
    if name == "tables":
        rows["rows without the head"] = _row(
            _report(world, [_headless(one) for one in of.documents], of, cuts.ours()), base
        )
    return {"questions": len(of.questions), "ways": rows}


def _mean(cut: cuts.Cut, documents: Sequence[Document]) -> float:
    return fmean(end - start for one in documents for start, end in cut(one))


def _headless(document: Document) -> Document:
    plain = (one.model_copy(update={"head": None}) for one in document.paragraphs)
    return document.model_copy(update={"paragraphs": tuple(plain)})


def _report(world: World, documents: Sequence[Document], of: corpora.Texts, cut: cuts.Cut) -> Report:
    texts = []
    for one in documents:
        spans = (_stripped(one.text, *span) for span in cut(one))
        chunks = tuple(Chunk(start=start, end=end, text=one.text[start:end]) for start, end in spans if start < end)
        texts.append(Text(one.slug, one.text, chunks, one))
    lengths = [chunk.end - chunk.start for text in texts for chunk in text.chunks or ()]
    with trial(world, texts, Parameters(), lambda *_: None) as searched:
        searched.embedder.embed([one.question for one in of.questions], kind="query")
        scored = score_spans(searched, questions=of.questions, ks=_KS)
    return Report(scored, chunks=len(lengths), mean_chunk_tokens=fmean(lengths))


def _stripped(text: str, start: int, end: int) -> cuts.Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def _row(report: Report, base: Report | None = None) -> dict[str, Any]:
    """Return figures in percent; differences are those to `base`, with their intervals."""
    row: dict[str, Any] = {"chunks": report.chunks, "characters": round(report.mean_chunk_tokens)}
    compared = Comparison(report, base).differences if base else {}
    for k in _KS:
        name = f"recall@{k}"
        row[name] = round(100 * report.means[name], 1)
        if name in compared:
            one = compared[name]
            row[f"difference@{k}"] = [round(100 * value, 1) for value in (one.mean, *one.interval)]
    return row


def draw(measured: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return the plot as PNG: how much recall@5 each way gains or loses beside ours, by the type of text."""
    from matplotlib.figure import Figure

    rows = [
        (f"{name}: {way}", row["difference@5"])
        for name, of in measured.items()
        for way, row in of["ways"].items()
        if way != OURS
    ]
    figure = Figure(figsize=(8.5, 0.3 * len(rows) + 0.9), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for n, (_, (mean, low, high)) in enumerate(rows):
        colour = "#9a9a9a" if low <= 0 <= high else "#d55e00" if high < 0 else "#0072b2"
        axes.barh(n, mean, height=0.6, color=colour)
        axes.plot([low, high], [n, n], color="#333333", linewidth=1)
    for n, (_, (mean, *_)) in enumerate(rows):
        if mean < _FURTHEST:
            axes.text(_FURTHEST + 0.2, n, f"{mean:.0f}", color="white", va="center", fontsize=8)
    axes.set_xlim(_FURTHEST, 10)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=9)
    axes.invert_yaxis()
    axes.axvline(0, color="#333333", linewidth=0.8)
    axes.set_xlabel(
        "recall@5, points more or less than this project finds; grey if the interval contains 0", fontsize=9
    )
    axes.spines[["top", "right"]].set_visible(False)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=200, metadata={"Software": None})
    return picture.getvalue()


if __name__ == "__main__":
    main()
