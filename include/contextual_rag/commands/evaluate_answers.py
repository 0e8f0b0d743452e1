"""`rag evaluate answers`: whether answers are right, cited and supported, and whether the rest is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from contextual_rag.commands.console import Json, err, fail, out, print_json, progress, say_offline
from contextual_rag.commands.evaluate_inputs import questions_of, read
from contextual_rag.errors import CorruptObjectError, SettingError
from contextual_rag.roles import OFFLINE_ANSWERS
from contextual_rag.wiring import World, connect

if TYPE_CHECKING:
    from contextual_rag.commands.trial import Steps
    from contextual_rag.evaluation.answers import AnswerReport, Outcome
    from contextual_rag.evaluation.datasets import Question
    from contextual_rag.ports import Index, VectorStore

__all__ = ["answers", "ask_all"]

_RESULT = ".json"


def answers(
    questions: Annotated[
        Path | None,
        typer.Option(help="A JSONL file, as RAG_QUESTIONS. Default: the questions in the bucket."),
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="Default: the current version.")] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="A second version, or a stored .json result. Differences are first − second."),
    ] = None,
    result: Annotated[
        Path | None, typer.Option("--result", help="A stored .json result, instead of asking: what --json printed.")
    ] = None,
    judged: Annotated[
        bool,
        typer.Option("--judge", help="Let the chat model check the citations too. This takes a few calls a question."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask questions and check the answers: right, cited and supported, or rightly none. Store --json to compare later.

    The questions say which words a right answer holds, or that the documents do not answer them. Follow-ups are asked
    after the question before them. Without a key, a rule about words checks the citations.
    """
    from contextual_rag.commands.evaluate_answer_tables import changes, differences, failures, figures, kinds
    from contextual_rag.evaluation.answers import compared

    if result and (questions or version or judged):
        fail("--result is a stored result: --questions, --version and --judge do not go with it.")
    world = connect()
    first = _stored(result) if result else _measured(world, version, questions, judge=judged)
    if against is None:
        if as_json:
            print_json(first.as_json())
            return
        out.print(figures(first))
        out.print(kinds(first))
        out.print(failures(first) or "Nothing failed.")
        return
    second = _stored(Path(against)) if against.endswith(_RESULT) else _measured(world, against, questions, judge=judged)
    found, changed = compared(first, second)
    if not found:
        raise CorruptObjectError(f"The results of {first.version} and {second.version} have no question in common.")
    if as_json:
        print_json(
            {
                "a": first.as_json(),
                "b": second.as_json(),
                "difference": {name: one.model_dump() for name, one in found.items()},
                "questions": [
                    {"question": one.question, "after": one.after, "a": one.figures, "b": two.figures}
                    for one, two in changed
                ],
            }
        )
        return
    for report in (first, second):
        out.print(figures(report))
    out.print(differences(found))
    out.print(changes(changed) or "No answer has other figures.")


def ask_all(
    world: World,
    index: Index,
    vectors: VectorStore,
    questions: Sequence[Question],
    steps: Steps,
    *,
    judge: bool = False,
) -> AnswerReport:
    """Return what each answer of an open index comes to, asked as production asks.

    Raises SettingError if a model is to judge and none is set.
    """
    from contextual_rag.evaluation.answers import AnswerReport, Outcome, answer_question
    from contextual_rag.evaluation.answers import judge as judgement
    from contextual_rag.evaluation.statements import supported_by_model
    from contextual_rag.qa.meter import Meter

    answering = world.chat_model()
    if judge and answering is None:
        raise SettingError("--judge needs a chat model. Set TOGETHER_API_KEY, or leave --judge out.")

    def ask(question: Question) -> tuple[Outcome, float]:
        # What the judge takes is not the answer's.
        meter, of_judge = Meter(), Meter()
        chat = world.chat_model(of_judge) if judge else None
        answered = answer_question(
            index,
            vectors,
            world.embedding_model(index.recipe, meter),
            question,
            chat=world.chat_model(meter),
            reranker=world.rerank_model(meter),
            reader=world.quote_model(),
        )
        found = judgement(question, answered, supported_by_model(chat) if chat else None)
        return Outcome.of(question, answered._replace(usage=meter.used), found), of_judge.used.cost_usd

    outcomes, paid = [], 0.0
    # Side by side, questions that wait for nothing would only wait for each other, and each would seem slow.
    with ThreadPoolExecutor(world.settings.model_concurrency if answering else 1) as pool:
        for done, (outcome, cost_usd) in enumerate(pool.map(ask, questions), 1):
            outcomes.append(outcome)
            paid += cost_usd
            steps("questions", done, len(questions))
    name = answering.name if answering else OFFLINE_ANSWERS
    return AnswerReport(
        version=index.version,
        chat=name,
        judge=name if judge else None,
        judge_cost_usd=round(paid, 6),
        answers=tuple(outcomes),
    )


def _measured(world: World, version: str | None, questions: Path | None, *, judge: bool) -> AnswerReport:
    from contextual_rag.building.evaluate import locate_all

    say_offline(world.settings)
    manifest = world.registry.resolve(version)
    asked = [question for question in questions_of(world, questions) if question.judges_answers]
    there = [
        question
        for question, span in zip(asked, locate_all(world.store, manifest, asked), strict=True)
        if span or not question.references
    ]
    if not there:
        raise CorruptObjectError(
            f"None of the questions says what a right answer of {manifest.version} is. Give some of them holds, or the "
            "kind foreign or untold; references must be in its documents."
        )
    if lacking := len(asked) - len(there):
        err.print(f"[yellow]note:[/] {lacking} of {len(asked)} questions are left out: their references are not there.")
    with progress() as report:
        steps = partial(_step, report, manifest.version)
        return ask_all(world, world.indexes.open(manifest), world.vectors, there, steps, judge=judge)


def _step(report: Steps, name: str, step: str, done: int, of: int) -> None:
    report(f"{name}: {step}", done, of)


def _stored(file: Path) -> AnswerReport:
    from contextual_rag.evaluation.answers import AnswerReport

    try:
        return AnswerReport.model_validate_json(read(file))
    except ValidationError as error:
        fault = error.errors()[0]
        raise CorruptObjectError(
            f"{file} is not a result of `rag evaluate answers --json`: {'.'.join(map(str, fault['loc']))} "
            f"{fault['msg']}. Measure again."
        ) from None
