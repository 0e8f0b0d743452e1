"""The index of CURRENT, for a process that answers many questions while CURRENT moves.

A question takes one index and keeps it to its end, so no answer mixes versions. A new version is downloaded and opened
beside the one that answers, which goes on until the new one can be searched; then nothing here refers to it any more,
and it is freed with the last question that took it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import NamedTuple

from contextual_rag.errors import RagError
from contextual_rag.ports import Index, Indexes
from contextual_rag.versions.registry import Registry

__all__ = ["Reader"]

_LONGEST_WAIT_S = 300.0

_log = logging.getLogger(__name__)


class _Refused(NamedTuple):
    """A version that CURRENT names and that could not be loaded, and when that is tried again (by the clock)."""

    version: str | None
    why: str
    wait_s: float
    again_at: float


class Reader:
    """Holds the open index of CURRENT. Safe to share between threads; make one for each process, and close it.

    CURRENT is looked at when a question comes and the last look is `every_s` old. A version that cannot be loaded is
    tried again after `every_s`, then after twice that, up to five minutes; until then the one before it answers.
    """

    def __init__(
        self,
        registry: Registry,
        cache: Indexes,
        *,
        every_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._every_s = every_s
        self._clock = clock
        # One thread does all the looking, so that a version is loaded once however many ask for it.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._lock = Lock()
        self._index: Index | None = None
        self._look: Future[Index] | None = None
        self._next_look = 0.0
        self._refused: _Refused | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why what answers may not be what CURRENT names, or None if all is well."""
        return self._problem

    @property
    def serving(self) -> Index | None:
        """The index that answers now, None before the first was asked for; nothing is looked at."""
        return self._index

    def index(self) -> Index:
        """Return the index that answers now: at once, unless it is the first; a newer one is looked for behind.

        Raises what keeps the first one from being loaded; the next call tries again.
        """
        with self._lock:
            if self._index is not None:
                if self._clock() >= self._next_look:
                    self._looking()
                return self._index
            look = self._looking()
        return look.result()

    def refresh(self) -> Index:
        """Look at CURRENT now, and return the index that answers after it; for a caller that has just moved CURRENT."""
        with self._lock:
            earlier = self._look
        if earlier:
            wait([earlier])  # it may have looked before CURRENT was moved
        with self._lock:
            look = self._looking()
        return look.result()

    def close(self) -> None:
        """Wait for the look that is under way, and let go of the index."""
        self._worker.shutdown()
        self._index = None

    def _looking(self) -> Future[Index]:
        """The look that is under way, started if there is none."""
        if self._look is None:
            self._look = self._worker.submit(self._look_at_current)
        return self._look

    def _look_at_current(self) -> Index:
        served = self._index
        try:
            self._index = index = self._newest(served)
        except RagError as error:
            if served is None:
                self._problem = str(error)
                raise
            self._problem = f"{error} Version {served.version} goes on answering."
            return served
        except Exception:
            # Questions go on, and perhaps nothing waits for this future: an unexpected error is logged here or nowhere.
            _log.exception("Looking for a newer index version failed")
            raise
        else:
            self._problem = None
            return index
        finally:
            with self._lock:
                self._look = None
                self._next_look = self._clock() + self._every_s

    def _newest(self, served: Index | None) -> Index:
        """Return the index of what CURRENT names: the one that is served, or another, loaded now."""
        pointer = self._registry.current()
        wanted = pointer.version if pointer else None
        refused = self._refused if self._refused and self._refused.version == wanted else None
        if served is not None and pointer and served.version == wanted:
            self._refused = None
            tuning = pointer.tuned.get(served.version)
            return served.ranked(tuning.ranking) if tuning and tuning.ranking != served.ranking else served
        if served is not None and refused and self._clock() < refused.again_at:
            raise RagError(refused.why)
        try:
            index = self._cache.open(self._registry.resolve())
        except RagError as error:
            wait_s = min(2 * refused.wait_s, _LONGEST_WAIT_S) if refused else self._every_s
            # Its words alone: the error itself keeps alive all that was in scope where it was raised.
            self._refused = _Refused(wanted, str(error), wait_s, self._clock() + wait_s)
            raise
        self._refused = None
        return index
