"""How fresh the answers are: which version answers, and when its source was last looked at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from contextual_rag.building.snapshots import latest
from contextual_rag.errors import UnknownVersionError
from contextual_rag.model import Failure
from contextual_rag.ports import ObjectStore
from contextual_rag.sources.uploads import UPLOADS
from contextual_rag.versions.registry import Registry

__all__ = ["Freshness", "freshness"]


class Freshness(NamedTuple):
    """`looked_at` is when a run last listed the whole source, None if no snapshot is stored; `failed` failed then.

    Of several sources, `source` is the one that was not read for the longest time.
    """

    version: str
    since: datetime
    by: str
    why: str
    source: str
    looked_at: datetime | None
    failed: tuple[Failure, ...]
    stale: bool


def freshness(store: ObjectStore, registry: Registry, *, now: datetime, stale_after: timedelta) -> Freshness:
    """Return what answers and how fresh it is. Raises UnknownVersionError if nothing was published yet."""
    pointer = registry.current()
    if pointer is None:
        raise UnknownVersionError("No index has been published yet. Run `rag build` or the DAG build_index.")
    # CURRENT's last change may be a pin; the first of the newest changes that name this version made it answer.
    since = pointer
    for change in registry.history():
        if change.version != pointer.version:
            break
        since = change
    looks = [(one.source, latest(store, one.source, now.date())) for one in registry.manifest(pointer.version).followed]
    # Of several sources, the one that was not read for the longest time says how fresh the answers are. Uploads are
    # read more often than the others.
    read = [look for look in looks if look[0] != UPLOADS] or looks
    source, oldest = min(read, key=lambda look: look[1].decided_at.timestamp() if look[1] else 0)
    looked_at = oldest.decided_at if oldest else None
    newest = max((snapshot.decided_at for _, snapshot in read if snapshot), default=None)
    failed = [failure for _, snapshot in looks if snapshot for failure in snapshot.failed]
    for one, snapshot in read:
        if newest and (snapshot is None or snapshot.decided_at < newest):
            last = f"it was read last at {snapshot.decided_at:%Y-%m-%d %H:%M} UTC" if snapshot else "it was never read"
            failed.append(
                Failure(slug=f"source {one.name}", url=one.url, reason=f"the last run did not read it; {last}")
            )
    return Freshness(
        version=pointer.version,
        since=since.changed_at,
        by=since.changed_by,
        why=since.why,
        source=source.url,
        looked_at=looked_at,
        failed=tuple(failed),
        stale=looked_at is None or now - looked_at > stale_after,
    )
