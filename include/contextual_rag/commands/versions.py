"""Index versions: list, compare, choose, keep, remove."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from contextual_rag.commands.announce import announce
from contextual_rag.commands.console import Json, day_of, err, fail, out, print_json
from contextual_rag.noun import noun
from contextual_rag.settings import Settings
from contextual_rag.versions.diff import diff as compare
from contextual_rag.versions.manage import Changed, reason
from contextual_rag.versions.records import Held, Manifest
from contextual_rag.versions.registry import Registry
from contextual_rag.versions.summary import Summary, described, summary
from contextual_rag.wiring import connect

__all__ = ["versions", "diff", "history", "promote", "rollback", "pin", "unpin", "retune", "prune"]  # noqa: RUF022 - as in help

Why = Annotated[str, typer.Option("--why", help="The reason; recorded in the history.")]
Which = Annotated[str | None, typer.Argument(help="Default: the current one.")]


def versions(
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only the versions of that day, one for each recipe.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the index versions, newest first."""
    registry = connect().registry
    pointer = registry.current()
    held = registry.as_of(day_of(as_of)) if as_of else None
    manifests = _listed(registry, held)
    listed = [summary(manifest, pointer) for manifest in manifests]
    if as_json:
        print_json([_as_json(manifest, shown) for manifest, shown in zip(manifests, listed, strict=True)])
        return
    table = Table(
        Column("version", no_wrap=True),
        "",
        Column("made", no_wrap=True),
        Column(noun().many, justify="right"),
        Column("chunks", justify="right"),
        Column("recipe", overflow="fold"),
        box=None,
    )
    for shown in listed:
        marks = [f"[green]{name}[/]" for name in ("current", "pinned") if getattr(shown, name)]
        table.add_row(
            shown.version,
            " ".join(marks),
            f"{shown.created_at:%Y-%m-%d %H:%M}",
            str(shown.essays),
            str(shown.chunks),
            f"{shown.recipe}, {shown.fingerprint}",
        )
    if as_of and not listed:
        out.print(f"Nothing was built for {as_of} or a day before it.")
    else:
        out.print(table if listed else "There is no index version yet. Make one with `rag build`.")


def _listed(registry: Registry, held: Sequence[Held] | None) -> list[Manifest]:
    if held is None:
        return registry.versions()
    there = []
    for entry in held:
        if registry.exists(entry.version):
            there.append(registry.resolve(entry.version))
        else:
            err.print(f"{entry.version} was pruned. `rag build --day {entry.day}` makes it again.")
    return there


def _as_json(manifest: Manifest, shown: Summary) -> dict[str, Any]:
    return {
        "version": shown.version,
        "current": shown.current,
        "pinned": shown.pinned,
        "created_at": shown.created_at.isoformat(),
        "essays": shown.essays,
        "chunks": shown.chunks,
        "recipe": manifest.parameters,
        "fingerprint": shown.fingerprint,
        "parent": shown.parent,
        "bytes": shown.size,
        "quality": manifest.quality,
        "cost_usd": shown.cost_usd,
    }


def diff(
    old: Annotated[str | None, typer.Argument(help="Default: the parent of the other.")] = None,
    new: Annotated[str | None, typer.Argument(help="Default: the current version.")] = None,
    as_json: Json = False,
) -> None:
    """Show what differs between two versions."""
    registry = connect().registry
    later = registry.resolve(new or (old if new is None else None))
    earlier = registry.resolve(old) if old and new else registry.resolve(registry.parent(later.version).version)
    found = compare(earlier, later)
    if as_json:
        print_json(found.model_dump())
        return
    out.print(f"[bold]{found.old}[/] → [bold]{found.new}[/]")
    table = Table(Column("", no_wrap=True), Column("", ratio=1), box=None, show_header=False)
    for name, value in described(found):
        table.add_row(f"[dim]{name}[/]", escape(value))
    out.print(table)


def history(as_json: Json = False) -> None:
    """List every change of what answers: when, who and why."""
    changes = connect().registry.history()
    if as_json:
        print_json([change.model_dump(mode="json") for change in changes])
        return
    table = Table(
        Column("when", no_wrap=True), "action", Column("version", no_wrap=True), "who", Column("why", ratio=1), box=None
    )
    for change in changes:
        when = f"{change.changed_at:%Y-%m-%d %H:%M}"
        table.add_row(when, change.action, change.version, escape(change.changed_by), escape(change.why))
    out.print(table if changes else "Nothing has been published yet.")


