"""Whether a build moves CURRENT: the one place that decides, for a new version and for one that comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from contextual_rag.building.order import Order
from contextual_rag.building.plan import as_planned
from contextual_rag.model import Failure
from contextual_rag.noun import noun
from contextual_rag.versions.gates import Objection, losses, objections, refuse
from contextual_rag.versions.records import Compared, Draft, Manifest, Measured, Plan, Pointer, Version
from contextual_rag.versions.registry import Registry

__all__ = ["Decision", "as_found", "decide", "replaced"]

# A site may lose the allowed share in this time, and not every night.
_DAYS: Final = timedelta(days=7)


class Decision(NamedTuple):
    """Why CURRENT stays, or None if it may move; and why quality was not compared, if it should have been."""

    stays: str | None
    uncompared: str | None = None


def replaced(registry: Registry, order: Order, version: Version, pointer: Pointer | None) -> Manifest | None:
    """Return what a version would replace; None if CURRENT stays whatever the figures say, or nothing answers."""
    return None if _stays(registry, order, version.version, pointer) else registry.before(version, pointer)


def decide(registry: Registry, order: Order, found: Version, measured: Measured, pointer: Pointer | None) -> Decision:
    """Decide whether CURRENT moves to a version, given what CURRENT says.

    Raises GateError with the figures if the version is not good enough to replace what answers.
    """
    if why := _stays(registry, order, found.version, pointer):
        return Decision(why)
    before = registry.before(found, pointer)
    if before is None:
        return Decision(None)
    compared = _compared(before, measured)
    found_wrong = objections(before, found, order.gates, compared)
    if pointer and not losses(before, found, order.gates):
        found_wrong += _over_days(registry, order, found, before, pointer)
    refuse(one for one in found_wrong if not (one.code == "gate_source" and order.promote_is_asked_for))
    return Decision(None, compared.why_not)


def as_found(order: Order, plan: Plan, version: Version) -> Version:
    """Return a version with what this run found: when it was published before, other essays may have failed."""
    there = set(map(as_planned, version.essays))
    failed = {failure.url: failure for failure in plan.failed}
    if isinstance(version, Draft):
        failed |= {failure.url: failure for failure in version.failed}
    for essay in plan.essays:
        if essay.keys not in there:
            lacking = Failure(slug=essay.keys.slug, url=essay.keys.url, reason="its content of today was not made")
            failed.setdefault(essay.keys.url, lacking)
    seen = {"failed": tuple(failed.values())} | {name: getattr(order, name) for name in ("listed", "source", "sources")}
    return version.model_copy(update=seen)


def _stays(registry: Registry, order: Order, version: str, pointer: Pointer | None) -> str | None:
    if pointer and pointer.version == version:
        return "nothing has changed since it was published"
    if order.held_back:
        return f"{order.held_back} (`rag promote {version}` lets it answer)"
    return registry.stays(pointer, version)


def _over_days(
    registry: Registry, order: Order, found: Version, current: Manifest, pointer: Pointer
) -> list[Objection]:
    """Object to what went little by little: beside what answered in the last days, back to a loss that was allowed."""
    later = current
    for earlier in registry.answered(pointer, order.day - _DAYS):
        # No build could do so by itself: it had a higher limit.
        if losses(earlier, later, order.gates):
            break
        if lost := losses(earlier, found, order.gates):
            since = f"little by little since {earlier.logical_date}"
            measure = f"`rag promote {current.version}` makes what answers now the measure"
            return [one._replace(message=f"{since}, {one.message} ({measure})") for one in lost]
        later = earlier
    return []


def _compared(before: Manifest, measured: Measured) -> Compared:
    """Return the figures beside those of what is replaced, or why there are none."""
    compared = measured.compared
    if compared and compared.version == before.version:
        return compared
    if not measured.quality:
        why_not = (
            f"no question can be asked of it: none of those in the bucket, and too few made from its {noun().many}"
        )
        return Compared(version=before.version, why_not=why_not)
    why_not = f"{before.version} did not answer yet when it was measured; run again"
    return Compared(version=before.version, why_not=why_not, curable=True)
