"""`rag`: the project from the command line. Tables and progress for people, `--json` for programs."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape
from rich.table import Column, Table

from contextual_rag.commands import evaluate, versions, worker
from contextual_rag.commands.console import Json, day_of
from contextual_rag.commands.console import err as _err
from contextual_rag.commands.console import fail as _fail
from contextual_rag.commands.console import out as _out
from contextual_rag.commands.console import print_json as _print_json
from contextual_rag.commands.console import progress as _progress
from contextual_rag.commands.page import page
from contextual_rag.conversation.model import LONGEST_QUESTION
from contextual_rag.errors import RagError
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World, connect

if TYPE_CHECKING:
    from contextual_rag.model import Manifest
    from contextual_rag.qa.answer import Answer

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Question answering with citations over a changing body of essays.",
)

Version = Annotated[str | None, typer.Option("--version", help="An index version; the current one by default.")]


@app.command()
def build(  # noqa: PLR0913, PLR0917
    source: Annotated[str | None, typer.Option(help="The essay index page. Default: RAG_SOURCE_URL.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many essays.")] = None,
    chunker: Annotated[str | None, typer.Option(help="recursive or fixed.")] = None,
    chunk_size: Annotated[int | None, typer.Option(help="Characters.")] = None,
    chunk_overlap: Annotated[int | None, typer.Option(help="Characters; for the fixed chunker.")] = None,
    day: Annotated[
        str | None, typer.Option(metavar="DATE", help="A past day, from the snapshot of its pages; CURRENT stays.")
    ] = None,
    max_failed_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Publish though this share of the essays failed.")
    ] = None,
    max_shrink_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Publish though the index page lost this share of its essays.")
    ] = None,
    max_quality_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="Publish though a figure of the evaluation fell by this much.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, help="USD that the models may cost at most. Default: RAG_BUDGET_USD.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make everything again.")] = False,
    carry_over: Annotated[bool, typer.Option(help="Keep the contexts of chunks that did not change.")] = True,
    promote: Annotated[
        bool | None, typer.Option(help="Move CURRENT to the new version. Default: yes, but not for a past day.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Follow the site and publish an index of what it says now. What exists is not made again."""
    from contextual_rag.build import Run
    from contextual_rag.build import build as run_all

    world = connect()
    _say_offline(world)
    now = datetime.now(UTC)
    asked = day_of(day) if day else now.date()
    if asked > now.date():
        _fail(f"{asked} is still to come; only today and past days can be built.")
    run = Run(
        day=asked,
        past=asked < now.date(),
        by=f"rag build {now.isoformat(timespec='milliseconds')}",
        source=source,
        limit=limit,
        chunker=chunker,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        max_failed_share=max_failed_share,
        max_shrink_share=max_shrink_share,
        max_quality_drop=max_quality_drop,
        budget=budget,
        force=force,
        carry_over=carry_over,
        promote=promote,
    )
    with _progress() as progress:
        built = run_all(world, run, progress)
    if as_json:
        _print_json(
            {
                "version": built.version,
                "published": built.published,
                "current": built.current,
                "essays": built.essays,
                "chunks": built.chunks,
                "failed": [failure.model_dump() for failure in built.failed],
                "elsewhere": [failure.model_dump() for failure in built.elsewhere],
                "model_calls": built.work.model_calls,
                "embedded": built.work.embedded,
                "cost_usd": round(built.work.cost_usd, 6),
                "timings_s": built.work.seconds,
                **({"refused": built.refused} if built.refused else {}),
                **({"stayed": built.stayed} if built.stayed else {}),
                **({"uncompared": built.uncompared} if built.uncompared else {}),
            }
        )
    else:
        _out.print(
            f"{'Published' if built.published else 'Unchanged' if not built.refused else 'Refused'} "
            f"[bold]{built.version}[/]: {built.essays} essays, {built.chunks} chunks; "
            f"{built.work.model_calls} contexts asked for, {built.work.embedded} chunks embedded"
            f"{f', {built.work.cost_usd:.4f} USD' if built.work.cost_usd else ''}."
        )
        if built.stayed:
            _out.print(f"  CURRENT stays where it is: {escape(built.stayed)}.")
        if built.uncompared:
            _out.print(f"  [yellow]Quality was not compared:[/] {escape(built.uncompared)}")
        for failure in built.failed:
            _out.print(f"  [red]failed[/] {escape(failure.slug)}: {escape(failure.reason)}")
        for link in built.elsewhere:
            _out.print(f"  [yellow]elsewhere[/] {escape(link.slug)}: {escape(link.url)}")
    if built.refused:
        _fail(built.refused)


