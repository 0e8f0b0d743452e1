"""`rag`: the project from the command line. Tables and progress for people, `--json` for programs."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from contextual_rag.commands import evaluate, versions
from contextual_rag.commands.ask import ask, search
from contextual_rag.commands.build import build
from contextual_rag.commands.console import err
from contextual_rag.commands.doctor import doctor
from contextual_rag.commands.page import page
from contextual_rag.commands.up import demo, up
from contextual_rag.commands.worker import worker
from contextual_rag.errors import RagError

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Question answering with citations over a changing body of essays.",
)
# In the order in which `rag --help` lists them.
_COMMANDS = (
    build,
    ask,
    search,
    *(getattr(versions, name) for name in versions.__all__),
    page,
    worker,
    doctor,
    up,
    demo,
)
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(evaluate.app, name="evaluate")


def main() -> None:
    """Run a command; an error of ours is one line on standard error and exit code 1."""
    try:
        app()
    except RagError as error:
        err.print(f"[bold red]{type(error).__name__.removesuffix('Error')}:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
