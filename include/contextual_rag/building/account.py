"""What each step of a build did, in a line that a person reads in a log."""

from __future__ import annotations

from collections.abc import Sequence

from contextual_rag.building.order import Order
from contextual_rag.building.outcome import Outcome
from contextual_rag.building.publish import Published
from contextual_rag.model import Failure
from contextual_rag.versions.records import Manifest, Measured, Plan

__all__ = ["of_measured", "of_order", "of_outcome", "of_plan", "of_published"]

_NAMED = 5


def of_order(order: Order) -> str:
    """Say what a run is about."""
    what = f"from the snapshot of {order.snapshot}" if order.snapshot else "from the site"
    some = "" if order.is_whole else f", {len(order.entries)} of them are built"
    elsewhere = f", {_count(len(order.elsewhere), 'link')} elsewhere" if order.elsewhere else ""
    return f"{order.source.url} lists {_count(order.listed, 'essay')}{some}{elsewhere}; read {what}."


def of_outcome(step: str, essays: int, outcome: Outcome) -> str:
    """Say what became of a batch of essays at one step."""
    work = outcome.work
    made = [
        f"{_count(work.model_calls, 'context')} asked for" if work.model_calls else "",
        f"{_count(work.embedded, 'chunk')} embedded" if work.embedded else "",
        f"{work.cost_usd:.4f} USD" if work.cost_usd else "",
        f"{sum(work.seconds.values()):.1f} s",
    ]
    return f"{step}: {_count(essays, 'essay')}, {', '.join(filter(None, made))}{_failed(outcome.failed)}."


def of_plan(plan: Plan, to_make: int, parent: Manifest | None) -> str:
    """Say what changed since the parent version."""
    new = sum(essay.earlier is None for essay in plan.essays)
    same = sum(essay.earlier is not None and essay.earlier == essay.keys for essay in plan.essays)
    now = {essay.page.url for essay in plan.essays}
    gone = [essay.slug for essay in parent.essays if essay.url not in now] if parent else []
    counts = {"unchanged": same, "changed": len(plan.essays) - new - same, "new": new, "gone": len(gone)}
    since = f"since {plan.parent}" if plan.parent else "in the first version of this recipe"
    said = ", ".join(f"{number} {name}" for name, number in counts.items())
    return f"{since}: {said}{_some(gone)}{_failed(plan.failed)}; {_count(to_make, 'essay')} to work on."


def of_measured(version: str, measured: Measured) -> str:
    """Say what a version was measured at."""
    figures = ", ".join(f"{name} {value:g}" for name, value in measured.quality.items()) or "there were no questions"
    return f"{version}: {figures}."


def of_published(published: Published) -> str:
    """Say whether what answers changed, from what to what, and why."""
    if published.moved:
        return f"what answers moved from {published.moved_from or 'nothing'} to {published.version}: {published.why}."
    return f"what answers stays: {published.why}. This run came to {published.version}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" ({', '.join(names[:_NAMED])}{more})" if names else ""


def _failed(failed: Sequence[Failure]) -> str:
    if not failed:
        return ""
    reasons = [f"{failure.slug}: {failure.reason}" for failure in failed]
    return f", {len(failed)} failed{_some(reasons)}"
