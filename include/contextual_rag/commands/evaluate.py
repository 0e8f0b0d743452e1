"""Measures how well questions find their answers: in an index version, in a folder of texts, or in given chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer
from rich.markup import escape

from contextual_rag.commands.console import Json, err, fail, out, print_json, progress
from contextual_rag.commands.evaluate_answers import answers
from contextual_rag.commands.evaluate_inputs import answerable, questions_of, read, recipes, text_files
from contextual_rag.errors import SettingError
from contextual_rag.extras import needs
from contextual_rag.noun import noun
from contextual_rag.parameters import read_parameters, validated_parameters
from contextual_rag.wiring import World, connect

if TYPE_CHECKING:
    from contextual_rag.commands.trial import Steps
    from contextual_rag.evaluation.report import Comparison, Report, Scored
    from contextual_rag.evaluation.scores import Searched
    from contextual_rag.versions.records import Manifest

__all__ = ["app", "chunks", "documents", "index"]

app = typer.Typer(
    no_args_is_help=True,
    help="Measure how well questions find their answers, and how good the answers are.",
)
app.command()(answers)

Ks = Annotated[list[int], typer.Option("-k", min=1, max=100, help="How many chunks count; repeatable.")]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="A TOML or JSON file of parameters. Default: the offline recipe.")
]
OtherRecipe = Annotated[Path | None, typer.Option("--against", help="A second recipe. Differences are first − second.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw the figures over k to this .png or .svg file.")]

_DEFAULT_KS = [5, 10, 20]
_NOTES_SHOWN = 5

# Opens the index to measure, and reports progress.
Opened = Callable[["Steps"], AbstractContextManager["Searched"]]
# Asks an open index its questions, and reports progress.
Score = Callable[["Searched", Callable[[int, int], None]], "list[Scored]"]


class _Setup(NamedTuple):
    """One index to measure: how to open it, its questions, and how to score them."""

    label: str
    opened: Opened
    questions: Sequence[str]
    score: Score


class _Shown(NamedTuple):
    """How a result is shown; `what` names what was measured."""

    as_json: bool
    plot: Path | None
    what: str


@app.command()
def index(
    questions: Annotated[
        Path | None, typer.Option(help="A JSONL file, as RAG_QUESTIONS. Default: the questions in the bucket.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="Default: the current version.")] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", help="A TOML or JSON file of parameters: measure as if a build had used it."),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="A second version. Differences are first − second.")
    ] = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure an index version as it answers, or its documents as another recipe would index them."""
    from contextual_rag.building.evaluate import documents as essays
    from contextual_rag.commands.trial import Text, trial
    from contextual_rag.evaluation.scores import score_spans

    shown = _shown(as_json, plot, "the index")
    world = connect()
    versions = [world.registry.resolve(name) for name in ([version] if against is None else [version, against])]
    asked = [question for question in questions_of(world, questions) if question.references]
    located = answerable(world, versions, asked)
    if len(located[0]) < len(asked):
        lacking = f"{len(asked) - len(located[0])} of {len(asked)} questions are left out"
        _note([f"{lacking}: the {noun().many} do not contain the words that answer them."])

    opened: list[tuple[str, Opened]] = [
        (manifest.version, partial(_published, world, manifest)) for manifest in versions
    ]
    if recipe:
        wanted = validated_parameters(world.settings, **read_parameters(recipe))
        texts = [Text(document.slug, document.text, document=document) for document in essays(world.store, versions[0])]
        opened[0] = (f"{versions[0].version} by {recipe.name}", partial(trial, world, texts, wanted))
    setups = [
        _Setup(name, open_, [one.question for one in there], partial(score_spans, questions=there, ks=_in_order(k)))
        for (name, open_), there in zip(opened, located, strict=True)
    ]
    _measure(world, setups, shown)