def promote(version: str, why: Why, as_json: Json = False) -> None:
    """Make a complete version the current one."""
    from contextual_rag.versions.manage import promote as change

    world = connect()
    _say_moved(world.settings, "promote", change(world, version, by=_who(), why=why), why, as_json)


def rollback(why: Why, as_json: Json = False) -> None:
    """Make the parent of the current version the current one again."""
    from contextual_rag.versions.manage import rollback as change

    world = connect()
    _say_moved(world.settings, "rollback", change(world, by=_who(), why=why), why, as_json)


def pin(why: Why, version: Which = None, as_json: Json = False) -> None:
    """Keep a version: it is neither pruned nor replaced by a build."""
    from contextual_rag.versions.manage import pin as change

    _say(change(connect(), version, by=_who(), why=why), as_json)


def unpin(why: Why, version: Which = None, as_json: Json = False) -> None:
    """Allow a version to be pruned and replaced again."""
    from contextual_rag.versions.manage import unpin as change

    _say(change(connect(), version, by=_who(), why=why), as_json)


def retune(  # noqa: PLR0913, PLR0917
    why: Why,
    version: Which = None,
    keyword_weight: Annotated[float | None, typer.Option(help="The share of the keyword search, 0 to 1.")] = None,
    window_weight: Annotated[float | None, typer.Option(help="The weight of a chunk's best passage, 0 to 1.")] = None,
    nearby_weight: Annotated[float | None, typer.Option(help="The weight of hits nearby in the text, 0 to 1.")] = None,
    rerank_weight: Annotated[float | None, typer.Option(help="The weight of a reranker's opinion, 0 to 1.")] = None,
    per_essay: Annotated[int | None, typer.Option(help="Maximum number of chunks of a document; 0: no limit.")] = None,
    max_quality_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="Accept a fall of a figure by up to this.")
    ] = None,
    max_answers_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="Accept a fall of a figure of the answers by up to this.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change the ranking of a version, if its quality does not fall. Nothing is built."""
    from contextual_rag.building.retune import retune as change
    from contextual_rag.versions.gates import Gates

    given = {
        "keyword_weight": keyword_weight,
        "window_weight": window_weight,
        "nearby_weight": nearby_weight,
        "rerank_weight": rerank_weight,
    }
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if per_essay is not None:
        changed["per_essay"] = per_essay or None
    if not changed:
        fail("Give at least one parameter of the ranking. `rag retune --help` lists them.")
    world = connect()
    settings, by = world.settings, _who()
    asked = {"max_quality_drop": max_quality_drop, "max_answers_drop": max_answers_drop}
    allowed = {name: value for name, value in asked.items() if value is not None}
    gates = Gates(**settings.model_dump(include=set(Gates.model_fields)) | allowed)
    with world.steps.measuring(by, settings.budget_usd) as bench:
        done = change(bench, version, changed, gates=gates, by=by, why=why)
    if done.moved:
        announce(settings, done.version, moved_from=done.version, why=reason(why), by=by, action="retune")
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    out.print(done.message)
    for name, value in done.after.items():
        out.print(f"  {name} {_figure(done.before.get(name))} → {_figure(value)}")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def prune(
    keep: Annotated[
        int | None, typer.Option(min=0, help="How many of the newest stay. Default: RAG_KEEP_VERSIONS.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing; list what would be removed.")] = False,
    why: Why = "pruned by hand",
    as_json: Json = False,
) -> None:
    """Remove old versions, and what nothing refers to.

    The current version, its parent and pinned versions always stay, and so does everything younger than the grace
    (RAG_PRUNE_GRACE_HOURS) and everything that a running build uses.
    """
    from contextual_rag.versions.manage import prune as remove

    removed = remove(connect(), by=_who(), why=why, keep=keep, remove_it=not dry_run)
    if as_json:
        print_json(removed.model_dump(mode="json"))
        return
    for version in removed.versions:
        out.print(f"  [yellow]{'would be removed' if dry_run else 'removed'}[/] {version}")
    out.print(removed.message)


def _say_moved(settings: Settings, action: str, changed: Changed, why: str, as_json: bool) -> None:
    if changed.moved_from:
        moved = {"moved_from": changed.moved_from, "why": reason(why), "by": _who()}
        announce(settings, changed.version, **moved, action=action)
    _say(changed, as_json)


def _say(changed: Changed, as_json: bool) -> None:
    if as_json:
        print_json(changed.model_dump(mode="json"))
    else:
        out.print(changed.message)


def _who() -> str:
    try:
        return f"{getpass.getuser()} (rag)"
    except (KeyError, OSError):  # a container's user may have no name
        return "rag"
