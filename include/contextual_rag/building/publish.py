"""From an assembled version to the one that answers: its gates, one last look at all of it, and the manifest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from contextual_rag.building.assemble import lacking_files
from contextual_rag.building.gates import check_failures, check_quality, check_shrink
from contextual_rag.building.order import Order
from contextual_rag.building.retune import tuning
from contextual_rag.errors import CorruptObjectError, UnknownVersionError
from contextual_rag.ports import Indexes, ObjectStore, VectorStore
from contextual_rag.record import Record
from contextual_rag.versions.pointer import until_first
from contextual_rag.versions.records import Draft, Manifest, Measured
from contextual_rag.versions.registry import Registry
from contextual_rag.versions.vectors import fill

__all__ = ["Published", "publish"]


class Published(Record):
    """What a build came to; `published` says that a new version was made, `current` that CURRENT names it.

    If it does not, `why` says why CURRENT stayed. `retuned` says that a version which was there is asked by another
    ranking now. `uncompared` says why its quality was not compared with that of what
    answered before, if it should have been.
    """

    version: str
    published: bool
    current: bool
    why: str | None = None
    retuned: bool = False
    uncompared: str | None = None


def publish(
    store: ObjectStore,
    vectors: VectorStore,
    registry: Registry,
    indexes: Indexes,
    order: Order,
    version: str,
    measured: Measured,
) -> Published:
    """Make an assembled version the one that answers; write its manifest last of all.

    The version may be of an earlier day than the order, if nothing had changed since then. `measured` compares with
    what answered when it was measured, which is what the gate on quality goes by. Raises GateError with the figures if
    the version is not good enough, UnknownVersionError if it lacks anything; then it stays unpublished.
    """

    def check_whole(one: Draft | Manifest) -> None:
        """Raise if a file or a vector of a version is not there and cannot be put back."""
        if lacking := lacking_files(store, one):
            raise UnknownVersionError(
                f"{one.version} lacks {', '.join(lacking)}: it was pruned while it was built. Run the build again."
            )
        if lost := fill(store, vectors, one, indexes.open(one)):
            raise CorruptObjectError(
                f"{one.version} lacks {lost} of its {one.chunks} vectors, and what they were made from is gone: it was "
                "pruned while it was built. Run the build again."
            )

    made, uncompared = _made(registry, order, version, measured, check_whole)
    manifest = registry.manifest(version)
    retuned = False
    if not made:
        # It may have been published long ago, and is to answer now.
        check_whole(manifest)
        if retuned := order.retunes(registry.resolve(version)):
            if measured.compared:
                check_quality(measured.compared, order.gates.max_quality_drop)
            registry.retune(version, tuning(order.ranking, measured), by=order.by, why="the build asked for it")
    tuned = tuning(order.ranking, measured) if order.ranking_is_tuned and made else None
    why = registry.advance(manifest, promote=order.promote, by=order.by, tuned=tuned)
    registry.hold(order.day, manifest, by=order.by)
    return Published(
        version=version, published=made, current=why is None, why=why, retuned=retuned, uncompared=uncompared
    )


@until_first
def _made(
    registry: Registry, order: Order, version: str, measured: Measured, check_whole: Callable[[Draft], None]
) -> tuple[bool, str | None]:
    """Make a version of a draft; return whether this was needed, and why it was not compared.

    Begins again if another process took the draft meanwhile.
    """
    if registry.drafts.finish(version) or registry.exists(version):
        return False, None
    taken = registry.drafts.take(version)
    if taken is None:
        if registry.exists(version):
            return False, None  # another process published it at this moment
        raise UnknownVersionError(f"{version} was never assembled, or it was pruned. Build it again.")
    draft, tag = taken
    if isinstance(draft, Manifest):  # decided by another process at this moment
        registry.drafts.finish(version)
        return False, None
    before = registry.before(draft)
    uncompared = None
    check_failures(draft, order.gates)
    if order.promote and before:
        check_shrink(before, draft, order.gates)
        if measured.compared:
            check_quality(measured.compared, order.gates.max_quality_drop)
            uncompared = measured.compared.why_not
    # Whoever prunes now may have chosen before the draft was taken; whoever begins after it leaves the draft alone, or
    # gives it up first, and then `publish` below is refused.
    registry.wait_for_pruning()
    check_whole(draft)
    parent = draft.parent or (before.version if order.promote and before else None)
    manifest = Manifest(
        **(draft.model_dump() | {"parent": parent}),
        created_at=datetime.now(UTC),
        quality=measured.quality,
        yardstick=measured.yardstick,
    )
    registry.drafts.publish(manifest, tag)
    return True, uncompared
