"""How long a stage took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from contextual_rag.model import Work

__all__ = ["Timed", "timed"]


@dataclass
class Timed:
    """What a stage has done so far; `work` may be added to while it runs."""

    work: Work


@contextmanager
def timed(stage: str) -> Iterator[Timed]:
    """Add the wall-clock seconds of the block to its work, under the stage's name."""
    spent = Timed(Work())
    start = time.perf_counter()
    yield spent
    spent.work += Work(seconds={stage: round(time.perf_counter() - start, 3)})
