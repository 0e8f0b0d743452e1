"""Parts 2 and 3: streams many conversations at once, and sends many turns through one worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bench.chaos_chat.audit import Faults, audit
from bench.chaos_chat.ground import ModelServer, Worker
from bench.chaos_chat.talkers import Talk, talk
from contextual_rag.settings import Settings
from contextual_rag.wiring import World

__all__ = ["Endured", "Streamed", "endure", "stream_at_once"]


class Streamed(NamedTuple):
    """Gaps between pieces of text as followers saw them, in milliseconds, and the faults."""

    turns: int
    gaps: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    faults: Faults


class Endured(NamedTuple):
    """The worker's own memory after a third of the turns, and at their end."""

    turns: int
    memory_mb: tuple[float, float]
    faults: Faults

    @property
    def growth_mb(self) -> float:
        """The growth."""
        return self.memory_mb[1] - self.memory_mb[0]


def stream_at_once(
    settings: Settings,
    server: ModelServer,
    *,
    conversations: int,
    turns: int,
    seed: int,
    progress: Callable[[], object] = lambda: None,
) -> Streamed:
    """Let many conversations be answered at once, and measure what their followers see."""
    server.forget()
    client = World(settings).conversations
    with Worker(settings):
        # The first turns of a worker open the shared resources.
        talk(client, talkers=conversations, turns=1, seed=seed + 1, tools=False)
        server.forget()
        talks = talk(client, talkers=conversations, turns=turns, seed=seed, on_answer=progress, tools=False)
    faults = audit(client, talks, server.calls())
    client.close()
    gaps = 1000 * np.array(_gaps(talks))
    p50, p95, p99 = np.percentile(gaps, (50, 95, 99))
    return Streamed(conversations * turns, len(gaps), float(p50), float(p95), float(p99), faults)


def endure(
    settings: Settings,
    server: ModelServer,
    *,
    turns: int,
    talkers: int,
    seed: int,
    progress: Callable[[], object] = lambda: None,
) -> Endured:
    """Let one worker answer at least this many turns with tools, as fast as it can."""
    client = World(settings).conversations
    thirds, done, memory, faults = 3, 0, [], Faults([], [], [], [])
    with Worker(settings) as worker:
        for third in range(thirds):
            server.forget()
            each = -(-turns // thirds // talkers)
            done += each * talkers
            talks = talk(client, talkers=talkers, turns=each, seed=seed + third, on_answer=progress)
            memory.append(worker.memory_mb())
            for all_, more in zip(faults, audit(client, talks, server.calls()), strict=True):
                all_.extend(more)
    client.close()
    return Endured(done, (memory[0], memory[-1]), faults)


def _gaps(talks: Sequence[Talk]) -> list[float]:
    return [gap for one in talks for followed in one.followed for gap in followed.gaps]
