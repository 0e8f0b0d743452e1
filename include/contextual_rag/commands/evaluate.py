"""How well questions find what answers them: in an index version, in a folder of texts, in chunks that are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer
from rich.markup import escape

from contextual_rag.commands.console import Json, err, fail, out, print_json, progress
from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.recipe import Recipe
from contextual_rag.wiring import World, connect

if TYPE_CHECKING:
    from contextual_rag.evaluation.corpora import SpanQuestion, TextFile
    from contextual_rag.evaluation.datasets import Question
    from contextual_rag.evaluation.report import Comparison, Report, Scored
    from contextual_rag.evaluation.scores import Searched
    from contextual_rag.model import Manifest
    from contextual_rag.stages.trial import Text

__all__ = ["app", "chunks", "documents", "index"]

app = typer.Typer(
    no_args_is_help=True,
    help="Measure how well questions find what answers them, of one setup or of one against another.",
)

Ks = Annotated[list[int], typer.Option("-k", min=1, max=1000, help="How many chunks are looked at; repeatable.")]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="TOML or JSON of recipe parameters. Default: the offline recipe.")
]
OtherRecipe = Annotated[Path | None, typer.Option("--against", help="A second recipe; differences are first − second.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw the figures over k to this .png or .svg file.")]

_DEFAULT_KS = [5, 10, 20]
_NOTES_SHOWN = 5
_TEXTS = (".md", ".txt")

# Told how far a step is: its name, how many are done, of how many.
Steps = Callable[[str, int, int], None]


class _Setup(NamedTuple):
    """One of the things that are measured, and how that is done."""

    label: str
    measure: Callable[[Steps], Report]


class _Shown(NamedTuple):
    """How a result is shown."""

    as_json: bool
    plot: Path | None


@app.command()
def index(
    questions: Annotated[
        Path | None, typer.Option(help="JSONL of questions, as in RAG_QUESTIONS. Default: those kept in the bucket.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="Default: the current version.")] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="A second version; differences are first − second.")
    ] = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure an index version, as it answers."""
    shown = _shown(as_json, plot)
    world = connect()
    versions = [world.registry.resolve(name) for name in ([version] if against is None else [version, against])]
    asked = _answerable(world, versions, _kept_questions(world, questions))
    setups = [
        _Setup(manifest.version, partial(_measure_version, world, manifest, located, _in_order(k)))
        for manifest, located in zip(versions, asked, strict=True)
    ]
    _measure(setups, shown, "the index")


