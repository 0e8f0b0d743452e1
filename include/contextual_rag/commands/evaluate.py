"""How well questions find what answers them: in an index version, in a folder of texts, in chunks that are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer
from rich.markup import escape

from contextual_rag.commands.console import Json, err, fail, out, print_json, progress
from contextual_rag.commands.evaluate_inputs import answerable, questions_of, read, recipes, text_files
from contextual_rag.errors import SettingError
from contextual_rag.parameters import read_parameters
from contextual_rag.settings import validated_parameters
from contextual_rag.wiring import World, connect

if TYPE_CHECKING:
    from contextual_rag.commands.trial import Steps
    from contextual_rag.evaluation.report import Comparison, Report, Scored
    from contextual_rag.evaluation.scores import Searched
    from contextual_rag.versions.records import Manifest

__all__ = ["app", "chunks", "documents", "index"]

app = typer.Typer(
    no_args_is_help=True,
    help="Measure how well questions find what answers them, of one setup or of one against another.",
)

Ks = Annotated[list[int], typer.Option("-k", min=1, max=100, help="How many chunks are looked at; repeatable.")]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="TOML or JSON of recipe parameters. Default: the offline recipe.")
]
OtherRecipe = Annotated[Path | None, typer.Option("--against", help="A second recipe; differences are first − second.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw the figures over k to this .png or .svg file.")]

_DEFAULT_KS = [5, 10, 20]
_NOTES_SHOWN = 5

# Opens what is measured, telling how far that is.
Opened = Callable[["Steps"], AbstractContextManager["Searched"]]
# Asks an open index its questions, and says how many were asked, of how many.
Score = Callable[["Searched", Callable[[int, int], None]], "list[Scored]"]


class _Setup(NamedTuple):
    """One of the things that are measured: how it is opened, and scored by its questions."""

    label: str
    opened: Opened
    questions: Sequence[str]
    score: Score


class _Shown(NamedTuple):
    """How a result is shown, and of what it is said to be."""

    as_json: bool
    plot: Path | None
    what: str


@app.command()
def index(
    questions: Annotated[
        Path | None, typer.Option(help="JSONL of questions, as in RAG_QUESTIONS. Default: those kept in the bucket.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="Default: the current version.")] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe", help="TOML or JSON of recipe parameters: measure its essays as this would index them."
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="A second version; differences are first − second.")
    ] = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure an index version, as it answers, or what a build of its essays by another recipe would come to."""
    from contextual_rag.building.evaluate import documents as essays
    from contextual_rag.commands.trial import Text, trial
    from contextual_rag.evaluation.scores import score_spans

    shown = _shown(as_json, plot, "the index")
    world = connect()
    versions = [world.registry.resolve(name) for name in ([version] if against is None else [version, against])]
    asked = questions_of(world, questions)
    located = answerable(world, versions, asked)
    if len(located[0]) < len(asked):
        lacking = f"{len(asked) - len(located[0])} of {len(asked)} questions are left out"
        _note([f"{lacking}: the words that answer them do not stand in the essays."])

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
    folder: Annotated[Path, typer.Argument(help="A folder of .md and .txt files: the corpus.")],
    questions: Annotated[Path, typer.Option(help="CSV with the columns question, references, corpus_id.")],
    recipe: RecipeFile = None,
    against: OtherRecipe = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure a recipe on a folder of texts, with questions whose references are character ranges in them."""
    from contextual_rag.commands.trial import Text, trial
    from contextual_rag.evaluation.corpora import read_span_questions
    from contextual_rag.evaluation.scores import score_spans

    shown = _shown(as_json, plot, folder.name)
    measured = recipes(recipe, against)
    files = text_files(folder)
    asked = read_span_questions(read(questions), str(questions), files)
    unasked = sorted(files.keys() - {span.slug for question in asked.questions for span in question.references})
    _note([*asked.notes, *(f"{files[name].name}: no question is about it; it is searched too." for name in unasked)])
    world = connect()
    texts = [Text(name, file.text) for name, file in files.items()]
    wanted = [question.question for question in asked.questions]
    score = partial(score_spans, questions=asked.questions, ks=_in_order(k))
    _measure(world, [_Setup(name, partial(trial, world, texts, one), wanted, score) for name, one in measured], shown)


@app.command()
def chunks(
    file: Annotated[Path, typer.Argument(help="JSON of documents that are cut into chunks.")],
    questions: Annotated[Path, typer.Option(help="JSONL with query and golden_chunk_uuids.")],
    recipe: RecipeFile = None,
    against: OtherRecipe = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure a recipe on chunks that are given, with questions that name those which answer them."""
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
    """Measure one setup, or one against another, and show what it came to."""
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
        # All at once, and kept: asked one by one, each is found there.
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
    out.print(changed_questions(result) or "No question finds more or less of what answers it.")


def _draw(result: Report | Comparison, labels: tuple[str, str], what: str, file: Path) -> None:
    from contextual_rag.evaluation.plot import draw

    form: Literal["png", "svg"] = "svg" if file.suffix.lower() == ".svg" else "png"
    title = f"{what}: {labels[0]}" if len(set(labels)) == 1 else what
    try:
        file.write_bytes(draw(result, labels, title, form))
    except OSError as error:
        raise SettingError(f"--plot: {file} cannot be written: {error.strerror}.") from None


def _shown(as_json: bool, plot: Path | None, what: str) -> _Shown:
    """Refuse a plot that cannot be drawn before anything is measured for it."""
    if plot and plot.suffix.lower() not in {".png", ".svg"}:
        fail(f"--plot: {plot} must end in .png or .svg.")
    if plot and not plot.parent.is_dir():
        fail(f"--plot: there is no folder {plot.parent}.")
    return _Shown(as_json, plot, what)


def _in_order(ks: Sequence[int]) -> list[int]:
    return sorted(set(ks))


def _note(notes: Sequence[str]) -> None:
    for note in notes[:_NOTES_SHOWN]:
        err.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if len(notes) > _NOTES_SHOWN:
        err.print(f"[yellow]note:[/] … and {len(notes) - _NOTES_SHOWN} more like these.")
