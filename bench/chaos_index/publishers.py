"""Part 1: many processes publish at the same moment, while another prunes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Barrier, Lock
from typing import NamedTuple

from bench.chaos_index.audit import Faults, audit, broken, prune_at_last
from bench.chaos_index.processes import PATIENCE_S, context
from bench.days import FIRST, SOURCE, edition, keep_day
from contextual_rag.building.order import Run
from contextual_rag.building.outcome import Outcome
from contextual_rag.building.publish import Published
from contextual_rag.errors import ConflictError, RagError
from contextual_rag.settings import Settings
from contextual_rag.versions import manage
from contextual_rag.versions.records import Measured, Pointer
from contextual_rag.wiring import World

__all__ = ["PublisherRaces", "race_publishers"]

# Objects of the current round are younger than this; those of earlier rounds may be pruned while it publishes.
_GRACE_S = 12
_KEEP = 2


class PublisherRaces(NamedTuple):
    """The published versions, the changes of CURRENT, the prunes in time, and the faults."""

    published: int
    changes: int
    pruned: int
    faults: Faults


class _Round(NamedTuple):
    """The task of a round: each publisher's day, and the site's edition on it."""

    days: list[date]
    editions: list[str]


class _Report(NamedTuple):
    """A publisher's report of a round."""

    by: str
    published: Published | None
    error: str | None


def race_publishers(
    settings: Settings, *, rounds: int, processes: int, seed: int, progress: Callable[[], object] = lambda: None
) -> PublisherRaces:
    """Let `processes` publish at once, `rounds` times; check the bucket after each round.

    The rounds alternate: different contents on different days, different contents on one day, and equal contents. Days
    continue from round to round.
    """
    chance = random.Random(seed)
    todo = [_round(number, processes, chance) for number in range(rounds)]
    started = context()
    together, one_at_a_time = started.Barrier(processes + 1), started.Lock()
    publishers, receivers = [], []
    for n in range(processes):
        receiving, sending = started.Pipe(duplex=False)
        mine = [(one.days[n], one.editions[n]) for one in todo]
        publishers.append(
            started.Process(target=_publish, args=(settings, n, mine, together, one_at_a_time, sending), daemon=True)
        )
        receivers.append(receiving)
        publishers[-1].start()
        sending.close()
    world = World(settings.model_copy(update={"prune_grace_hours": _GRACE_S / 3600}))
    result = PublisherRaces(0, 0, 0, Faults([], [], []))
    before: list[Pointer] = []
    try:
        for one in todo:
            together.wait(PATIENCE_S)
            pruned = _prunes(world) if before else False
            reports = [_received(each) for each in receivers]
            history = world.registry.history()
            changes = history[: len(history) - len(before)]
            result.faults.broken.extend([*_wrong(reports, changes, one, before), *broken(world, history)])
            result = PublisherRaces(
                result.published + len({report.published.version for report in reports if report.published}),
                len(history),
                result.pruned + pruned,
                result.faults,
            )
            before = history
            progress()
    finally:
        for process in publishers:
            process.kill()
            process.join()
    last = World(settings.model_copy(update={"prune_grace_hours": 0.0}))
    prune_at_last(last, keep=_KEEP)
    found = audit(last)
    return result._replace(faults=Faults(*(one + more for one, more in zip(result.faults, found, strict=True))))


def _round(number: int, processes: int, chance: random.Random) -> _Round:
    base, kind = FIRST + timedelta(days=3 * number), number % 3
    return _Round(
        [base + timedelta(days=0 if kind else chance.randrange(3)) for _ in range(processes)],
        [f"round {number}" if kind == 2 else f"round {number} by {n}" for n in range(processes)],  # noqa: PLR2004
    )


def _publish(
    settings: Settings,
    n: int,
    todo: Sequence[tuple[date, str]],
    together: Barrier,
    one_at_a_time: Lock,
    sending: Connection,
) -> None:
    """A publisher: builds a version each round, and publishes it together with all others."""
    by, world = f"publisher {n}", World(settings)
    for day, name in todo:
        run = Run(day=day, by=by, past=True, promote=True, source=SOURCE)
        made: tuple[str, str, Measured] | None = None
        report = _Report(by, None, None)
        try:
            made = _assembled(world, run, name, one_at_a_time)
        except RagError as error:
            report = _Report(by, None, f"{type(error).__name__}: {error}")
        together.wait(PATIENCE_S)
        if made:
            try:
                report = _Report(by, world.steps.publish(*made), None)
            except RagError as error:
                report = _Report(by, None, f"{type(error).__name__}: {error}")
        sending.send(report)


def _assembled(world: World, run: Run, name: str, one_at_a_time: Lock) -> tuple[str, str, Measured]:
    """Do all steps of a build except the last."""
    with one_at_a_time:  # several have the same day, which has one snapshot
        keep_day(world, run.day, edition(name, edited=1))
        order = world.steps.discover(run).order
        changed = world.steps.changes(order)
    slugs = [slug for slug, _ in changed]
    outcomes: list[Outcome] = [
        world.steps.chunk(order, slugs),
        world.steps.contextualize(order, slugs),
        world.steps.embed(order, slugs),
    ]
    version = world.steps.assemble(order, outcomes).version
    return order, version, world.steps.evaluate(order, version)


def _prunes(world: World) -> bool:
    """Prune while the others publish; return False if one of them changed CURRENT and nothing was pruned."""
    try:
        manage.prune(world, by="pruner", why="in between", keep=_KEEP)
    except ConflictError:
        return False
    return True


def _received(receiving: Connection) -> _Report:
    if not wait([receiving], PATIENCE_S):
        raise TimeoutError("A publisher does not answer.")
    report: _Report = receiving.recv()
    return report


def _wrong(
    reports: Sequence[_Report], changes: Sequence[Pointer], asked: _Round, before: Sequence[Pointer]
) -> list[str]:
    """Compare the publishers' results with the changes of a round, newest first."""
    faults = [f"{report.by}: {report.error}" for report in reports if report.error]
    known = {
        (report.by, report.published.version) for report in reports if report.published and report.published.current
    }
    recorded = [(change.changed_by, change.version) for change in changes if change.action == "publish"]
    versions = [version for _, version in recorded]
    faults += [f"{by} reported {name} as current, but no change does" for by, name in known if name not in versions]
    faults += [
        f"{by} moved CURRENT to {name} but did not report it" for by, name in recorded if (by, name) not in known
    ]
    faults += [f"CURRENT was moved to {name} twice" for name in set(versions) if versions.count(name) > 1]
    made = {report.published.version for report in reports if report.published}
    if len(made) != len(set(asked.editions)):
        faults.append(f"{len(set(asked.editions))} editions became {len(made)} versions")
    answering = next((change.version for change in changes), None)
    if answering not in made:
        faults.append(f"CURRENT names {answering}, which nobody published in this round")
    elif answering[:10] != max(asked.days).isoformat():
        faults.append(f"CURRENT names {answering}, though {max(asked.days)} was published")
    if before and changes and changes[-1].n != before[0].n + 1:
        faults.append(f"change {before[0].n} was followed by change {changes[-1].n}")
    return faults
