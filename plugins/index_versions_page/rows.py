"""The figures of a version for the page; object keys are left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import takewhile
from typing import NamedTuple

from contextual_rag.model import Manifest, Pointer

__all__ = ["Change", "Row", "changes", "metrics", "row", "since"]


class Row(NamedTuple):
    """A version as a row of the table and a point of the plots; `size` in bytes, `seconds` over all stages."""

    version: str
    parent: str | None
    created_at: datetime
    logical_date: date
    essays: int
    failed: tuple[str, ...]
    chunks: int
    size: int
    quality: tuple[tuple[str, float], ...]
    questions: int
    known_items: int
    cost_usd: float
    model_calls: int
    embedded: int
    seconds: float
    stages: tuple[tuple[str, float], ...]
    recipe: str
    fingerprint: str
    models: tuple[str, str]

    def asked(self, metric: str) -> int:
        """Return the number of questions behind a figure."""
        return self.known_items if metric.startswith("known_item_") else self.questions

    def measured(self, metric: str) -> float | None:
        """Return one quality figure, or None if it was not measured."""
        return dict(self.quality).get(metric)


def row(manifest: Manifest) -> Row:
    """Return the row of a version."""
    recipe, work = manifest.recipe, manifest.work
    return Row(
        version=manifest.version,
        parent=manifest.parent,
        created_at=manifest.created_at,
        logical_date=manifest.logical_date,
        essays=len(manifest.essays),
        failed=tuple(f"{failure.slug}: {failure.reason}" for failure in manifest.failed),
        chunks=manifest.chunks,
        size=manifest.bytes,
        quality=tuple(manifest.figures.items()),
        questions=int(manifest.quality.get("questions", 0)),
        known_items=int(manifest.quality.get("known_items", 0)),
        cost_usd=work.cost_usd,
        model_calls=work.model_calls,
        embedded=work.embedded,
        seconds=sum(work.seconds.values()),
        stages=tuple(work.seconds.items()),
        recipe=recipe.summary,
        fingerprint=recipe.fingerprint,
        models=(recipe.context_model, recipe.embedding_model),
    )


def metrics(rows: tuple[Row, ...]) -> list[str]:
    """Return the names of all measured figures, in the order of the newest version."""
    return list(dict.fromkeys(name for one in rows for name, _ in one.quality))


class Change(NamedTuple):
    """An entry of the history, and the versions that it changed."""

    entry: Pointer
    about: tuple[str, ...]


def changes(history: Sequence[Pointer]) -> list[Change]:
    """Return the entries of the history, newest first, each with the versions that it changed.

    An entry names the current version after it. A pin does not change this, so its version is found by comparison with
    the entry before.
    """
    before = (*history[1:], None)
    return [Change(entry, _about(entry, earlier)) for entry, earlier in zip(history, before, strict=False)]


def since(history: Sequence[Pointer]) -> datetime | None:
    """Return when the current version became current, or None; later pins and prunes do not count."""
    same = list(takewhile(lambda entry: entry.version == history[0].version, history))
    return same[-1].changed_at if same else None


def _about(entry: Pointer, earlier: Pointer | None) -> tuple[str, ...]:
    if entry.action in {"pin", "unpin"}:
        return tuple(sorted(set(entry.pinned) ^ set(earlier.pinned if earlier else ())))
    return () if entry.action == "prune" else (entry.version,)
