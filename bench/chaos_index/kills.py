"""Part 2: repeatedly kills a process while it builds, promotes, rolls back and prunes."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from statistics import median
from threading import Lock
from typing import Any, NamedTuple

from bench.chaos_index.audit import Faults, audit, broken, prune_at_last
from bench.chaos_index.processes import PATIENCE_S, context
from bench.days import FIRST, SOURCE, build_day, edition, keep_day
from contextual_rag import keys
from contextual_rag.building.order import Run
from contextual_rag.errors import ConflictError, RagError, UnknownVersionError
from contextual_rag.ports import ObjectStore
from contextual_rag.settings import Settings
from contextual_rag.versions import manage
from contextual_rag.wiring import World

__all__ = ["PHASES", "Killed", "kill_often"]

PHASES = ("assemble", "upload", "publish", "rollback", "prune")
# The irreversible part of `prune`; every second kill of a prune falls into it.
_REMOVING = "removing"
_CHECK_EVERY = 10
_KEEP = 2
# The assumed duration of a phase before it is measured.
_FIRST_GUESS_S = 0.1
_DAYS = 20


class Killed(NamedTuple):
    """The number of kills in each phase and between phases, and the faults."""

    phases: Mapping[str, int]
    between: int
    faults: Faults


def kill_often(settings: Settings, *, kills: int, seed: int, progress: Callable[[], object] = lambda: None) -> Killed:
    """Kill a process `kills` times, equally often in each phase; after each kill check for incomplete versions.

    After every ten kills and at the end, do a clean run and check the whole bucket.

    A kill comes after a random part of the phase's usual duration. It counts for the phase in which it happened. A kill
    between two phases does not count.
    """
    chance = random.Random(seed)
    settings = settings.model_copy(update={"prune_grace_hours": 0.0})
    world = World(settings)
    _clean_run(world, 0)
    hit: Counter[str] = Counter()
    lengths: dict[str, list[float]] = defaultdict(list)
    faults = Faults([], [], [])
    attempt = 0
    while (done := sum(hit[phase] for phase in PHASES)) < kills:
        attempt += 1
        rarest = min(PHASES, key=lambda phase: (hit[phase], PHASES.index(phase)))
        aimed = _REMOVING if rarest == "prune" and hit["prune"] % 2 else rarest
        phase, error = _kill(settings, aimed, chance, lengths)
        phase = "prune" if phase == _REMOVING else phase
        hit[phase] += 1
        # Check before anything is cleaned up.
        found = [*([error] if error else []), *broken(world, world.registry.history())]
        faults.broken.extend(f"after a kill in {phase}: {line}" for line in found)
        if phase in PHASES:
            progress()
            if (done + 1) % _CHECK_EVERY == 0 or done + 1 == kills:
                _add(faults, _checked(world, attempt), f"after {done + 1} kills")
    return Killed({phase: hit[phase] for phase in PHASES}, hit.total() - sum(hit[p] for p in PHASES), faults)


def _checked(world: World, number: int) -> Faults:
    """Do one clean run, like the next day's, and check."""
    try:
        _clean_run(world, number)
    except RagError as error:
        return Faults([f"the clean run failed: {type(error).__name__}: {error}"], [], [])
    return audit(world)


def _clean_run(world: World, number: int) -> None:
    day = FIRST + timedelta(days=_DAYS)
    keep_day(world, day, edition(f"clean run {number}", edited=1))
    build_day(world, day, promote=True)
    prune_at_last(world, keep=_KEEP)


def _add(faults: Faults, found: Faults, when: str) -> None:
    for one, more in zip(faults, found, strict=True):
        one.extend(f"{when}: {line}" for line in more)


