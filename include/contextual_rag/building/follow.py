"""From a source to what it lists on a day. A source may be a file that names several, each followed by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import count
from typing import NamedTuple

from contextual_rag.building.fetch import Listed, list_source
from contextual_rag.building.order import Looked
from contextual_rag.building.plan import entry_of
from contextual_rag.building.snapshots import latest, sources_with_snapshots
from contextual_rag.errors import RagError, RetriableError, SourceError, UnknownSnapshotError
from contextual_rag.keys import digest
from contextual_rag.model import Entry, Failure, Followed, Snapshot, Source
from contextual_rag.ports import ObjectStore, Site
from contextual_rag.sources.uploads import UPLOADS

__all__ = ["Part", "list_several", "look", "look_back"]


class Part(NamedTuple):
    """One of several sources, and what it lists, or listed on an earlier day if there is an `error`."""

    followed: Followed
    listed: Listed
    error: RagError | None = None


def look(
    store: ObjectStore,
    source: Source,
    several: Sequence[Source],
    day: date,
    site: Callable[..., Site],
    *,
    uploads_only: bool = False,
) -> Looked:
    """Ask a source what it lists now, or each of `several` that it names; `site` opens it.

    If `uploads_only`, a source other than the uploads is as it was when it was asked on this day, if it was.

    Raises SourceError or RetriableError if it cannot be read, or none of several can.
    """
    if several:

        def of_today(one: Source) -> Snapshot | None:
            found = latest(store, one, day) if uploads_only and one != UPLOADS else None
            return found if found and found.date == day else None

        parts = list_several(several, site, lambda one: latest(store, one, day), of_today)
        if parts[0].error and all(part.error for part in parts):
            raise parts[0].error
        return _joined(parts)
    with site() as opened:
        listed = list_source(opened, source)
    return Looked(listed.entries, len(listed.entries), listed.elsewhere)


def look_back(store: ObjectStore, source: Source, several: Sequence[Source], day: date) -> Looked:
    """Return what a source listed on a past day, or what each of `several` did. Raises UnknownSnapshotError."""
    found = {one.name: latest(store, one, day) for one in several or (source,)}
    dates = [snapshot.date for snapshot in found.values() if snapshot]
    if not dates:
        others = ", ".join(sources_with_snapshots(store)) or "none"
        raise UnknownSnapshotError(
            f"No snapshot of {source.url} on {day} or an earlier day is stored, so this day cannot be built. Sources "
            f"with snapshots: {others}."
        )
    if several:
        unread = UnknownSnapshotError(f"No snapshot of it on {day} or an earlier day is stored.")
        # Before anybody uploaded anything, there was nothing to read.
        then = [one for one in several if found[one.name] or one != UPLOADS]
        parts = [_kept(one, found[one.name], None if found[one.name] else unread) for one in then]
        return _joined(_told_apart(parts))._replace(snapshot=max(dates))
    part = _kept(source, found[source.name])
    return Looked(part.listed.entries, part.followed.listed, snapshot=dates[0])


def list_several(
    sources: Sequence[Source],
    site: Callable[[Source], Site],
    last: Callable[[Source], Snapshot | None] = lambda _: None,
    stays: Callable[[Source], Snapshot | None] = lambda _: None,
    *,
    may_be_empty: bool = False,
) -> list[Part]:
    """Return what each of several sources lists; one that cannot be read keeps what it listed `last`, and is named.

    One that `stays` as it was is not asked.

    A page that two of them list is a document of the first.
    """
    parts: list[Part] = []
    for source in sources:
        if known := stays(source):
            parts.append(_kept(source, known))
            continue
        try:
            with site(source) as opened:
                listed = list_source(opened, source, may_be_empty=may_be_empty)
            parts.append(Part(Followed(source=source, listed=len(listed.entries)), listed))
        except (SourceError, RetriableError) as error:
            parts.append(_kept(source, last(source), error))
    return _told_apart(parts)


def _kept(source: Source, snapshot: Snapshot | None, error: RagError | None = None) -> Part:
    """Return what a source listed when the snapshot was taken."""
    entries = tuple(entry_of(page) for page in snapshot.pages) if snapshot else ()
    stay = f". Its documents of {snapshot.date} stay." if snapshot else ""
    followed = Followed(
        source=source,
        listed=snapshot.listed if snapshot else 0,
        snapshot=snapshot.date if snapshot else None,
        why=f"{str(error).rstrip('.')}{stay}" if error else None,
    )
    return Part(followed, Listed(entries, ()), error)


def _told_apart(parts: Sequence[Part]) -> list[Part]:
    """Give no two documents the same address or slug; the first source that has one keeps it."""
    owners: dict[str, str] = {}
    slugs: set[str] = set()
    apart = []
    for followed, listed, error in parts:
        name, entries, shared = followed.source.name, [], []
        for entry in listed.entries:
            if (owner := owners.setdefault(entry.url, name)) == name:
                slug = next(slug for slug in _slugs(entry, name) if slug.casefold() not in slugs)
                slugs.add(slug.casefold())
                entries.append(entry.model_copy(update={"slug": slug, "source": name}))
            else:
                shared.append(Failure(slug=entry.slug, url=entry.url, reason=f"is a document of the source {owner}"))
        own = followed.model_copy(update={"listed": followed.listed - len(shared)})
        apart.append(Part(own, listed._replace(entries=tuple(entries), elsewhere=(*listed.elsewhere, *shared)), error))
    return apart


def _slugs(entry: Entry, source: str) -> Iterator[str]:
    """Yield what a document may be called: its slug, or that and a hash of its source and address."""
    yield entry.slug
    for n in count():
        yield f"{entry.slug[:80]}-{digest(source, entry.url, n)[:8]}"


def _joined(parts: Sequence[Part]) -> Looked:
    return Looked(
        entries=tuple(entry for part in parts for entry in part.listed.entries),
        listed=sum(part.followed.listed for part in parts),
        elsewhere=tuple(link for part in parts for link in part.listed.elsewhere),
        sources=tuple(part.followed for part in parts),
    )
