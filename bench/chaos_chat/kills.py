"""Part 1: the worker is killed at any moment while people talk."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from threading import Condition, Thread
from typing import NamedTuple

from bench.chaos_chat.audit import Faults, audit
from bench.chaos_chat.ground import ModelServer, Worker
from bench.chaos_chat.talkers import talk
from contextual_rag.settings import Settings
from contextual_rag.wiring import World

__all__ = ["Survived", "kill_often"]

# A kill falls up to so long after its turn has come.
_LATER_S = 1.0


class Survived(NamedTuple):
    """What was done, how often a model's answer had to begin again, and what was wrong afterwards."""

    turns: int
    kills: int
    restarted: int
    faults: Faults


def kill_often(
    settings: Settings,
    server: ModelServer,
    *,
    turns: int,
    kills: int,
    talkers: int,
    seed: int,
    progress: Callable[[], object] = lambda: None,
) -> Survived:
    """Kill the worker `kills` times, spread by chance over the time in which so many turns are answered."""
    chance = random.Random(seed)
    answered, done = Condition(), 0
    points = sorted(chance.random() * (turns - talkers) for _ in range(kills))

    def one_more() -> None:
        nonlocal done
        with answered:
            done += 1
            answered.notify_all()
        progress()

    def reached(point: float) -> bool:
        return done >= point

    def attack() -> None:
        worker = Worker(settings)
        for point in points:
            with answered:
                answered.wait_for(partial(reached, point))
            time.sleep(chance.random() * _LATER_S)  # where in a turn it falls is the experiment
            worker.kill()
            worker = Worker(settings)
        with worker, answered:
            answered.wait_for(partial(reached, turns))

    server.forget()
    conversations = World(settings).conversations
    killer = Thread(target=attack)
    killer.start()
    try:
        talks = talk(conversations, talkers=talkers, turns=turns // talkers, seed=seed, said=one_more)
        calls = server.calls()
        restarted = sum(followed.restarted for one in talks for followed in one.followed)
        return Survived(done, kills, restarted, audit(conversations, talks, calls))
    finally:
        with answered:
            done = turns
            answered.notify_all()
        killer.join()
        conversations.close()