@app.command()
def documents(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of .md and .txt files: the corpus.")],
    questions: Annotated[Path, typer.Option(help="CSV with the columns question, references, corpus_id.")],
    recipe: RecipeFile = None,
    against: OtherRecipe = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure a recipe on a folder of texts, with questions whose references are character ranges in them."""
    from contextual_rag.evaluation.corpora import read_span_questions
    from contextual_rag.evaluation.scores import score_spans
    from contextual_rag.stages.trial import Text

    shown, ks = _shown(as_json, plot), _in_order(k)
    recipes = _recipes(recipe, against)
    files = _text_files(folder)
    read = read_span_questions(_read(questions), str(questions), files)
    unasked = files.keys() - {span.slug for question in read.questions for span in question.references}
    _note([*read.notes, *(f"{files[name].name}: no question is about it; it is searched too." for name in unasked)])
    texts = [Text(name, file.text) for name, file in files.items()]

    def score(searched: Searched, asked: Callable[[int, int], None]) -> list[Scored]:
        return score_spans(searched, read.questions, ks, asked)

    world, wanted = connect(), [question.question for question in read.questions]
    _measure([_of_recipe(world, texts, wanted, one, score) for one in recipes], shown, folder.name)


@app.command()
def chunks(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON of documents that are cut into chunks.")],
    questions: Annotated[Path, typer.Option(help="JSONL with query and golden_chunk_uuids.")],
    recipe: RecipeFile = None,
    against: OtherRecipe = None,
    k: Ks = _DEFAULT_KS,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Measure a recipe on chunks that are given, with questions that name those which answer them."""
    from contextual_rag.evaluation.corpora import read_chunked, read_golden_questions
    from contextual_rag.evaluation.scores import score_texts
    from contextual_rag.stages.trial import Text

    shown, ks = _shown(as_json, plot), _in_order(k)
    recipes = _recipes(recipe, against)
    read = read_chunked(_read(file), str(file))
    golden = read_golden_questions(_read(questions), str(questions), read.documents)
    _note(read.notes)
    texts = [Text(document.slug, document.text, document.chunks) for document in read.documents]

    def score(searched: Searched, asked: Callable[[int, int], None]) -> list[Scored]:
        return score_texts(searched, golden, ks, asked)

    world, wanted = connect(), [question.question for question in golden]
    _measure([_of_recipe(world, texts, wanted, one, score) for one in recipes], shown, file.name)


def _measure_version(
    world: World, manifest: Manifest, questions: Sequence[SpanQuestion], ks: Sequence[int], steps: Steps
) -> Report:
    from contextual_rag.evaluation.report import Report
    from contextual_rag.evaluation.scores import score_spans
    from contextual_rag.stages.trial import version

    searched = version(world, manifest)
    searched.embedder.embed([question.question for question in questions], kind="query")
    scored = score_spans(searched, questions, ks, partial(steps, "questions"))
    texts = [chunk.text for slug in searched.index.essays for chunk in searched.index.essay(slug)]
    return Report(scored, chunks=len(texts), mean_chunk_tokens=_mean_tokens(world, texts))


def _of_recipe(
    world: World,
    texts: Sequence[Text],
    questions: Sequence[str],
    recipe: tuple[str, Recipe],
    score: Callable[[Searched, Callable[[int, int], None]], list[Scored]],
) -> _Setup:
    """Return a setup that indexes the texts by a recipe and asks the questions."""
    from contextual_rag.evaluation.report import Report
    from contextual_rag.stages.trial import trial

    label, parameters = recipe

    def measure(steps: Steps) -> Report:
        with trial(world, texts, parameters, steps) as searched:
            # At once, and kept: asked one by one, each is found there.
            searched.embedder.embed(questions, kind="query")
            scored = score(searched, partial(steps, "questions"))
            found = [chunk.text for slug in searched.index.essays for chunk in searched.index.essay(slug)]
        return Report(scored, chunks=len(found), mean_chunk_tokens=_mean_tokens(world, found))

    return _Setup(label, measure)


def _mean_tokens(world: World, texts: Sequence[str]) -> float:
    return sum(world.count_tokens(texts)) / len(texts) if texts else 0.0


def _measure(setups: Sequence[_Setup], shown: _Shown, what: str) -> None:
    """Measure one setup, or one against another, and show what it came to."""
    from contextual_rag.evaluation.report import Comparison

    reports = []
    with progress() as report:
        for name, setup in zip("ab", setups, strict=False):
            mark = f"{name}: " if len(setups) > 1 else ""
            reports.append(setup.measure(partial(_step, report, mark)))
    result = reports[0] if len(reports) == 1 else Comparison(*reports)
    labels = (setups[0].label, setups[-1].label)
    if shown.plot:
        _draw(result, labels, what, shown.plot)
    if shown.as_json:
        print_json(result.as_json())
    else:
        _print(result, labels, what)


def _step(report: Steps, mark: str, step: str, done: int, of: int) -> None:
    report(f"{mark}{step}", done, of)


def _print(result: Report | Comparison, labels: tuple[str, str], what: str) -> None:
    from contextual_rag.commands.evaluate_tables import changed_questions, compared, figures, in_a_line
    from contextual_rag.evaluation.report import Report

    if isinstance(result, Report):
        out.print(figures(result, f"{what}, {labels[0]}"))
        out.print(f"[dim]{in_a_line(result)}[/]")
        return
    out.print(compared(result, labels))
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


def _shown(as_json: bool, plot: Path | None) -> _Shown:
    """Refuse a plot that cannot be drawn before anything is measured for it."""
    if plot and plot.suffix.lower() not in {".png", ".svg"}:
        fail(f"--plot: {plot} must end in .png or .svg.")
    if plot and not plot.parent.is_dir():
        fail(f"--plot: there is no folder {plot.parent}.")
    return _Shown(as_json, plot)


def _in_order(ks: Sequence[int]) -> list[int]:
    return sorted(set(ks))


def _recipes(first: Path | None, second: Path | None) -> list[tuple[str, Recipe]]:
    from contextual_rag.evaluation.recipes import read_recipe

    named = [("default recipe", Recipe())] if first is None else [(first.name, read_recipe(_read(first), str(first)))]
    return named if second is None else [*named, (second.name, read_recipe(_read(second), str(second)))]


def _text_files(folder: Path) -> dict[str, TextFile]:
    """Return the texts of a folder by their names without .md or .txt, in the order of these."""
    from contextual_rag.evaluation.corpora import read_text_file

    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _TEXTS and path.is_file())
    except OSError as error:
        raise SettingError(f"The folder {folder} cannot be read: {error.strerror}.") from None
    if not paths:
        raise SettingError(f"The folder {folder} has no file that ends in .md or .txt.")
    files: dict[str, TextFile] = {}
    for path in paths:
        if path.stem in files:
            raise CorruptObjectError(
                f"{path} and {files[path.stem].name} are both the corpus {path.stem!r}; rename or remove one of them."
            )
        files[path.stem] = read_text_file(_read(path), str(path))
    return files


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}.") from None


def _kept_questions(world: World, file: Path | None) -> list[Question]:
    from contextual_rag import keys
    from contextual_rag.evaluation.datasets import read_questions

    if file:
        name, body = str(file), _read(file)
    else:
        kept = world.store.get(keys.QUESTIONS)
        if kept is None:
            raise SettingError(
                "No questions are kept in the bucket. Name a file of them with --questions, or have RAG_QUESTIONS name "
                "it when the index is built."
            )
        name, body = keys.QUESTIONS, kept.body
    questions = read_questions(body, name)
    if not questions:
        raise CorruptObjectError(f"{name} has no questions. Each line is one, as JSON.")
    return questions


def _answerable(world: World, versions: Sequence[Manifest], questions: Sequence[Question]) -> list[list[SpanQuestion]]:
    """Return, for each version, the questions that all of them can answer, with where the answers stand in it."""
    from contextual_rag.stages.evaluate import locate_all

    located = [locate_all(world.store, version, questions) for version in versions]
    kept = [n for n in range(len(questions)) if all(one[n] for one in located)]
    if not kept:
        names = " and ".join(version.version for version in versions)
        raise CorruptObjectError(
            f"None of the {len(questions)} questions can be answered by {names}: the words of their references do not "
            "stand in its essays. Ask questions about these essays with --questions."
        )
    if len(kept) < len(questions):
        _note(
            [
                f"{len(questions) - len(kept)} of {len(questions)} questions are left out: the words that answer them "
                "do not stand in the essays."
            ]
        )
    return [[found for n in kept if (found := one[n])] for one in located]


def _note(notes: Sequence[str]) -> None:
    for note in notes[:_NOTES_SHOWN]:
        err.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if len(notes) > _NOTES_SHOWN:
        err.print(f"[yellow]note:[/] … and {len(notes) - _NOTES_SHOWN} more like these.")
