"""Snapshots: which page every document of a source had on a day; what a past day is built from."""

from __future__ import annotations

from datetime import date

from contextual_rag import keys
from contextual_rag.errors import ConflictError
from contextual_rag.model import Snapshot, Source
from contextual_rag.objects import require
from contextual_rag.ports import ObjectStore
from contextual_rag.record import decode, encode
from contextual_rag.versions.pointer import until_first

__all__ = ["keep", "latest", "sources_with_snapshots"]


def latest(store: ObjectStore, source: Source, day: date) -> Snapshot | None:
    """Return the snapshot of a source on a day, or the nearest earlier one; None if there is none.

    Of release 0.1.0's snapshots, which name no source in their key, those of the same address count.
    """
    found: dict[date, str] = {}
    unnamed: dict[date, str] = {}
    for key in store.list(keys.SNAPSHOTS):
        of = keys.snapshot_of(key)
        if of and of[1] <= day and of[0] in {source.name, ""}:
            (found if of[0] else unnamed)[of[1]] = key
    newest = max(found, default=date.min)
    for on in sorted(unnamed, reverse=True):
        if on < newest:
            break
        snapshot = require(store, unnamed[on], Snapshot)
        if snapshot.source.url == source.url and on not in found:
            return snapshot
    return require(store, found[newest], Snapshot) if found else None


def sources_with_snapshots(store: ObjectStore) -> list[str]:
    """Return the addresses of the sources of which snapshots are stored."""
    last = {of[0]: key for key in store.list(keys.SNAPSHOTS) if (of := keys.snapshot_of(key))}
    return sorted({require(store, key, Snapshot).source.url for key in last.values()})


@until_first
def keep(store: ObjectStore, snapshot: Snapshot) -> None:
    """Store the snapshot of a source and a day, unless one of an order that was decided later is there."""
    key = keys.snapshot(snapshot.source.name, snapshot.date)
    stored = store.get(key)
    if stored and decode(key, stored.body, Snapshot).decided_at > snapshot.decided_at:
        return
    body = encode(snapshot)
    try:
        store.swap(key, body, expected=stored.etag if stored else None)
    except ConflictError:
        now = store.get(key)
        if now is None or now.body != body:
            raise