def _kill(
    settings: Settings, target: str, chance: random.Random, lengths: Mapping[str, list[float]]
) -> tuple[str, str | None]:
    """Start a victim and kill it in a phase; return the phase, and the victim's earlier errors."""
    started = context()
    receiving, sending = started.Pipe(duplex=False)
    victim = started.Process(target=_live, args=(settings, chance.randrange(2**32), sending))
    victim.start()
    sending.close()
    reports: list[str] = []
    began = time.monotonic()
    while target not in reports:
        report = _next(victim, receiving)
        if reports and reports[-1] in (*PHASES, _REMOVING):
            lengths[reports[-1]].append(time.monotonic() - began)
        began = time.monotonic()
        reports.append(report)
        if report.startswith("error"):
            break
    else:
        # A random delay places the kill within the phase.
        time.sleep(chance.random() * median(lengths[target] or [_FIRST_GUESS_S]))
    os.killpg(victim.pid or 0, signal.SIGKILL)
    victim.join()
    with suppress(EOFError):
        while receiving.poll():
            reports.append(receiving.recv())
    errors = [report for report in reports if report.startswith("error")]
    return reports[-1], errors[0] if errors else None


def _next(victim: BaseProcess, receiving: Connection) -> str:
    if not receiving.poll(PATIENCE_S):
        raise TimeoutError(f"The victim, process {victim.pid}, makes no progress.")
    report: str = receiving.recv()
    return report


def _live(settings: Settings, seed: int, telling: Connection) -> None:
    """The victim: acts until it is killed, and reports its phases."""
    os.setsid()
    victim = _Victim(World(settings), random.Random(seed), telling)
    try:
        while True:
            victim.act()
    except Exception as error:  # noqa: BLE001 - whatever it is, the campaign reports it
        telling.send(f"error {type(error).__name__}: {error}")
    signal.pause()


class _Victim:
    """Builds, changes the current version, and prunes, in random order."""

    def __init__(self, world: World, chance: random.Random, telling: Connection) -> None:
        self._world, self._chance, self._telling = world, chance, telling
        self._said, self._reporting = "", Lock()
        vars(world)["store"] = _Observed(world.store, self._notice)

    def act(self) -> None:
        """Do one action."""
        world = self._world
        who: dict[str, Any] = {"by": "victim", "why": "as it pleases"}
        action = self._chance.choice(("build", "build", "rollback", "choose", "prune"))
        try:
            if action == "build":
                self._build()
            elif action == "prune":
                self._report("prune")
                manage.prune(world, keep=_KEEP, **who)
            elif action == "rollback":
                self._report("rollback")
                manage.rollback(world, **who)
            else:
                self._report("between")
                self._choose(who)
        except (UnknownVersionError, ConflictError):
            pass  # the first version has no parent; a lease that was not renewed in time on a busy machine is given up
        self._report("between")

    def _build(self) -> None:
        world, n = self._world, self._chance.randrange(_DAYS)
        day = FIRST + timedelta(days=n)
        promote = self._chance.random() < 0.8  # noqa: PLR2004
        run = Run(day=day, by="victim", past=True, source=SOURCE, promote=promote)
        keep_day(world, day, edition(f"number {self._chance.randrange(40)}", edited=1 + n % 2))
        order = world.steps.discover(run).order
        changed = world.steps.changes(order)
        slugs = [slug for slug, _ in changed]
        outcomes = [
            world.steps.chunk(order, slugs),
            world.steps.contextualize(order, slugs),
            world.steps.embed(order, slugs),
        ]
        self._report("assemble")
        version = world.steps.assemble(order, outcomes).version
        self._report("between")
        measured = world.steps.evaluate(order, version)
        self._report("publish")
        world.steps.publish(order, version, measured)

    def _choose(self, who: Mapping[str, str]) -> None:
        names = self._world.registry.names()
        change: Callable[..., Any] = self._chance.choice((manage.promote, manage.pin, manage.unpin, manage.unpin))
        change(self._world, self._chance.choice(names), **who)

    def _notice(self, phase: str) -> None:
        if phase != _REMOVING or self._said == "prune":  # who publishes deletes too
            self._report(phase)

    def _report(self, phase: str) -> None:
        with self._reporting:
            if phase != self._said:
                self._telling.send(phase)
                self._said = phase


class _Observed:
    """The object store; it reports when files of a version are stored and when objects are deleted."""

    def __init__(self, store: ObjectStore, say: Callable[[str], None]) -> None:
        self._store, self._report = store, say

    def put(self, key: str, body: bytes) -> None:
        if keys.index_of(key) and key != keys.draft(keys.index_of(key) or ""):
            self._report("upload")
        self._store.put(key, body)

    def delete(self, keys_: Sequence[str], **how: Any) -> None:
        self._report(_REMOVING)
        self._store.delete(keys_, **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
