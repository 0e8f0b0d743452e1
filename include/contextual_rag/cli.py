"""`rag`: the project from the command line. Tables and progress for people, `--json` for programs."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from contextual_rag.commands import evaluate, sources, versions
from contextual_rag.commands.airflow import airflow
from contextual_rag.commands.ask import ask, search
from contextual_rag.commands.build import build
from contextual_rag.commands.console import CommandError, exit_code, print_error, wants_json
from contextual_rag.commands.doctor import doctor
from contextual_rag.commands.feedback import feedback
from contextual_rag.commands.mcp import mcp
from contextual_rag.commands.page import page
from contextual_rag.commands.status import status
from contextual_rag.commands.up import demo, up
from contextual_rag.commands.worker import worker
from contextual_rag.errors import RagError

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: in boxes, names of options are cut at 80 columns.
    rich_markup_mode=None,
)
# In the order in which `rag --help` lists them.
_COMMANDS = (
    build,
    ask,
    search,
    status,
    *(getattr(versions, name) for name in versions.__all__),
    feedback,
    page,
    mcp,
    worker,
    doctor,
    up,
    demo,
)
for _command in _COMMANDS:
    app.command()(_command)
# Whatever stands behind `rag airflow` is Airflow's, `--help` included.
app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False},
)(airflow)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(sources.app, name="sources")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"contextual-rag {version('contextual-rag')}")
        raise typer.Exit


@app.callback()
def _rag(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Question answering with citations over a changing body of essays."""


def main() -> None:
    """Run a command. Its exit code tells a script what to do next: see docs/errors.md.

    People read the error on standard error, programs as JSON on standard output: see `console.print_error`.
    """
    # What a command writes, and what it starts writes, is for its owner alone.
    os.umask(0o077)
    as_json = wants_json(sys.argv[1:]) and sys.argv[1] != "airflow"
    try:
        # In standalone mode Typer prints what it refuses by itself, for people only.
        sys.exit(app(standalone_mode=not as_json))
    except RagError as error:
        print_error(type(error).__name__.removesuffix("Error"), str(error), error.code, as_json=as_json)
        sys.exit(exit_code(error.code))
    except CommandError as error:
        print_error("error", str(error), error.code, as_json=as_json)
        sys.exit(exit_code(error.code))
    except typer.TyperException as error:
        print_error("error", error.format_message(), "usage", as_json=as_json)
        sys.exit(error.exit_code)
