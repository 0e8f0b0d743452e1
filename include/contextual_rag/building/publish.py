"""From an assembled version to the one that answers: its gates, one last look at all of it, and the manifest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from contextual_rag.building.gates import Decision, as_found, decide
from contextual_rag.building.order import Order
from contextual_rag.building.retune import tuning
from contextual_rag.errors import CorruptObjectError, UnknownVersionError
from contextual_rag.ports import Indexes, ObjectStore, VectorStore
from contextual_rag.record import Record
from contextual_rag.versions.gates import failures, quality, refuse
from contextual_rag.versions.parts import lacking_files
from contextual_rag.versions.pointer import until_first
from contextual_rag.versions.records import Draft, Manifest, Measured, Plan, Pointer
from contextual_rag.versions.registry import Registry
from contextual_rag.versions.vectors import fill

__all__ = ["Published", "publish"]

_RETUNED = "the build asked for another ranking"


class Published(Record):
    """What a build came to; `published` says that a new version was made, `current` that CURRENT names it.

    `moved` says that what answers changed: CURRENT moved here from `moved_from`, if anything answered before; or it
    named the version already, which is asked by another ranking now (`retuned`). `why` says why it changed or stayed.
    `uncompared` says why its quality was not compared with that of what answered before, if it should have been.
    """

    version: str
    published: bool
    current: bool
    moved: bool
    moved_from: str | None
    why: str
    retuned: bool = False
    uncompared: str | None = None


def publish(
    store: ObjectStore,
    vectors: VectorStore,
    registry: Registry,
    indexes: Indexes,
    order: Order,
    plan: Plan,
    version: str,
    measured: Measured,
) -> Published:
    """Make an assembled version the one that answers, and write its manifest, if its gates allow it.

    The version may have been published before; it may be of an earlier day than the order, if nothing had changed since
    then. `measured` compares with what answered when it was measured. Raises GateError with the figures if the version
    is not good enough; then CURRENT stays, and a new version stays unpublished. Raises UnknownVersionError if it lacks
    anything.
    """

    decided = Decision(None)

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

    def judge(one: Draft | Manifest, pointer: Pointer | None) -> Decision:
        """Decide whether a version replaces what CURRENT says. Raises GateError."""
        nonlocal decided
        found = as_found(order, plan, one)
        refuse(failures(found, order.gates))
        decided = decide(registry, order, found, measured, pointer)
        return decided

    made = _made(registry, order, version, measured, judge, check_whole)
    manifest = registry.manifest(version)
    if not made:
        # It may have been published long ago, and is to answer now.
        check_whole(manifest)
        judge(manifest, registry.current())
    retuned = not made and order.retunes(registry.resolve(version))
    if retuned:
        refuse(quality(measured.compared, order.gates))
        registry.retune(version, tuning(order.ranking, measured), by=order.by, why=_RETUNED)
    tuned = tuning(order.ranking, measured) if order.ranking_is_tuned and made else None
    registry.hold(order.day, manifest, by=order.by)
    # Last of all, so that nothing fails once it has moved: whoever hears of this return hears of the change. Another
    # process may have moved CURRENT meanwhile, so what it says at this moment is judged again.
    why = "a new version was published" if made else "it was published before, and its content is back"
    before = registry.advance(
        version,
        lambda pointer: judge(manifest, pointer).stays is None,
        by=order.by,
        why=why,
        tuned=tuned,
    )
    current = decided.stays is None or (before is not None and before.version == version)
    moved = decided.stays is None or (retuned and current)
    return Published(
        version=version,
        published=made,
        current=current,
        moved=moved,
        moved_from=before.version if before and moved else None,
        why=_RETUNED if retuned and current else decided.stays or why,
        retuned=retuned,
        uncompared=decided.uncompared,
    )


@until_first
def _made(
    registry: Registry,
    order: Order,
    version: str,
    measured: Measured,
    judge: Callable[[Draft, Pointer | None], Decision],
    check_whole: Callable[[Draft], None],
) -> bool:
    """Make a version of a draft; return whether this was needed.

    Begins again if another process took the draft meanwhile.
    """
    if registry.drafts.finish(version) or registry.exists(version):
        return False
    taken = registry.drafts.take(version)
    if taken is None:
        if registry.exists(version):
            return False  # another process published it at this moment
        raise UnknownVersionError(f"{version} was never assembled, or it was pruned. Build it again.")
    draft, tag = taken
    if isinstance(draft, Manifest):  # decided by another process at this moment
        registry.drafts.finish(version)
        return False
    pointer = registry.current()
    judge(draft, pointer)
    # Whoever prunes now may have chosen before the draft was taken; whoever begins after it leaves the draft alone, or
    # gives it up first, and then `publish` below is refused.
    registry.wait_for_pruning()
    check_whole(draft)
    before = registry.before(draft, pointer) if order.promote else None
    parent = draft.parent or (before.version if before else None)
    manifest = Manifest(
        **(draft.model_dump() | {"parent": parent}),
        created_at=datetime.now(UTC),
        began_at=order.decided_at,
        quality=measured.quality,
        yardstick=measured.yardstick,
    )
    registry.drafts.publish(manifest, tag)
    return True