@app.command()
def ask(question: str, version: Version = None, as_json: Json = False) -> None:
    """Answer a question from the essays, with citations that were checked."""
    question = _question(question)
    world = connect()
    _say_offline(world)
    answered = _answered(world, question, version)
    if as_json:
        _print_json(
            {
                "answer": answered.text,
                "abstained": answered.abstained,
                "citations": [
                    {
                        "n": c.n,
                        "chunk_id": c.chunk.chunk_id,
                        "slug": c.chunk.slug,
                        "title": c.chunk.title,
                        "url": c.chunk.url,
                        "quote": c.quote,
                        "start": c.start,
                        "end": c.end,
                        "verified": c.verified,
                    }
                    for c in answered.citations
                ],
                "version": answered.version,
                "timings_ms": answered.milliseconds,
            }
        )
        return
    _print_answer(answered)


def _answered(world: World, question: str, version: str | None) -> Answer:
    from contextual_rag.qa.answer import answer

    index = world.indexes.open(world.registry.resolve(version))
    return answer(
        index,
        world.vectors,
        world.embedding_model(index.recipe.embedding_model),
        question,
        chat=world.chat_model(),
        reranker=world.rerank_model(),
    )


def _print_answer(answered: Answer) -> None:
    _out.print(f"\n{escape(answered.text)}\n")
    sources = {c.n: c for c in answered.citations}
    for n, c in sorted(sources.items()):
        verified = all(other.verified for other in answered.citations if other.n == n)
        sign = "[green]✓ quoted words found[/]" if verified else "[yellow]? quoted words not found[/]"
        _out.print(f"  \\[{n}] [bold]{escape(c.chunk.title)}[/], {escape(c.chunk.date or 'undated')}  {sign}")
        _out.print(f"      {escape(c.chunk.url)}", style="dim")
    steps = ", ".join(f"{step} {spent:.0f} ms" for step, spent in answered.milliseconds.items())
    _out.print(f"\n[dim]version {answered.version} · {steps}[/]")


@app.command()
def search(
    question: str,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many chunks.")] = 10,
    version: Version = None,
    as_json: Json = False,
) -> None:
    """Show the chunks that a question finds, with their ranks in both searches."""
    from contextual_rag.qa.retrieve import retrieve

    question = _question(question)
    world = connect()
    index = world.indexes.open(world.registry.resolve(version))
    embedder = world.embedding_model(index.recipe.embedding_model)
    hits = retrieve(index, world.vectors, embedder, question, k=k, reranker=world.rerank_model())
    if as_json:
        ranks = ("score", "bm25_rank", "vector_rank")
        found = [hit.chunk.model_dump(exclude={"date"}) | {name: getattr(hit, name) for name in ranks} for hit in hits]
        _print_json({"version": index.version, "hits": found})
        return
    columns = ("", Column("essay", max_width=24), Column("passage", ratio=1), "score", "bm25", "vector")
    table = Table(*columns, title=f"version {index.version}", box=None)
    for n, hit in enumerate(hits, 1):
        passage = " ".join(hit.chunk.text.split())
        table.add_row(
            str(n),
            escape(hit.chunk.title),
            escape(passage[:90] + ("…" if len(passage) > 90 else "")),  # noqa: PLR2004
            f"{hit.score:.4f}",
            str(hit.bm25_rank or "-"),
            str(hit.vector_rank or "-"),
        )
    _out.print(table)


for _name in versions.__all__:
    app.command()(getattr(versions, _name))
