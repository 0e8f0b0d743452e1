"""The commands `rag ask` and `rag search`."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Column, Table

from contextual_rag import face
from contextual_rag.commands.console import Json, day_of, err, fail, out, print_json, say_offline
from contextual_rag.errors import QuestionError
from contextual_rag.face import connect
from contextual_rag.noun import noun
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.qa.verdicts import CUT_OFF, NOT_ANYWHERE, SHOWING, State, nearest, verdict_on

if TYPE_CHECKING:
    from contextual_rag.model import IndexedChunk
    from contextual_rag.qa.answer import Answer
    from contextual_rag.qa.citations import Citation

__all__ = ["ask", "print_answer", "search"]

_SHOWN = 90
_SIGNS: Mapping[State, str] = {
    "found": "[green]✓ {}[/]",
    "cited": "[dim]– {}[/]",
    "not_found": "[yellow]? {}[/]",
}
Version = Annotated[str | None, typer.Option("--version", help="An index version; the current one by default.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only documents of this source. May be repeated.")]
Documents = Annotated[
    list[str] | None,
    typer.Option("--document", help="Only this document: its slug, address or title. May be repeated."),
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only documents whose addresses end so, such as pdf. May be repeated."),
]
Since = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Only documents of this day or later.")]
Until = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Only documents of this day or earlier.")]


def ask(
    question: str,
    version: Version = None,
    source: Sources = None,
    document: Documents = None,
    type_: Types = None,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the documents, with checked citations."""
    question, where = _question(question), _where(source, document, type_, since, until)
    world = connect()
    say_offline(world.settings)
    answered = face.ask(world, question, version=version, where=where)
    if as_json:
        print_json(
            {
                "answer": answered.text,
                "abstained": answered.abstained,
                "cut_off": answered.cut_off,
                "citations": [
                    {
                        "n": c.n,
                        "found_in": c.found_in,
                        **{name: getattr(c.chunk, name, None) for name in ("chunk_id", "slug", "title", "url")},
                        "quote": c.quote,
                        "start": c.start,
                        "end": c.end,
                        "verified": c.verified,
                        "state": c.state,
                        "where": c.where,
                    }
                    for c in answered.citations
                ],
                "corrected": answered.corrected,
                "note": answered.note,
                "nearest": [hit.chunk.model_dump(exclude={"date", "context", "places"}) for hit in answered.nearest],
                "version": answered.version,
                "where": _stored(where),
                "timings_ms": answered.milliseconds,
                "prompt_tokens": answered.usage.prompt_tokens,
                "completion_tokens": answered.usage.completion_tokens,
                "cost_usd": answered.usage.cost_usd,
            }
        )
        return
    print_answer(answered)


def print_answer(answered: Answer) -> None:
    """Print an answer for people: its text, its sources, whether the quotations were found, and the times."""
    _print_filter(answered.where)
    understood = answered.corrected and f"{SHOWING} {answered.corrected}"
    for line in filter(None, (understood, answered.note)):
        out.print(f"\n[dim]{escape(line)}[/]")
    out.print(f"\n{escape(answered.text)}\n")
    if answered.nearest:
        out.print(f"{nearest()}\n")
    for hit in answered.nearest:
        shown = escape(shorten(hit.chunk.text, _SHOWN, placeholder=" …"))
        out.print(f"  {_named(hit.chunk, hit.chunk.where)}: {shown}")
        out.print(f"      {escape(hit.chunk.url)}", style="dim")
    if answered.cut_off:
        out.print(f"[yellow]{CUT_OFF}[/]\n")
    by_source: dict[int, list[Citation]] = {}
    for citation in answered.citations:
        if number := citation.n or citation.found_in:
            by_source.setdefault(number, []).append(citation)
    for n, citations in sorted(by_source.items()):
        chunk = answered.hits[n - 1].chunk
        state, words = verdict_on(citation.state for citation in citations)
        where = ", ".join(dict.fromkeys(citation.where for citation in citations if citation.where))
        out.print(f"  \\[{n}] {_named(chunk, where)}  {_SIGNS[state].format(words)}")
        out.print(f"      {escape(chunk.url)}", style="dim")
    for citation in answered.citations:
        if citation.chunk is None:
            out.print(f"  “{escape(citation.quote)}”  {_SIGNS['not_found'].format(NOT_ANYWHERE)}")
    steps = ", ".join(f"{step} {spent:.0f} ms" for step, spent in answered.milliseconds.items())
    cost = f" · ${answered.usage.cost_usd:.4f}" if answered.usage.calls else ""
    out.print(f"\n[dim]version {answered.version} · {steps}{cost}[/]")


def _named(chunk: IndexedChunk, where: str | None) -> str:
    """Return an essay's title and date, and the place in it."""
    others = ", ".join(escape(part) for part in (where, chunk.date or "undated") if part)
    return f"[bold]{escape(chunk.title)}[/], {others}"


def search(  # noqa: PLR0913, PLR0917
    question: str,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="The number of chunks.")] = 10,
    version: Version = None,
    source: Sources = None,
    document: Documents = None,
    type_: Types = None,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Show the chunks found for a question, and their ranks."""
    where = _where(source, document, type_, since, until)
    searched, hits = face.search(connect(), _question(question), k, version=version, where=where)
    if as_json:
        ranks = ("score", "bm25_rank", "vector_rank")
        found = [hit.chunk.model_dump(exclude={"date", "places"}) | {n: getattr(hit, n) for n in ranks} for hit in hits]
        print_json({"version": searched, "where": _stored(where), "hits": found})
        return
    _print_filter(where)
    columns = ("", Column(noun().one, max_width=24), Column("passage", ratio=1), "score", "bm25", "vector")
    table = Table(*columns, title=f"version {searched}", box=None)
    for n, hit in enumerate(hits, 1):
        table.add_row(
            str(n),
            escape(hit.chunk.title) + (f"\n[dim]{escape(hit.chunk.where)}[/]" if hit.chunk.where else ""),
            escape(shorten(hit.chunk.text, _SHOWN, placeholder=" …")),
            f"{hit.score:.4f}",
            str(hit.bm25_rank or "-"),
            str(hit.vector_rank or "-"),
        )
    out.print(table)


def _where(
    sources: list[str] | None,
    documents: list[str] | None,
    types: list[str] | None,
    since: str | None,
    until: str | None,
) -> Filter | None:
    try:
        where = Filter(
            sources=tuple(sources or ()),
            documents=tuple(documents or ()),
            types=tuple(types or ()),
            since=day_of(since) if since is not None else None,
            until=day_of(until) if until is not None else None,
        )
    except ValidationError:
        fail("A filter has a name that is empty or too long, or more than 100 names.")
    return where or None


def _stored(where: Filter | None) -> dict[str, Any] | None:
    return where.model_dump(mode="json") if where else None


def _print_filter(where: Filter | None) -> None:
    if where:
        out.print(f"[dim]only {noun().many} that match: {escape(where.summary)}[/]", soft_wrap=True)


def _question(text: str) -> str:
    """Refuse an empty question, and cut a long one with a notice."""
    words = " ".join(text.split())
    if not words:
        raise QuestionError("The question is empty. Write a question.", code="question_empty")
    if len(words) > LONGEST_QUESTION:
        err.print(f"[dim]The question has {len(words):,} characters. Only the first {LONGEST_QUESTION:,} are used.[/]")
    return words[:LONGEST_QUESTION]
