"""The command `rag feedback`."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Annotated, Final, Literal

import typer
from rich.markup import escape
from rich.table import Column, Table

from contextual_rag.commands.console import Json, err, out, print_json
from contextual_rag.errors import SettingError
from contextual_rag.wiring import connect

__all__ = ["feedback"]

_SHOWN: Final = 90
_SIGNS: Final = {"up": "[green]+[/]", "down": "[red]−[/]", "none": ""}


def feedback(
    rating: Annotated[
        Literal["up", "down"] | None, typer.Option(help="Only answers with a thumb up, or with a thumb down.")
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            help="Write questions from the answers with a thumb up, for `rag evaluate answers --questions` (JSONL)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what readers said about answers, newest first, or make questions of it.

    What this prints and writes is private: the questions, answers and remarks of all readers, without their names. Keep
    a file of it where only you can read it, and delete it when you no longer need it.
    """
    from contextual_rag.conversation.feedback import feedback_of, question_of

    conversations = connect().conversations
    try:
        turns = conversations.rated()
    finally:
        conversations.close()
    said = [
        (turn, found) for turn in reversed(turns) if (found := feedback_of(turn)) and rating in {None, found.rating}
    ]
    if questions:
        # A later judgement of the same question goes before an earlier one.
        made = {one.question: one for turn, _ in reversed(said) if (one := question_of(turn))}
        lines = "".join(f"{one.model_dump_json(exclude_defaults=True)}\n" for one in made.values())
        try:
            questions.write_text(lines, encoding="utf-8")
        except OSError as error:
            raise SettingError(f"--questions: {questions} cannot be written: {error.strerror}.") from None
        err.print(f"{len(made)} questions are in {questions}. It is private: readers wrote them.", soft_wrap=True)
        if left := len(said) - len(made):
            err.print(
                f"{left} are left out: nobody said what is right. Write questions with `holds` of your own from them.",
                soft_wrap=True,
            )
    if as_json:
        print_json([found.model_dump(mode="json") for _, found in said])
        return
    if questions:
        return
    if not said:
        out.print("No reader has said anything about an answer yet.")
        return
    table = Table(
        "", "asked", Column("question", ratio=2), Column("remark", ratio=2), Column("answer", ratio=3), box=None
    )
    for _, remark in said:
        texts = (shorten(text, _SHOWN, placeholder=" …") for text in (remark.question, remark.comment, remark.answer))
        table.add_row(_SIGNS[remark.rating], f"{remark.asked_at:%Y-%m-%d %H:%M}", *map(escape, texts))
    out.print(table)
