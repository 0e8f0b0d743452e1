"""What sources bring, before anything is built."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer
from rich.markup import escape

from contextual_rag.building.fetch import list_source
from contextual_rag.building.follow import Part, list_several
from contextual_rag.building.order import source_of
from contextual_rag.commands.console import Json, fail, out, print_json
from contextual_rag.model import Followed
from contextual_rag.wiring import connect

__all__ = ["app", "check"]

app = typer.Typer(no_args_is_help=True, help="Look at where documents come from.")


@app.callback()
def _sources() -> None:
    """Keep the name of the one command, which Typer would leave out."""


@app.command()
def check(
    source: Annotated[
        str | None,
        typer.Argument(help="An index page, feed, sitemap, folder, or file of sources. Default: RAG_SOURCE_URL."),
    ] = None,
    named: Annotated[str | None, typer.Option("--source", help="The same, as other commands take it.")] = None,
    as_json: Json = False,
) -> None:
    """List what a source would bring, and what is left out and why. Nothing is built."""
    if source and named:
        raise typer.BadParameter("Name one source, with or without --source.")
    world = connect()
    found = source_of(world.settings, source or named)
    if several := world.sources(found.url):
        parts = list_several(several, partial(world.site, found.url), may_be_empty=True)
    else:
        with world.site(found.url) as site:
            parts = [Part(Followed(source=found, listed=0), list_source(site, found, may_be_empty=True))]
    shown = [_shown(part) for part in parts]
    if as_json and several:
        together = {name: [one for part in shown for one in part[name]] for name in ("brings", "left_out")}
        print_json({"source": found.url, "name": found.name, "kind": "sources", **together, "sources": shown})
    elif as_json:
        print_json(shown[0])
    else:
        for part in shown:
            _print(part, f"{part['name']}: " if several else "")
    if empty := [
        f"{part['kind']} {part['source']}" for part in shown if not part["brings"] and part["kind"] != "uploads"
    ]:
        fail(f"This brings no document: {', '.join(empty)}.", "source")


def _shown(part: Part) -> dict[str, Any]:
    listed = part.listed
    return {
        "source": part.followed.source.url,
        "name": part.followed.source.name,
        "kind": "unread" if part.error else listed.kind,
        "brings": [entry.model_dump() for entry in listed.entries],
        "left_out": [{"title": one.slug, "url": one.url, "reason": one.reason} for one in listed.elsewhere],
        **({"error": {"code": part.error.code, "message": str(part.error)}} if part.error else {}),
    }


def _print(part: dict[str, Any], name: str) -> None:
    count = f"{len(part['brings'])} documents, {len(part['left_out'])} left out"
    out.print(f"{escape(name)}{part['kind']} [bold]{escape(part['source'])}[/]: {count}", highlight=False)
    if error := part.get("error"):
        out.print(f"  [red]not read[/] {escape(error['message'])}", highlight=False, soft_wrap=True)
    for entry in part["brings"]:
        out.print(f"  {escape(entry['title'])} [dim]{escape(entry['url'])}[/]", highlight=False, soft_wrap=True)
    for link in part["left_out"]:
        shown = escape(link["url"] or link["title"])
        out.print(f"  [yellow]left out[/] {shown}: {escape(link['reason'])}", highlight=False, soft_wrap=True)
