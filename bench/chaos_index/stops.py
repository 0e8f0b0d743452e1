"""Part 3: stops builders and pruners for longer than grace and lease, and lets them go on where they stood."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Any, NamedTuple

from bench.chaos_index.audit import Faults, audit, broken, prune_at_last
from bench.chaos_index.processes import PATIENCE_S, context
from bench.days import FIRST, SOURCE, build_day, edition, keep_day
from contextual_rag.building.order import Run
from contextual_rag.building.outcome import Outcome
from contextual_rag.errors import CorruptObjectError, RagError, RetriableError, UnknownVersionError
from contextual_rag.ports import ObjectStore, VectorStore
from contextual_rag.settings import Settings
from contextual_rag.versions import manage
from contextual_rag.wiring import World

__all__ = ["Stopped", "stop_often"]

# Signs of life and leases are older than these after every stop. A store obeys requests until a time in whole seconds,
# of which a shorter lease has too few.
_GRACE_S = 1.0
_DEAD_AFTER_S = 6.0
_STOP_S = (6.5, 8.0)
_BUILDERS = 3
_PRUNERS = 2
# Of so many stopped at once, at least one other builder and one other pruner go on.
_STOPPED_AT_ONCE = 2
_KEEP = 2
_BUILDS_IN_A_ROUND = 2
# Few days, editions and recipes, so that a version that was pruned is soon built again.
_DAYS = 4
_EDITIONS = 3
_SIZES = (500, 800)
# What a builder or a pruner is doing; a stop is aimed at what was hit least often.
_PHASES = ("plan", "make", "assemble", "evaluate", "publish", "choose", "remove")
_IDLE = -1
_LOOK_EVERY_S = 0.0005
# A phase that does not come for so long is not waited for any more.
_AIM_S = 3.0
_SOON_S = 0.3
# To be run again.
_AGAIN = (UnknownVersionError, CorruptObjectError, RetriableError)


class Stopped(NamedTuple):
    """The stops in each phase, what became of builds and prunes, and the faults.

    `refused` counts the builds and prunes that ended with an error that says to run them again, by its class.
    """

    phases: Mapping[str, int]
    rounds: int
    published: int
    pruned: int
    refused: Counter[str]
    faults: Faults

    @property
    def stops(self) -> int:
        """The number of all stops."""
        return sum(self.phases.values())


class _Report(NamedTuple):
    """What became of a round in one process."""

    published: int
    pruned: int
    refused: Sequence[str]
    faults: Sequence[str]


class _Worker(NamedTuple):
    """A process, where it is, and the two ends of its pipes that are ours."""

    process: BaseProcess
    phase: Synchronized[int]
    telling: Connection
    hearing: Connection


def stop_often(settings: Settings, *, stops: int, seed: int, progress: Callable[[], object] = lambda: None) -> Stopped:
    """Stop processes that build or prune `stops` times; check all versions after each round of builds.

    In each round the days have other pages. Every builder builds some of them while the pruners prune, again and again.
    At the end, do a clean run and check the whole bucket.
    """
    chance = random.Random(seed)
    settings = settings.model_copy(
        update={"prune_grace_hours": _GRACE_S / 3600, "prune_dead_after_s": _DEAD_AFTER_S, "budget_usd": None}
    )
    last = World(settings.model_copy(update={"prune_grace_hours": 0.0, "prune_dead_after_s": 10 * _DEAD_AFTER_S}))
    _keep_days(last, chance)
    build_day(last, FIRST, promote=True)
    workers = [_started(settings, n, chance) for n in range(_BUILDERS + _PRUNERS)]
    hit: Counter[str] = Counter()
    reports: list[_Report] = []
    rounds = 0
    try:
        while hit.total() < stops:
            rounds += 1
            _keep_days(last, chance)
            for worker in workers:
                worker.telling.send("begin")
            reports += _stop_some(workers, chance, hit, stops, progress)
            for fault in broken(last, last.registry.history()):
                reports.append(_Report(0, 0, (), [f"round {rounds}: {fault}"]))
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
    faults = Faults([fault for report in reports for fault in report.faults], [], [])
    try:
        found = _clean_run(last, rounds)
    except RagError as error:
        found = Faults([f"the clean run failed: {type(error).__name__}: {error}"], [], [])
    return Stopped(
        {phase: hit[phase] for phase in _PHASES},
        rounds,
        sum(report.published for report in reports),
        sum(report.pruned for report in reports),
        Counter(name for report in reports for name in report.refused),
        Faults(*(one + more for one, more in zip(faults, found, strict=True))),
    )


def _keep_days(world: World, chance: random.Random) -> None:
    """Give each day a site. Only what builds make of it is at stake here: pages are put while nothing is removed."""
    for n in range(_DAYS):
        keep_day(world, FIRST + timedelta(days=n), edition(f"number {chance.randrange(_EDITIONS)}", edited=1 + n % 2))


def _clean_run(world: World, rounds: int) -> Faults:
    day = FIRST + timedelta(days=_DAYS)
    keep_day(world, day, edition(f"clean run {rounds}", edited=1))
    build_day(world, day, promote=True)
    prune_at_last(world, keep=_KEEP)
    return audit(world)


def _started(settings: Settings, n: int, chance: random.Random) -> _Worker:
    started = context()
    # Each is a machine of its own.
    own = settings.model_copy(update={"data_dir": settings.data_dir / f"worker-{n}"})
    phase = started.Value("i", _IDLE, lock=False)
    theirs, telling = started.Pipe(duplex=False)
    hearing, sending = started.Pipe(duplex=False)
    process = started.Process(target=_work, args=(own, n, chance.randrange(2**32), phase, theirs, sending), daemon=True)
    process.start()
    theirs.close()
    sending.close()
    return _Worker(process, phase, telling, hearing)


def _stop_some(
    workers: Sequence[_Worker],
    chance: random.Random,
    hit: Counter[str],
    stops: int,
    progress: Callable[[], object],
) -> list[_Report]:
    """Stop workers until all builders have done their part, then end the round; return what all report."""
    builders, pruners = workers[:_BUILDERS], workers[_BUILDERS:]
    until: dict[int, float] = {}
    deadline = time.monotonic() + PATIENCE_S
    while any(not worker.hearing.poll() for worker in builders):
        if time.monotonic() > deadline:
            raise TimeoutError("The builders make no progress.")
        _go_on(workers, until)
        if len(until) < _STOPPED_AT_ONCE and hit.total() < stops:
            if (found := _aimed(workers, until, chance, hit)) is not None:
                n, phase = found
                until[n] = time.monotonic() + chance.uniform(*_STOP_S)
                hit[_PHASES[phase]] += 1
                progress()
        else:
            wait([worker.hearing for worker in builders], 0.05)
    for worker in pruners:
        worker.telling.send("end")
    while until:
        _go_on(workers, until)
        time.sleep(_LOOK_EVERY_S)
    return [_received(worker) for worker in workers]


def _go_on(workers: Sequence[_Worker], until: dict[int, float]) -> None:
    for n in [n for n, end in until.items() if time.monotonic() >= end]:
        os.kill(workers[n].process.pid or 0, signal.SIGCONT)
        del until[n]


def _aimed(
    workers: Sequence[_Worker], until: dict[int, float], chance: random.Random, hit: Counter[str]
) -> tuple[int, int] | None:
    """Wait for the phase that was hit least often, and stop a worker at a random moment soon after it began.

    Return the worker, and the phase in which it was stopped; None if it did not come.
    """
    aimed = min(range(len(_PHASES)), key=lambda phase: (hit[_PHASES[phase]], chance.random()))
    began = time.monotonic()
    while time.monotonic() - began < _AIM_S:
        _go_on(workers, until)
        there = [n for n, worker in enumerate(workers) if n not in until and worker.phase.value == aimed]
        if there:
            n = chance.choice(there)
            # Half of the stops at once: what is decided at the beginning of a phase takes less than a millisecond.
            time.sleep(chance.choice((0.0, chance.uniform(0, _SOON_S))))
            os.kill(workers[n].process.pid or 0, signal.SIGSTOP)
            phase = workers[n].phase.value
            if phase != _IDLE:
                return n, phase
            os.kill(workers[n].process.pid or 0, signal.SIGCONT)
        if all(worker.hearing.poll() for worker in workers[:_BUILDERS]):
            return None
        time.sleep(_LOOK_EVERY_S)
    return None


def _received(worker: _Worker) -> _Report:
    if not worker.hearing.poll(PATIENCE_S):
        raise TimeoutError(f"Process {worker.process.pid} makes no progress.")
    report: _Report = worker.hearing.recv()
    return report


def _work(
    settings: Settings, n: int, seed: int, phase: Synchronized[int], hearing: Connection, telling: Connection
) -> None:
    """A worker: builds some days in each round, or prunes until it is told that the round ends."""
    worker = _Busy(World(settings), n, random.Random(seed), phase)
    while True:
        hearing.recv()
        telling.send(worker.build() if n < _BUILDERS else worker.prune(hearing))


class _Busy:
    """What a worker does in a round; it shows at each moment in which phase it is."""

    def __init__(self, world: World, n: int, chance: random.Random, phase: Synchronized[int]) -> None:
        self._world, self._n, self._chance, self._phase = world, n, chance, phase
        self._refused: list[str] = []
        self._faults: list[str] = []
        vars(world)["store"] = _Observed(world.store, self._removes)
        vars(world)["vectors"] = _Observed(world.vectors, self._removes)

    def build(self) -> _Report:
        """Build some days."""
        done = sum(self._tried(self._build) for _ in range(_BUILDS_IN_A_ROUND))
        return self._report(published=done)

    def prune(self, hearing: Connection) -> _Report:
        """Prune until the round ends."""
        done = 0
        while not hearing.poll(self._chance.uniform(0, 0.2)):
            done += self._tried(self._prune)
        hearing.recv()
        return self._report(pruned=done)

    def _report(self, published: int = 0, pruned: int = 0) -> _Report:
        report = _Report(published, pruned, self._refused, self._faults)
        self._refused, self._faults = [], []
        return report

    def _tried(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except _AGAIN as error:
            self._refused.append(type(error).__name__)
            if type(error) is CorruptObjectError and not any(word in str(error) for word in ("missing", "lacks")):
                self._faults.append(f"worker {self._n}: CorruptObjectError: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the campaign reports it
            self._faults.append(f"worker {self._n}: {type(error).__name__}: {error}")
        else:
            return True
        finally:
            self._phase.value = _IDLE
        return False

    def _build(self) -> None:
        steps = self._world.steps
        run = Run(
            day=FIRST + timedelta(days=self._chance.randrange(_DAYS)),
            by=f"builder {self._n}",
            past=True,
            promote=True,
            source=SOURCE,
            chunk_size=self._chance.choice(_SIZES),
        )
        self._enter("plan")
        order = steps.discover(run).order
        slugs = [slug for slug, _ in steps.changes(order)]
        self._enter("make")
        outcomes: list[Outcome] = [
            steps.chunk(order, slugs),
            steps.contextualize(order, slugs),
            steps.embed(order, slugs),
        ]
        self._enter("assemble")
        version = steps.assemble(order, outcomes).version
        self._enter("evaluate")
        measured = steps.evaluate(order, version)
        self._enter("publish")
        steps.publish(order, version, measured)

    def _prune(self) -> None:
        self._enter("choose")
        manage.prune(self._world, by=f"pruner {self._n}", why="again and again", keep=_KEEP)

    def _enter(self, phase: str) -> None:
        self._phase.value = _PHASES.index(phase)

    def _removes(self) -> None:
        if self._n >= _BUILDERS:  # builders delete too
            self._enter("remove")


class _Observed:
    """The object store or the vectors; says when something is about to be removed."""

    def __init__(self, store: ObjectStore | VectorStore, say: Callable[[], None]) -> None:
        self._store, self._say = store, say

    def __getattr__(self, name: str) -> Any:
        if name in {"delete", "drop"}:
            self._say()
        return getattr(self._store, name)
