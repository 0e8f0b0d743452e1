"""What a run may spend on models, kept in the bucket for all processes that work on it."""

from __future__ import annotations

import uuid
from threading import Condition
from types import TracebackType
from typing import Self

from pydantic import Field
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contextual_rag import keys
from contextual_rag.errors import BudgetError, ConflictError
from contextual_rag.ports import ObjectStore, Usage
from contextual_rag.record import Record, decode, encode
from contextual_rag.versions.records import Work

__all__ = ["Ledger", "Spending"]


class Spending(Record):
    """What a run may spend, and what each of its processes has spent or has under way, in USD."""

    run: str
    limit_usd: float
    by_process: dict[str, float] = Field(default_factory=dict)

    @property
    def spent_usd(self) -> float:
        """What all of them have."""
        return sum(self.by_process.values())


class Ledger:
    """One process's part in a run's budget, shared by its threads; `limit_usd` None allows all and writes nothing.

    Each reservation is in the bucket before its request is sent, so that what all processes spend together stays below
    the limit. A process writes its own sum and never a difference: a write that the store did twice counts once. What
    was settled goes with the next reservation, or at the end of the `with`. A process that is killed between leaves its
    reservations counted, for what may have been spent counts as spent.
    """

    def __init__(self, store: ObjectStore, run: str, limit_usd: float | None) -> None:
        self.limit_usd = limit_usd
        self._store = store
        self._run = run
        self._key = keys.spending(keys.digest(run))
        self._name = uuid.uuid4().hex[:12]
        self._changed = Condition()
        self._mine = 0.0
        self._written = 0.0
        self._under_way = 0
        self._used = Usage()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            if self._mine != self._written:
                self._write(self._mine)

    def reserve(self, usd: float) -> None:
        """Take what a request may cost at most. Raises BudgetError if less is left.

        Requests of this process that are under way are waited for first: most cost less than was reserved.
        """
        if self.limit_usd is None:
            return
        with self._changed:
            while (spent := self._write(self._mine + usd, limit=self.limit_usd)) is not None:
                if not self._under_way:
                    raise BudgetError(
                        f"The budget is used up: {spent:.6f} of {self.limit_usd:.6f} USD are spent, and the next "
                        f"request may cost up to {usd:.6f}. What was made is kept, and the current version stays. "
                        "Raise the run's parameter `budget`, `rag build --budget` or RAG_BUDGET_USD, and run again."
                    )
                self._changed.wait()
            self._mine += usd
            self._under_way += 1

    def settle(self, reserved: float, paid: float) -> None:
        """Put right a `reserve` by what the request did cost."""
        with self._changed:
            self._mine = max(0.0, self._mine + paid - reserved)
            self._under_way = max(0, self._under_way - 1)
            self._changed.notify_all()

    def count(self, usage: Usage) -> None:
        """Count what an answered call took, whether its answer was of use or not."""
        with self._changed:
            self._used += usage

    def taken(self) -> Work:
        """Return what was counted since this was last asked."""
        with self._changed:
            used, self._used = self._used, Usage()
        return Work(prompt_tokens=used.prompt_tokens, completion_tokens=used.completion_tokens, cost_usd=used.cost_usd)

    @retry(
        retry=retry_if_exception_type(ConflictError),
        stop=stop_after_attempt(20),
        wait=wait_random_exponential(0.02, 1),
        reraise=True,
    )
    def _write(self, mine: float, *, limit: float | None = None) -> float | None:
        """Store what this process has; beyond the limit store nothing, and return what the run has spent without it."""
        stored = self._store.get(self._key)
        now = decode(self._key, stored.body, Spending).by_process if stored else {}
        then = Spending(run=self._run, limit_usd=self.limit_usd or 0.0, by_process={**now, self._name: mine})
        if limit is not None and then.spent_usd > limit:
            return then.spent_usd - mine + self._mine
        self._store.swap(self._key, encode(then), expected=stored.etag if stored else None)
        self._written = mine
        return None
