"""What each step of a build did: in a line that a person reads in a log, and in figures that can be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from contextual_rag.building.order import Order
from contextual_rag.building.outcome import Outcome
from contextual_rag.building.plan import as_planned
from contextual_rag.building.publish import Published
from contextual_rag.model import Failure
from contextual_rag.noun import noun
from contextual_rag.versions.records import Manifest, Measured, Plan, Work

__all__ = [
    "REFUSED",
    "Account",
    "of_assembled",
    "of_failures",
    "of_measured",
    "of_order",
    "of_outcome",
    "of_plan",
    "of_published",
]

_NAMED = 5
# What is counted for a version that a gate refused; the error itself is in the log.
REFUSED = "versions.refused"


class Account(NamedTuple):
    """A line for a log, and what it adds to each counter."""

    line: str
    counts: Mapping[str, float]


def of_order(order: Order) -> Account:
    """Say what a run is about."""
    what = f"from the snapshot of {order.snapshot}" if order.snapshot else "from the site"
    some = "" if order.is_whole else f", {len(order.entries)} of them are built"
    elsewhere = f", {_count(len(order.elsewhere), 'link')} elsewhere" if order.elsewhere else ""
    unread = [f" {one.source.name} was not read: {one.why}" for one in order.sources if one.why]
    line = f"{order.source.url} lists {noun().counted(order.listed)}{some}{elsewhere}; read {what}.{''.join(unread)}"
    return Account(line, {"essays.listed": order.listed, "sources.unread": len(unread)})


def of_outcome(step: str, essays: int, outcome: Outcome) -> Account:
    """Say what became of a batch of essays at one step."""
    work = outcome.work
    made = [
        f"{_count(work.model_calls, 'context')} asked for" if work.model_calls else "",
        f"{_count(work.embedded, 'chunk')} embedded" if work.embedded else "",
        f"{work.cost_usd:.4f} USD" if work.cost_usd else "",
        f"{sum(work.seconds.values()):.1f} s",
    ]
    line = f"{step}: {noun().counted(essays)}, {', '.join(filter(None, made))}{_failed(outcome.failed)}."
    return Account(line, _paid(work) | {"contexts.asked": work.model_calls, "chunks.embedded": work.embedded})


def of_plan(plan: Plan, to_make: int, parent: Manifest | None) -> Account:
    """Say what changed since the parent version."""
    new = sum(essay.earlier is None for essay in plan.essays)
    same = sum(essay.earlier is not None and as_planned(essay.earlier) == essay.keys for essay in plan.essays)
    now = {essay.page.url for essay in plan.essays}
    gone = [essay.slug for essay in parent.essays if essay.url not in now] if parent else []
    counts = {"unchanged": same, "changed": len(plan.essays) - new - same, "new": new}
    if parent or not plan.parent:  # of a parent that cannot be read, nobody knows
        counts["gone"] = len(gone)
    since = f"since {plan.parent}" if plan.parent else "in the first version of this recipe"
    said = ", ".join(f"{number} {name}" for name, number in counts.items())
    line = f"{since}: {said}{_some(gone)}{_failed(plan.failed)}; {noun().counted(to_make)} to work on."
    return Account(line, {f"essays.{name}": number for name, number in counts.items()})


def of_assembled(version: str, failed: Sequence[Failure]) -> Account:
    """Say what a version is called, and which essays are not up to date in it."""
    return Account(f"{version} is assembled{_failed(failed)}.", {"essays.failed": len(failed)})


def of_measured(version: str, measured: Measured) -> Account:
    """Say what a version was measured at."""
    figures = ", ".join(f"{name} {value:g}" for name, value in measured.quality.items()) or "there were no questions"
    return Account(f"{version}: {figures}.", _paid(measured.work))


def of_published(published: Published) -> Account:
    """Say whether what answers changed, from what to what, and why."""
    if published.moved:
        line = f"what answers moved from {published.moved_from or 'nothing'} to {published.version}: {published.why}."
        return Account(line, {"versions.moved": 1})
    return Account(
        f"what answers stays: {published.why}. This run came to {published.version}.", {"versions.stayed": 1}
    )


def of_failures(failed: Sequence[Failure]) -> str:
    """Say how many essays failed, and name the first few with their reasons."""
    # A reason may be several sentences with commas.
    return f"{len(failed)} failed{_some([f'{failure.slug}: {failure.reason}' for failure in failed], between='; ')}"


def _paid(work: Work) -> dict[str, float]:
    return {"cost_usd": work.cost_usd}


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _some(names: Sequence[str], *, between: str = ", ") -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" ({between.join(names[:_NAMED])}{more})" if names else ""


def _failed(failed: Sequence[Failure]) -> str:
    return f", {of_failures(failed)}" if failed else ""