@app.command()
def documents(
    folder: Annotated[Path, typer.Argument(help="The corpus: a folder of .md and .txt files.")],
    questions: Annotated[Path, typer.Option(help="A CSV file with the columns question, references, corpus_id.")],
    recipe: RecipeFile = None,
    against: OtherRecipe = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure a recipe on a folder of texts. The references of the questions are character ranges in them."""
    from contextual_rag.commands.trial import Text, trial
    from contextual_rag.evaluation.corpora import read_span_questions
    from contextual_rag.evaluation.scores import score_spans

    shown = _shown(as_json, plot, folder.name)
    measured = recipes(recipe, against)
    files = text_files(folder)
    asked = read_span_questions(read(questions), str(questions), files)
    unasked = sorted(files.keys() - {span.slug for question in asked.questions for span in question.references})
    _note([*asked.notes, *(f"{files[name].name}: no question is about it. It is searched too." for name in unasked)])
    world = connect()
    texts = [Text(name, file.text) for name, file in files.items()]
    wanted = [question.question for question in asked.questions]
    score = partial(score_spans, questions=asked.questions, ks=_in_order(k))
    _measure(world, [_Setup(name, partial(trial, world, texts, one), wanted, score) for name, one in measured], shown)


@app.command()
def chunks(
    file: Annotated[Path, typer.Argument(help="A JSON file of documents with their chunks.")],
    questions: Annotated[Path, typer.Option(help="A JSONL file with query and golden_chunk_uuids.")],
    recipe: RecipeFile = None,
    against: OtherRecipe = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure a recipe on given chunks, with questions that name the chunks that answer them."""
    from contextual_rag.commands.trial import Text, trial
    from contextual_rag.evaluation.corpora import read_chunked, read_golden_questions
    from contextual_rag.evaluation.scores import score_texts

    shown = _shown(as_json, plot, file.name)
    measured = recipes(recipe, against)
    given = read_chunked(read(file), str(file))
    golden = read_golden_questions(read(questions), str(questions), given.documents)
    _note(given.notes)
    world = connect()
    texts = [Text(document.slug, document.text, document.chunks) for document in given.documents]
    wanted = [question.question for question in golden]
    score = partial(score_texts, questions=golden, ks=_in_order(k))
    _measure(world, [_Setup(name, partial(trial, world, texts, one), wanted, score) for name, one in measured], shown)


def _published(world: World, version: Manifest, _: Steps) -> AbstractContextManager[Searched]:
    from contextual_rag.commands.trial import published

    return nullcontext(published(world, version))


def _measure(world: World, setups: Sequence[_Setup], shown: _Shown) -> None:
    """Measure one setup, or two in comparison, and show the result."""
    from contextual_rag.evaluation.report import Comparison

    reports = []
    with progress() as report:
        for name, setup in zip("ab", setups, strict=False):
            mark = f"{name}: " if len(setups) > 1 else ""
            reports.append(_report(world, setup, partial(_step, report, mark)))
    result = reports[0] if len(reports) == 1 else Comparison(*reports)
    labels = (setups[0].label, setups[-1].label)
    if shown.plot:
        _draw(result, labels, shown.what, shown.plot)
    if shown.as_json:
        print_json(result.as_json())
    else:
        _print(result, labels, shown.what)


def _report(world: World, setup: _Setup, steps: Steps) -> Report:
    from contextual_rag.evaluation.report import Report

    with setup.opened(steps) as searched:
        steps("questions", 0, len(setup.questions))
        # All in one call. The results are cached, so each question is then found there.
        searched.embedder.embed(setup.questions, kind="query")
        scored = setup.score(searched, partial(steps, "questions"))
        texts = [chunk.text for slug in searched.index.essays for chunk in searched.index.essay(slug)]
    tokens = world.count_tokens(texts)
    return Report(scored, chunks=len(texts), mean_chunk_tokens=sum(tokens) / len(tokens))


def _step(report: Steps, mark: str, step: str, done: int, of: int) -> None:
    report(f"{mark}{step}", done, of)


def _print(result: Report | Comparison, labels: tuple[str, str], what: str) -> None:
    from contextual_rag.commands.evaluate_tables import changed_questions, compared, figures, in_a_line
    from contextual_rag.evaluation.report import Report

    if isinstance(result, Report):
        out.print(figures(result, f"{what}, {labels[0]}"))
        out.print(f"[dim]{in_a_line(result)}[/]")
        return
    out.print(compared(result))
    for name, label, report in zip("ab", labels, (result.a, result.b), strict=True):
        out.print(f"[dim]{name}, {escape(label)}: {in_a_line(report)}[/]")
    out.print(changed_questions(result) or "No question finds more or less of its answer.")


def _draw(result: Report | Comparison, labels: tuple[str, str], what: str, file: Path) -> None:
    needs("plots")
    from contextual_rag.evaluation.plot import draw

    form: Literal["png", "svg"] = "svg" if file.suffix.lower() == ".svg" else "png"
    title = f"{what}: {labels[0]}" if len(set(labels)) == 1 else what
    try:
        file.write_bytes(draw(result, labels, title, form))
    except OSError as error:
        raise SettingError(f"--plot: {file} cannot be written: {error.strerror}.") from None


def _shown(as_json: bool, plot: Path | None, what: str) -> _Shown:
    """Refuse a plot that cannot be written, before anything is measured."""
    if plot and plot.suffix.lower() not in {".png", ".svg"}:
        fail(f"--plot: {plot} must end in .png or .svg.")
    if plot and not plot.parent.is_dir():
        fail(f"--plot: the folder {plot.parent} does not exist.")
    return _Shown(as_json, plot, what)


def _in_order(ks: Sequence[int]) -> list[int]:
    return sorted(set(ks))


def _note(notes: Sequence[str]) -> None:
    for note in notes[:_NOTES_SHOWN]:
        err.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if len(notes) > _NOTES_SHOWN:
        err.print(f"[yellow]note:[/] … and {len(notes) - _NOTES_SHOWN} more like these.")
