"""Part 1: kills the worker and the page's server at random moments while people talk."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from threading import Condition
from typing import NamedTuple, Protocol

from bench.chaos_chat.audit import Faults, audit
from bench.chaos_chat.ground import ModelServer, Worker
from bench.chaos_chat.pages import ByApi, Page
from bench.chaos_chat.talkers import talk
from contextual_rag.embedded.loopback import free_port
from contextual_rag.settings import Settings
from contextual_rag.wiring import World

__all__ = ["Answered", "Survived", "kill_often"]

# The longest random delay of a kill after its turn.
_LATER_S = 1.0


class Survived(NamedTuple):
    """What was done, how often a model's answer had to restart, and the faults."""

    turns: int
    kills: int
    page_kills: int
    restarted: int
    faults: Faults


class _Victim(Protocol):
    """A running process."""

    def kill(self) -> None:
        """End it like a crash."""


class Answered:
    """The number of answered turns, for those who wait for it."""

    def __init__(self, progress: Callable[[], object]) -> None:
        self._progress = progress
        self._changed = Condition()
        self._turns = 0.0

    def one_more(self) -> None:
        """Count an answer."""
        with self._changed:
            self._turns += 1
            self._changed.notify_all()
        self._progress()

    def enough(self) -> None:
        """Release all who wait."""
        with self._changed:
            self._turns = math.inf
            self._changed.notify_all()

    def wait_for(self, turns: float) -> None:
        """Wait until this many turns have an answer."""
        with self._changed:
            self._changed.wait_for(lambda: self._turns >= turns)


def kill_often(
    settings: Settings,
    server: ModelServer,
    *,
    turns: int,
    kills: int,
    page_kills: int,
    talkers: int,
    seed: int,
    progress: Callable[[], object] = lambda: None,
) -> Survived:
    """Kill the worker `kills` times and the page's server `page_kills` times, spread randomly over the turns."""
    port, chance, answered = free_port(), random.Random(seed), Answered(progress)
    points: dict[Callable[[], _Victim], list[tuple[float, float]]] = {
        partial(Worker, settings): _points(chance, kills, turns - talkers),
        partial(Page, settings, port): _points(chance, page_kills, turns - talkers),
    }
    server.forget()
    with closing(World(settings).conversations) as conversations, ThreadPoolExecutor(len(points)) as pool:
        killers = [pool.submit(_attack, start, when, turns, answered) for start, when in points.items()]
        try:
            talks = talk(ByApi(port), talkers=talkers, turns=turns // talkers, seed=seed, on_answer=answered.one_more)
        finally:
            answered.enough()
        for killer in killers:
            killer.result()
        restarted = sum(followed.restarted for one in talks for followed in one.followed)
        done = sum(len(one.followed) for one in talks)
        return Survived(done, kills, page_kills, restarted, audit(conversations, talks, server.calls()))


def _points(chance: random.Random, kills: int, turns: int) -> list[tuple[float, float]]:
    """Return, for each kill, the number of turns before it, and its delay in seconds."""
    return sorted((chance.random() * turns, chance.random() * _LATER_S) for _ in range(kills))


def _attack(
    start: Callable[[], _Victim], points: Sequence[tuple[float, float]], turns: int, answered: Answered
) -> None:
    victim = start()
    try:
        for point, later_s in points:
            answered.wait_for(point)
            time.sleep(later_s)  # a random delay places the kill within a turn
            victim.kill()
            victim = start()
        answered.wait_for(turns)
    finally:
        victim.kill()
