"""`rag`: the project from the command line. Tables and progress for people, `--json` for programs."""

from __future__ import annotations

import os
import sys

import typer

from contextual_rag.commands import evaluate, versions
from contextual_rag.commands.ask import ask, search
from contextual_rag.commands.build import build
from contextual_rag.commands.console import CommandError, print_error, wants_json
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
    """Run a command. An error of ours ends it with exit code 1, a wrong use of options with 2.

    People read the error on standard error, programs as JSON on standard output: see `console.print_error`.
    """
    # What a command writes, and what it starts writes, is for its owner alone.
    os.umask(0o077)
    as_json = wants_json(sys.argv[1:])
    try:
        # In standalone mode Typer prints what it refuses by itself, for people only.
        sys.exit(app(standalone_mode=not as_json))
    except RagError as error:
        print_error(type(error).__name__.removesuffix("Error"), str(error), error.code, as_json=as_json)
        sys.exit(1)
    except CommandError as error:
        print_error("error", str(error), error.code, as_json=as_json)
        sys.exit(1)
    except typer.TyperException as error:
        print_error("error", error.format_message(), "usage", as_json=as_json)
        sys.exit(error.exit_code)
