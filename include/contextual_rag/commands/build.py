"""Build a version without Airflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contextual_rag import face
from contextual_rag.commands.announce import announce
from contextual_rag.commands.console import Json, day_of, fail, out, print_json, progress, say_offline
from contextual_rag.face import connect
from contextual_rag.noun import noun
from contextual_rag.parameters import read_parameters

if TYPE_CHECKING:
    from contextual_rag.building.build import Built
    from contextual_rag.model import Failure

__all__ = ["build"]

_SHOWN = 3


def build(  # noqa: PLR0913, PLR0917
    source: Annotated[
        str | None,
        typer.Option(help="An index page, feed, sitemap, folder, bucket or file of sources. Default: RAG_SOURCE_URL."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only this many documents, from the top of the list; CURRENT stays.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A .toml or .json file of parameters. Default: RAG_RECIPE.")
    ] = None,
    chunker: Annotated[str | None, typer.Option(help="recursive or fixed.")] = None,
    chunk_size: Annotated[int | None, typer.Option(help="Characters.")] = None,
    chunk_overlap: Annotated[int | None, typer.Option(help="Characters; for the fixed chunker.")] = None,
    day: Annotated[
        str | None, typer.Option(metavar="DATE", help="A past day of the source, from its snapshot; CURRENT stays.")
    ] = None,
    max_failed_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Publish even if this share of the documents failed.")
    ] = None,
    max_shrink_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Publish even if this share of the documents is gone.")
    ] = None,
    max_quality_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="Publish even if a figure of the evaluation fell by this.")
    ] = None,
    max_answers_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="Publish even if a figure of the answers fell by this.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, help="The most that the models may cost, in USD. Default: RAG_BUDGET_USD.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make everything again.")] = False,
    carry_over: Annotated[bool, typer.Option(help="Keep the contexts of chunks that did not change.")] = True,
    promote: Annotated[
        bool | None,
        typer.Option(
            help="Move CURRENT to the new version. Default: yes, but not for a past day, with a limit, or from another "
            "source."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Follow the site and publish an index of what it says now. What exists is not made again."""
    world = connect()
    say_offline(world.settings)
    now = datetime.now(UTC)
    by = f"rag build {now.isoformat(timespec='milliseconds')}"
    asked = day_of(day) if day else None
    if asked and asked > now.date():
        fail(f"{asked} is in the future. Only today and past days can be built.")
    with progress() as report:
        built = face.build(
            world,
            source=source,
            day=asked,
            progress=report,
            by=by,
            limit=limit,
            recipe=read_parameters(recipe) if recipe else None,
            chunker=chunker,
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            max_failed_share=max_failed_share,
            max_shrink_share=max_shrink_share,
            max_quality_drop=max_quality_drop,
            max_answers_drop=max_answers_drop,
            budget=budget,
            force=force,
            carry_over=carry_over,
            promote=promote,
        )
    if built.moved:
        more = built.model_dump(include={"published", "retuned", "uncompared", "quality"})
        announce(
            world.settings,
            built.version,
            moved_from=built.moved_from,
            why=built.why or "",
            by=by,
            action="build",
            **more,
        )
    if as_json:
        print_json(
            {
                "version": built.version,
                "state": built.state,
                "published": built.published,
                "current": built.current,
                "essays": built.essays,
                "chunks": built.chunks,
                "failed": [failure.model_dump() for failure in built.failed],
                "elsewhere": [failure.model_dump() for failure in built.elsewhere],
                "model_calls": built.work.model_calls,
                "embedded": built.work.embedded,
                "cost_usd": round(built.work.cost_usd, 6),
                "retuned": built.retuned,
                "timings_s": built.work.seconds,
                **{
                    name: value
                    for name in ("moved_from", "stayed", "refused", "uncompared")
                    if (value := getattr(built, name))
                },
                **({"error": {"code": built.refusal, "message": built.refused}} if built.refused else {}),
            }
        )
    else:
        out.print(
            f"{_verb(built)} "
            f"[bold]{built.version}[/]: {noun().counted(built.essays)}, {built.chunks} chunks; "
            f"{built.work.model_calls} contexts asked for, {built.work.embedded} chunks embedded"
            f"{f', {built.work.cost_usd:.4f} USD' if built.work.cost_usd else ''}."
        )
        if built.moved and built.moved_from != built.version:
            out.print(f"  CURRENT moved{f' from {built.moved_from}' if built.moved_from else ''} to {built.version}.")
        if built.stayed:
            out.print(f"  CURRENT stays where it is: {escape(built.stayed)}.")
        if built.uncompared:
            out.print(f"  [red]Quality was not compared:[/] {escape(built.uncompared)}.")
        for failure in built.failed:
            out.print(f"  [red]failed[/] {escape(failure.slug)}: {escape(failure.reason)}")
        for line in _left_out(built.elsewhere):
            out.print(f"  [yellow]left out[/] {escape(line)}", soft_wrap=True)
    if built.refused:
        fail(built.refused, code=built.refusal or "gate")


def _left_out(links: Sequence[Failure]) -> Iterator[str]:
    """Yield a line for each reason, with the first addresses."""
    by_reason: dict[str, list[str]] = {}
    for link in links:
        by_reason.setdefault(link.reason, []).append(link.url or link.slug)
    for reason, urls in by_reason.items():
        more = f" and {len(urls) - _SHOWN} more, which `rag sources check` lists" if len(urls) > _SHOWN else ""
        yield f"{', '.join(urls[:_SHOWN])}{more}: {reason}"


def _verb(built: Built) -> str:
    if built.refused:
        return "Refused"
    if built.published:
        return "Published"
    return "Retuned" if built.retuned else "Returned to" if built.moved else "Unchanged"
