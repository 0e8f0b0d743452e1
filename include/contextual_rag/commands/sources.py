"""What sources bring, before anything is built."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from contextual_rag.building.order import source_of
from contextual_rag.commands.console import Json, fail, out, print_json
from contextual_rag.sources.listing import read_source
from contextual_rag.wiring import connect

__all__ = ["app", "check"]

app = typer.Typer(no_args_is_help=True, help="Look at where documents come from.")


@app.callback()
def _sources() -> None:
    """Keep the name of the one command, which Typer would leave out."""


@app.command()
def check(
    source: Annotated[
        str | None, typer.Argument(help="An index page, feed, sitemap or folder. Default: RAG_SOURCE_URL.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what a source would bring, and what is left out and why. Nothing is built."""
    world = connect()
    found = source_of(world.settings, source)
    with world.site(found.url) as site:
        kind, index, _ = read_source(site, found.url)
    if as_json:
        print_json(
            {
                "source": found.url,
                "name": found.name,
                "kind": kind,
                "brings": [entry.model_dump() for entry in index.entries],
                "left_out": [link.model_dump() for link in index.elsewhere],
            }
        )
    else:
        out.print(f"{kind} [bold]{escape(found.url)}[/]: {len(index.entries)} documents", highlight=False)
        for entry in index.entries:
            out.print(f"  {escape(entry.title)} [dim]{escape(entry.url)}[/]", highlight=False, soft_wrap=True)
        for link in index.elsewhere:
            shown = escape(link.url or link.title)
            out.print(f"  [yellow]left out[/] {shown}: {escape(link.reason)}", highlight=False, soft_wrap=True)
    if not index.entries:
        fail(f"The {kind} {found.url} brings no document.", "source")
