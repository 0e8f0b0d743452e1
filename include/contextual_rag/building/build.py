"""A build as a whole, in one process: all steps in order, essay by essay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from contextual_rag.building import PER_ESSAY
from contextual_rag.building.batches import evenly
from contextual_rag.building.order import Run
from contextual_rag.building.outcome import Outcome, timed
from contextual_rag.building.steps import Steps, Titles
from contextual_rag.errors import GateError
from contextual_rag.model import Failure
from contextual_rag.record import Record
from contextual_rag.versions.records import Work

__all__ = ["Built", "Progress", "build_all"]

# Few enough that stored records stay few, many enough that a person sees how far it is.
_BATCHES = 100

# Called as (step, done, of) whenever one more essay is through a step.
Progress = Callable[[str, int, int], None]


class Built(Record):
    """What a build came to: what answers changed (`moved`), `stayed`, or a gate `refused` the version, with the reason.

    `moved_from` is what answered before, if anything did; `why` says why what answers changed; `refusal` is the code of
    the error that the gate raised; `retuned` says that an existing version is asked by another ranking now;
    `uncompared` why its quality was not compared with that of what answered before.
    """

    version: str
    published: bool
    current: bool
    essays: int
    chunks: int
    failed: tuple[Failure, ...]
    elsewhere: tuple[Failure, ...]
    work: Work
    quality: dict[str, float] = Field(default_factory=dict)
    moved: bool = False
    moved_from: str | None = None
    why: str | None = None
    stayed: str | None = None
    refused: str | None = None
    refusal: str | None = None
    retuned: bool = False
    uncompared: str | None = None

    @property
    def state(self) -> Literal["moved", "stayed", "refused"]:
        """What became of the version that answers."""
        return "refused" if self.refused else "moved" if self.moved else "stayed"


def build_all(steps: Steps, run: Run, progress: Progress = lambda *_: None) -> Built:
    """Do all steps in order.

    Raises errors that concern more than one essay; what was finished before stays and is not made again.
    """
    outcomes: list[Outcome] = []

    def each(step: str, titles: Titles) -> None:
        done = 0
        progress(step, done, len(titles))
        for batch in evenly(titles, _BATCHES):
            outcomes.append(getattr(steps, step)(digest, [slug for slug, _ in batch]))
            done += len(batch)
            progress(step, done, len(titles))

    progress("discover", 0, 1)
    digest, titles, asks_site = steps.discover(run)
    progress("discover", 1, 1)
    if asks_site:
        each("fetch", titles)
    changed = steps.changes(digest)
    for step in PER_ESSAY:
        each(step, changed)
    progress("assemble", 0, 1)
    with timed("assemble") as assembling:
        version, failed = steps.assemble(digest, outcomes)
    progress("assemble", 1, 1)
    progress("evaluate", 0, 1)
    measured = steps.evaluate(digest, version)
    progress("evaluate", 1, 1)
    published, refused = None, None
    try:
        published = steps.publish(digest, version, measured)
    except GateError as error:
        refused = error
    described = steps.described(version)
    return Built(
        version=version,
        published=published is not None and published.published,
        current=published.current if published else steps.is_current(version),
        essays=len(described.essays),
        chunks=described.chunks,
        failed=failed,
        elsewhere=steps.order(digest).elsewhere,
        work=sum((outcome.work for outcome in outcomes), steps.plan(digest).work + assembling.work + measured.work),
        quality=measured.quality,
        moved=published is not None and published.moved,
        moved_from=published.moved_from if published else None,
        why=published.why if published and published.moved else None,
        stayed=published.why if published and not published.moved else None,
        refused=str(refused) if refused else None,
        refusal=refused.code if refused else None,
        retuned=published is not None and published.retuned,
        uncompared=published.uncompared if published else None,
    )
