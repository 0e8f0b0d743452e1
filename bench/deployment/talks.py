"""People who talk with a deployment while its pages and workers are killed, and many who ask at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from typing import Final

import httpx
import numpy as np
import psutil
from pydantic import SecretStr

from bench.chaos_chat.audit import audit
from bench.chaos_chat.ground import ModelServer
from bench.chaos_chat.kills import Answered
from bench.chaos_chat.pages import ByApi
from bench.chaos_chat.talkers import talk
from bench.deployment.checks import FaultError, asking
from bench.deployment.ground import Deployment
from contextual_rag.wiring import World

__all__ = ["killed_often", "many_ask"]

_VICTIMS: Final = ("page-1", "worker-1", "page-2", "worker-2")
_TALKERS: Final = 5
_QUESTION: Final = "What to do in the face of uncertainty?"
_WARMED: Final = 20


def killed_often(deployment: Deployment, server: ModelServer, *, turns: int, kills: int, seed: int) -> str:
    """Kill pages and workers in turn while people talk; nothing may be lost, doubled, wrong or made twice."""
    chance, answered = random.Random(seed), Answered(lambda: None)
    points = sorted(chance.random() * (turns - _TALKERS) for _ in range(kills))

    def attack() -> None:
        for n, point in enumerate(points):
            answered.wait_for(point)
            time.sleep(chance.random())  # a random delay places the kill within a turn
            victim = _VICTIMS[n % len(_VICTIMS)]
            deployment.kill(victim)
            deployment.restart(victim)

    server.forget()
    line = ByApi(deployment.ports["balancer"], deployment.secret("RAG_API_KEYS"))
    url = SecretStr(deployment.secret("RAG_CONVERSATIONS_URL"))
    settings = deployment.settings().model_copy(update={"conversations_url": url})
    with closing(World(settings).conversations) as conversations, ThreadPoolExecutor(1) as pool:
        attacker = pool.submit(attack)
        try:
            talks = talk(
                line, talkers=_TALKERS, turns=turns // _TALKERS, seed=seed, on_answer=answered.one_more, tools=False
            )
        finally:
            answered.enough()
        attacker.result()
        owner = "key:" + sha256(deployment.secret("RAG_API_KEYS").encode()).hexdigest()[:32]
        faults = audit(conversations, talks, server.calls(), owner)
    if any(faults):
        raise FaultError("; ".join(f"{name}: {lines[:3]}" for name, lines in faults._asdict().items() if lines))
    return f"{turns} turns, {kills} kills of pages and workers: nothing lost, doubled, wrong or made twice"


def many_ask(deployment: Deployment, *, a_minute: int, minutes: float) -> str:
    """Ask at an even pace, whether answers come or not; measure the seconds to the first word, and memory."""
    count = round(a_minute * minutes)
    processes = [psutil.Process(deployment.processes.pids[name]) for name in _VICTIMS]
    with asking(deployment) as http, ThreadPoolExecutor(64) as pool:
        for _ in range(_WARMED):
            _first_word(http)
        before = [_memory_mb(process) for process in processes]
        began, waiting = time.monotonic(), []
        for n in range(count):
            time.sleep(max(0.0, began + n * 60 / a_minute - time.monotonic()))
            waiting.append(pool.submit(_first_word, http))
        seconds = [one.result() for one in waiting]
    after = [_memory_mb(process) for process in processes]
    p50, p95 = np.percentile(seconds, (50, 95))
    grown = ", ".join(f"{name} {a:.0f} → {b:.0f} MB" for name, a, b in zip(_VICTIMS, before, after, strict=True))
    return (
        f"{count} questions in {minutes:g} min, no error; first word {p50:.2f} s (median), {p95:.2f} s (p95); {grown}"
    )


def _first_word(http: httpx.Client) -> float:
    """Ask, and follow the answer to its end; return the seconds to its first word."""
    began, first, ended = time.monotonic(), None, False
    with http.stream("POST", "/api/ask", json={"question": _QUESTION}) as answer:
        if answer.status_code != httpx.codes.OK:
            raise FaultError(f"HTTP {answer.status_code}: {answer.read().decode()[:300]}")
        for line in answer.iter_lines():
            if line == "event: text" and first is None:
                first = time.monotonic() - began
            ended = ended or line == "event: answer"
    if first is None or not ended:
        raise FaultError("an answer ended before it was whole")
    return first


def _memory_mb(process: psutil.Process) -> float:
    family: Callable[[], list[psutil.Process]] = lambda: [process, *process.children(recursive=True)]  # noqa: E731
    return sum(one.memory_full_info().uss for one in family()) / 1e6