app.command()(page)
app.command()(worker.worker)
app.add_typer(evaluate.app, name="evaluate")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check each service and setting, and say how to mend what is wrong."""
    from contextual_rag.doctor import examine

    findings = list(examine(connect()))
    if as_json:
        _print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            sign = "[green]ok [/]" if finding.ok else "[red]bad[/]"
            _out.print(f"{sign} [bold]{finding.check}[/]: {escape(finding.detail)}", soft_wrap=True)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def up(
    everything: Annotated[bool, typer.Option("--all", help="Airflow and the sample site too.")] = False,
    site: Annotated[Path | None, typer.Option(help="The folder of the site that is served.")] = None,
    edition: Annotated[int, typer.Option(min=1, help="The sample site's day.")] = 1,
) -> None:
    """Run the object store and Milvus on this machine until Ctrl-C; with --all, everything."""
    from contextual_rag.embedded.services import ALL, STORES, running

    _end_on_signals()
    try:
        with (
            _err.status("Starting…"),
            running(ALL if everything else STORES, data_dir=_data_dir(), site=site, edition=edition) as services,
        ):
            _err.print("[green]ready[/]; Ctrl-C stops everything")
            for name, port in services.ports.items():
                _err.print(f"  {name:>12}  http://127.0.0.1:{port}")
            if everything:
                _err.print(f"  Airflow: user admin, password {services.airflow_password}")
            services.wait()
    except KeyboardInterrupt:
        _err.print("stopped")


@app.command()
def demo(
    site: Annotated[Path | None, typer.Option(help="The folder of the site that is indexed.")] = None,
    edition: Annotated[int, typer.Option(min=1, help="The sample site's day.")] = 1,
    question: Annotated[str, typer.Option(help="What is asked.")] = "What to do in the face of uncertainty?",
    max_failed_share: Annotated[float | None, typer.Option(min=0, max=1)] = None,
) -> None:
    """Start everything, index the sample site through Airflow, ask a question, stop everything."""
    from contextual_rag.embedded.demo import build_through_airflow
    from contextual_rag.embedded.services import BUILDING, running

    _end_on_signals()
    conf = {} if max_failed_share is None else {"max_failed_share": max_failed_share}
    started = time.monotonic()
    try:
        _say_offline(connect())
        with _out.status("Starting object store, Milvus, sample site and Airflow…"):
            stack = ExitStack()
            services = stack.enter_context(running(BUILDING, data_dir=_data_dir(), site=site, edition=edition))
        with stack:
            _out.print(f"services ready in {time.monotonic() - started:.1f} s; Airflow at {services.airflow_url}")
            version = build_through_airflow(services, conf, _out)
            world = connect(services.settings())
            _print_contents(world.registry.manifest(version))
            _out.print(f"\n[bold]{escape(question)}[/]")
            _print_answer(_answered(world, question, version))
        _out.print(f"[dim]everything stopped; {time.monotonic() - started:.0f} s in all[/]")
    except KeyboardInterrupt:
        _fail("interrupted; everything was stopped")


def _print_contents(manifest: Manifest) -> None:
    quality = ", ".join(f"{name} {value:g}" for name, value in manifest.quality.items())
    _out.print(f"{len(manifest.essays)} essays, {manifest.chunks} chunks{'; ' + quality if quality else ''}")
    shown = 3
    for failure in manifest.failed[:shown]:
        _out.print(f"  [red]failed[/] {escape(failure.slug)}: {escape(failure.reason)}")
    if len(manifest.failed) > shown:
        _out.print(f"  [red]failed[/] … and {len(manifest.failed) - shown} more, named in the manifest")


def _end_on_signals() -> None:
    """End in order on SIGTERM, and on SIGINT even where a shell started us in the background and ignores it."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def _data_dir() -> Path:
    return read_settings().data_dir


def _question(text: str) -> str:
    """Bound what is asked, and say so; an empty question finds nothing and is worth a clear word."""
    words = " ".join(text.split())
    if not words:
        _fail("The question is empty.")
    if len(words) > LONGEST_QUESTION:
        _err.print(
            f"[dim]Only the first {LONGEST_QUESTION:,} of the question's {len(words):,} characters are asked.[/]"
        )
    return words[:LONGEST_QUESTION]


def _say_offline(world: World) -> None:
    settings = world.settings
    if settings.offline:
        _err.print(
            "[dim]No TOGETHER_API_KEY: working offline (contexts from structure, MiniLM embeddings, quoted answers).[/]"
        )


def main() -> None:
    """Run a command; an error of ours is one line on standard error and exit code 1."""
    try:
        app()
    except RagError as error:
        _err.print(f"[bold red]{type(error).__name__.removesuffix('Error')}:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
