"""The command `rag doctor`."""

from __future__ import annotations

import typer
from rich.markup import escape

from contextual_rag.commands.console import Json, out, print_json
from contextual_rag.wiring import connect

__all__ = ["doctor"]


def doctor(as_json: Json = False) -> None:
    """Check each service and setting, and say how to fix problems."""
    from contextual_rag.commands.checks import examine

    findings = list(examine(connect()))
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            sign = "[red]bad [/]" if not finding.ok else "[yellow]warn[/]" if finding.warning else "[green]ok  [/]"
            out.print(f"{sign} [bold]{finding.check}[/]: {escape(finding.detail)}", soft_wrap=True)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
