"""Part 4: a process answers questions at a steady rate while another publishes, changes CURRENT and prunes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import lru_cache
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

import numpy as np
import psutil

from bench.chaos_index.audit import prune_at_last
from bench.chaos_index.processes import context
from bench.days import FIRST, build_day, edition, editions_in, keep_day
from contextual_rag.errors import RagError
from contextual_rag.ports import EmbeddingModel, Matrix, Usage
from contextual_rag.qa.answer import Answer, answer
from contextual_rag.settings import Settings
from contextual_rag.versions import manage
from contextual_rag.versions.reader import Reader
from contextual_rag.wiring import World

__all__ = ["Readings", "read_while_versions_change"]

_THREADS = 8
_LOOK_EVERY_S = 1.0
# Longer than a reader keeps an old version after CURRENT changed: the check, and the loading of the new one.
_GRACE_S = 6.0
_KEEP = 2
_ESSAYS = 12
_MEASURE_EVERY = 50
_QUESTIONS = (
    "Who kept the lamp?",
    "What was the ferry worth?",
    "Who kept the orchard?",
    "What was the bell worth?",
    "Who kept the ledger?",
    "What was the kiln worth?",
    "Who kept the harbour?",
    "What was the market worth?",
)


class Readings(NamedTuple):
    """What came of it. `rate` is answers a second; memory is the reading process's own, in MB, after a third and last.

    `versions` counts the answers by version. `slowest_ms` is the slowest answer, from when it was due.
    """

    versions: Counter[str]
    changes: Counter[str]
    seconds: float
    rate: float
    slowest_ms: float
    memory_mb: tuple[float, float]
    failures: list[str]

    @property
    def growth_mb(self) -> float:
        """The growth of memory after the first third."""
        return self.memory_mb[1] - self.memory_mb[0]


def read_while_versions_change(
    settings: Settings, *, versions: int, rate: float, progress: Callable[[], object] = lambda: None
) -> Readings:
    """Ask `rate` questions a second, without waiting for answers, until all versions are made."""
    world = World(settings)
    _publish_edition(world, 0)
    started = context()
    receiving, sending = started.Pipe(duplex=False)
    publisher = started.Process(target=_change_versions, args=(settings, versions, sending), daemon=True)
    changes: Counter[str] = Counter()
    with closing(Reader(world.registry, world.indexes, every_s=_LOOK_EVERY_S)) as reader:
        asker = _Asker(world, reader)
        asker.ask(_QUESTIONS[0], time.monotonic())  # the models are read, the first version is loaded
        publisher.start()
        sending.close()
        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                asked: list[Future[None]] = []
                memory = []
                began = time.monotonic()
                for number in count():
                    due = began + number / rate
                    time.sleep(max(0.0, due - time.monotonic()))
                    asked.append(pool.submit(asker.ask, _QUESTIONS[number % len(_QUESTIONS)], due))
                    if number % _MEASURE_EVERY == 0:
                        memory.append(psutil.Process().memory_info().rss / 1e6)
                    if receiving.poll():
                        report: str = receiving.recv()
                        if report == "end":
                            break
                        changes[report.partition(" ")[0]] += 1
                        if report.startswith("error"):
                            asker.failures.append(report)
                        elif report == "publish":
                            progress()
            for one in asked:
                one.result()
            seconds = time.monotonic() - began
            memory.append(psutil.Process().memory_info().rss / 1e6)
        finally:
            publisher.kill()
            publisher.join()
        if reader.problem:
            asker.failures.append(f"at the end: {reader.problem}")
    return Readings(
        asker.versions,
        changes,
        seconds,
        len(asked) / seconds,
        asker.slowest_ms,
        (memory[len(memory) // 3], memory[-1]),
        asker.failures,
    )


class _Asker:
    """Asks questions and checks each answer: every chunk contains the name of its edition."""

    def __init__(self, world: World, reader: Reader) -> None:
        self._world, self._reader = world, reader
        self._embedder = _Remembered(world.embedding_model(reader.index().recipe))
        self.versions: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest_ms = 0.0

    def ask(self, question: str, due: float) -> None:
        """Ask one question."""
        try:
            answered = answer(self._reader.index(), self._world.vectors, self._embedder, question, chat=None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the campaign reports it
            self.failures.append(f"{type(error).__name__}: {error}")
            return
        self.slowest_ms = max(self.slowest_ms, 1000 * (time.monotonic() - due))
        self.versions[answered.version] += 1
        if fault := _fault(answered):
            self.failures.append(fault)


def _fault(answered: Answer) -> str | None:
    day = answered.version[:10]
    named = {found for hit in answered.hits for found in editions_in(hit.chunk.text)}
    named |= {found for one in answered.citations if one.chunk for found in editions_in(one.chunk.text)}
    if named != {day}:
        return f"an answer of {answered.version} is of the editions {sorted(named)}"
    if answered.abstained or not all(citation.verified for citation in answered.citations):
        return f"{answered.version} answered {answered.text!r}"
    if not all(hit.vector_rank for hit in answered.hits):
        return f"{answered.version} was searched without all of its vectors"
    return None


class _Remembered:
    """An embedding model that caches the last texts, so that the search limits the rate, not the embedding."""

    def __init__(self, model: EmbeddingModel) -> None:
        self.name, self.dimension = model.name, model.dimension
        self._row = lru_cache(maxsize=200)(lambda text: model.embed([text], kind="query")[0][0])

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:  # noqa: ARG002 - alike
        return np.stack([self._row(text) for text in texts]), Usage()


def _change_versions(settings: Settings, versions: int, telling: Connection) -> None:
    """The other process: publishes versions; in between it rolls back, promotes and prunes."""
    world = World(
        settings.model_copy(update={"prune_grace_hours": _GRACE_S / 3600, "data_dir": settings.data_dir / "b"})
    )
    who: dict[str, Any] = {"by": "campaign", "why": "the readers' part"}
    try:
        for number in range(1, versions + 1):
            version = _publish_edition(world, number)
            telling.send("publish")
            if number % 3 == 0:
                manage.rollback(world, **who)
                telling.send("rollback")
                manage.promote(world, version, **who)
                telling.send("promote")
            if number % 2 == 0:
                prune_at_last(world, keep=_KEEP)
                telling.send("prune")
        telling.send("end")
    except RagError as error:
        telling.send(f"error {type(error).__name__}: {error}")
        telling.send("end")


def _publish_edition(world: World, number: int) -> str:
    day = FIRST + timedelta(days=number)
    keep_day(world, day, edition(day.isoformat(), _ESSAYS))
    return build_day(world, day, promote=True).version
