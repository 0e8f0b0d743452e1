"""What became of a batch of essays at one step, handed from task to task."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import Field

from contextual_rag.model import Failure
from contextual_rag.record import Record
from contextual_rag.versions.records import Work

__all__ = ["Outcome", "Timed", "ended", "timed"]


class Outcome(Record):
    """What a step took, and which essays failed there.

    `retriable` says that some of the failures may be cured by running the batch again. `ended` says for essays whose
    step was ended before it could tell what became of each, why it was. `fatal` is the message of an error that ended
    the step and will end it again until a person has acted, `fatal_code` its code.
    """

    work: Work = Work()
    failed: tuple[Failure, ...] = ()
    retriable: bool = False
    ended: dict[str, str] = Field(default_factory=dict)
    fatal: str | None = None
    fatal_code: str | None = None

    def __add__(self, other: Outcome) -> Outcome:
        """Join two steps' outcomes over the same essays; of two failures of one essay the first stays."""
        failed = {failure.slug: failure for failure in (*other.failed, *self.failed)}
        return Outcome(
            work=self.work + other.work,
            failed=tuple(failed.values()),
            retriable=self.retriable or other.retriable,
            ended=other.ended | self.ended,
            fatal=self.fatal or other.fatal,
            fatal_code=self.fatal_code if self.fatal else other.fatal_code,
        )


def ended(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """Return for the essays of steps that were ended why they were."""
    return {slug: why for outcome in outcomes for slug, why in outcome.ended.items()}


@dataclass
class Timed:
    """What a step has done so far; `work` may be added to while it runs."""

    work: Work = field(default_factory=Work)


@contextmanager
def timed(step: str) -> Iterator[Timed]:
    """Add the wall-clock seconds of the block to its work, under the step's name."""
    spent = Timed()
    start = time.perf_counter()
    yield spent
    spent.work += Work(seconds={step: round(time.perf_counter() - start, 3)})
