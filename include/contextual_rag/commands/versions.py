"""Index versions: list, compare, choose, keep, remove."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from contextual_rag.commands.console import Json, day_of, err, out, print_json
from contextual_rag.diff import Diff
from contextual_rag.diff import diff as compare
from contextual_rag.manage import Changed
from contextual_rag.model import Held, Manifest, Pointer
from contextual_rag.registry import Registry
from contextual_rag.wiring import connect

__all__ = ["versions", "diff", "history", "promote", "rollback", "pin", "unpin", "prune"]  # noqa: RUF022 - as in help

Why = Annotated[str, typer.Option("--why", help="The reason, for the history.")]
Which = Annotated[str | None, typer.Argument(help="Default: the current one.")]
_SHOWN = 12


def versions(
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only what held on that day, a version for each recipe.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the index versions, newest first."""
    registry = connect().registry
    pointer = registry.current()
    held = registry.as_of(day_of(as_of)) if as_of else None
    manifests = _listed(registry, held)
    listed = [_row(manifest, pointer) for manifest in manifests]
    if as_json:
        print_json(listed)
        return
    table = Table(
        Column("version", no_wrap=True),
        "",
        Column("made", no_wrap=True),
        Column("essays", justify="right"),
        Column("chunks", justify="right"),
        Column("recipe", overflow="fold"),
        box=None,
    )
    for manifest, row in zip(manifests, listed, strict=True):
        marks = [f"[green]{name}[/]" for name in ("current", "pinned") if row[name]]
        table.add_row(
            row["version"],
            " ".join(marks),
            row["created_at"][:16].replace("T", " "),
            str(row["essays"]),
            str(row["chunks"]),
            f"{manifest.recipe.summary}, {row['fingerprint']}",
        )
    if as_of and not listed:
        out.print(f"Nothing was built for {as_of} or a day before it.")
    else:
        out.print(table if listed else "No index version yet. Make one with `rag build`.")


def _listed(registry: Registry, held: Sequence[Held] | None) -> list[Manifest]:
    if held is None:
        return registry.versions()
    there = []
    for entry in held:
        if registry.exists(entry.version):
            there.append(registry.manifest(entry.version))
        else:
            err.print(f"{entry.version} held then and was pruned since; `rag build --day {entry.day}` makes it again.")
    return there


def _row(manifest: Manifest, pointer: Pointer | None) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "current": pointer is not None and pointer.version == manifest.version,
        "pinned": pointer is not None and manifest.version in pointer.pinned,
        "created_at": manifest.created_at.isoformat(),
        "essays": len(manifest.essays),
        "chunks": manifest.chunks,
        "recipe": manifest.recipe.model_dump(),
        "fingerprint": manifest.recipe.fingerprint,
        "parent": manifest.parent,
        "bytes": manifest.bytes,
        "quality": manifest.quality,
        "cost_usd": manifest.work.cost_usd,
    }


def diff(
    old: Annotated[str | None, typer.Argument(help="Default: the parent of the other.")] = None,
    new: Annotated[str | None, typer.Argument(help="Default: the current version.")] = None,
    as_json: Json = False,
) -> None:
    """Show what differs between two versions; of one alone, what differs from its parent."""
    registry = connect().registry
    later = registry.resolve(new or (old if new is None else None))
    earlier = registry.manifest(old) if old and new else registry.parent(later.version)
    found = compare(earlier, later)
    if as_json:
        print_json(found.model_dump())
        return
    out.print(f"[bold]{found.old}[/] → [bold]{found.new}[/]")
    table = Table(Column("", no_wrap=True), Column("", ratio=1), box=None, show_header=False)
    for name, value in _described(found):
        table.add_row(f"[dim]{name}[/]", escape(value))
    out.print(table)


def _described(found: Diff) -> list[tuple[str, str]]:
    """Return what differs, a name and a sentence each."""
    lines = [(name, _some(getattr(found, name))) for name in ("added", "removed", "changed", "remade")]
    lines += [(name, "{} → {}".format(*getattr(found, name))) for name in ("failed", "chunks")]
    lines.append(("size", "{:.2f} → {:.2f} MB".format(*(size / 1e6 for size in found.bytes))))
    lines += [(f"recipe {name}", f"{before} → {after}") for name, (before, after) in found.recipe.items()]
    lines += [(name, f"{_figure(before)} → {_figure(after)}") for name, (before, after) in found.quality.items()]
    lines.append(("cost", "{:.4f} → {:.4f} USD".format(*found.cost_usd)))
    return lines


def _some(slugs: Sequence[str]) -> str:
    if not slugs:
        return "-"
    more = f" … and {len(slugs) - _SHOWN} more" if len(slugs) > _SHOWN else ""
    return f"{len(slugs)}: {', '.join(slugs[:_SHOWN])}{more}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def history(as_json: Json = False) -> None:
    """List every change of what answers, newest first: when, who and why."""
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
    out.print(table if changes else "Nothing was published yet.")


def promote(version: str, why: Why, as_json: Json = False) -> None:
    """Let a version answer, forward or back, after checking that it is whole."""
    from contextual_rag.manage import promote as change

    _say(change(connect(), version, by=_who(), why=why), as_json)


def rollback(why: Why, as_json: Json = False) -> None:
    """Let the parent of the current version answer again."""
    from contextual_rag.manage import rollback as change

    _say(change(connect(), by=_who(), why=why), as_json)


def pin(why: Why, version: Which = None, as_json: Json = False) -> None:
    """Keep a version: it is not pruned and, while it answers, not replaced by a build."""
    from contextual_rag.manage import pin as change

    _say(change(connect(), version, by=_who(), why=why), as_json)


def unpin(why: Why, version: Which = None, as_json: Json = False) -> None:
    """Let a version be pruned and replaced again."""
    from contextual_rag.manage import unpin as change

    _say(change(connect(), version, by=_who(), why=why), as_json)


def prune(
    keep: Annotated[int | None, typer.Option(min=0, help="How many of the newest. Default: RAG_KEEP_VERSIONS.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, say what would go.")] = False,
    why: Why = "pruned by hand",
    as_json: Json = False,
) -> None:
    """Remove old versions, and objects and vectors that nothing refers to.

    The current version, its parent and pinned ones stay whatever is asked, and so does what is a day old or younger.
    """
    from contextual_rag.manage import prune as remove

    removed = remove(connect(), by=_who(), why=why, keep=keep, remove_it=not dry_run)
    if as_json:
        print_json(removed.model_dump(mode="json"))
        return
    for version in removed.versions:
        out.print(f"  [yellow]{'would go' if dry_run else 'removed'}[/] {version}")
    out.print(removed.message)


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
