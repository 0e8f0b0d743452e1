"""What `rag ask` prints of an answer: its sources, and where each stands."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from contextual_rag.commands import ask as command
from contextual_rag.model import IndexedChunk, Place
from contextual_rag.qa.answer import Answer
from contextual_rag.qa.citations import check
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.retrieve import Hit
from tests.small_world import passage

TEXT = "The sea rises twice a day.\n\nThe lamp burns all night."


def printed(chunk: IndexedChunk, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    text, citations = check(text, [chunk])
    hit = Hit(chunk, 1.0, 1, None, None)
    command.print_answer(Answer(text, False, citations, [hit], "v", {}))
    return capsys.readouterr().out


PLACED = passage(TEXT, "tide").model_copy(
    update={"places": (Place(start=0, where="page 3"), Place(start=28, where="page 4"))}
)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("“The sea rises” [1].", "page 3"),
        ("“The lamp burns” [1].", "page 4"),
        ("“The sea rises” [1]; “The lamp burns” [1].", "page 3, page 4"),
        ("It rises [1].", "page 3 – page 4"),
    ],
)
def test_a_source_names_the_places_of_what_is_cited(text: str, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"[1] Tide, {where}, March 2019" in printed(PLACED, text, capsys)


def test_a_source_of_an_unknown_place_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "[1] Tide, March 2019" in printed(passage(TEXT, "tide"), "“The sea rises” [1].", capsys)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "all"),
        (["--author", "Ann Lee", "--author", "Bo Ray"], "author Ann Lee or Bo Ray"),
        (
            ["--type", "pdf", "--source", "blog", "--since", "2020-01-01"],
            "source blog, type pdf, dated from 2020-01-01",
        ),
        (["--document", "jug", "--until", "2020-01-01"], "document jug, dated to 2020-01-01"),
    ],
)
def test_a_command_has_the_options_of_a_filter(options: list[str], said: str) -> None:
    def show(question: str, where: Filter | None = None, k: int = 10) -> None:
        typer.echo(f"{question} {k} {where.summary if where else 'all'}")

    app = typer.Typer()
    app.command()(command.filtered(show))
    done = CliRunner().invoke(app, ["wick", *options, "--k", "3"])
    assert (done.exit_code, done.stdout) == (0, f"wick 3 {said}\n")
    # What the filter does not have is an option of no command.
    assert CliRunner().invoke(app, ["wick", "--where", "x"]).exit_code == 2
