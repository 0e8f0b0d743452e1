"""The lease of pruning: one process prunes at a time, and what must not run beside it waits.

The holder renews one small object by compare-and-set. A process that waits watches the object's tag. If the tag does
not change for `dead_after_s`, by the watcher's own clock, the holder is dead and the lease is taken from it. No two
clocks are compared.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import NamedTuple, Self
from uuid import uuid4

from contextual_rag import keys
from contextual_rag.errors import ConflictError, CorruptObjectError, RetriableError
from contextual_rag.ports import ObjectStore
from contextual_rag.record import Record, encode

__all__ = ["DEAD_AFTER_S", "Lease", "is_held", "wait_until_free"]

DEAD_AFTER_S = 30.0
_LOOK_EVERY_S = 0.1


class _Holder(Record):
    """The process that prunes; none if `id` is None. Each renewal has another number, so that the tag changes."""

    id: str | None = None
    by: str = ""
    renewal: int = 0


class _Seen(NamedTuple):
    holder: _Holder
    etag: str | None


class Lease:
    """The right to remove things, held while its block runs. Raises ConflictError if another process was first.

    A holder that does not renew it for `dead_after_s` loses it.
    """

    def __init__(self, store: ObjectStore, *, by: str, dead_after_s: float = DEAD_AFTER_S) -> None:
        self._store = store
        self._holder = _Holder(id=uuid4().hex, by=by)
        self._dead_after_s = dead_after_s
        self._released = Event()
        self._renewing = Thread(target=self._renew, name="lease", daemon=True)
        self._lost = False

    def __enter__(self) -> Self:
        """Wait until nobody holds it, and take it."""
        seen = wait_until_free(self._store, dead_after_s=self._dead_after_s)
        self._renewed_at = time.monotonic()
        self._etag = self._put(expected=seen)
        self._renewing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self._released.set()
        self._renewing.join()
        if not self._lost:
            # It is given back already, or was taken from us, or is taken when nobody renews it.
            with suppress(ConflictError, RetriableError):
                self._store.swap(keys.PRUNING, encode(_Holder()), expected=self._etag)

    def check(self) -> int:
        """Raise ConflictError if another process may hold it by now. Call it right before anything is removed.

        Return for how many seconds what is removed may be on its way. Nobody takes the lease before these are over,
        not even if the clocks of this machine and of the store differ by a sixth of `dead_after_s`.
        """
        if self._lost or time.monotonic() - self._renewed_at > self._dead_after_s / 2:
            raise ConflictError(
                f"Pruning was interrupted for more than {self._dead_after_s / 2:g} s, so other processes do not wait "
                "for it any more. Run it again: it continues where it stopped."
            )
        return max(1, int(self._dead_after_s / 3))

    def _put(self, *, expected: str | None) -> str:
        try:
            return self._store.swap(keys.PRUNING, encode(self._holder), expected=expected)
        except ConflictError:
            # If the first answer was lost, the second try was refused because of what the first had written.
            seen = _look(self._store)
            if seen.etag is None or seen.holder != self._holder:
                raise
            return seen.etag

    def _renew(self) -> None:
        while not self._released.wait(self._dead_after_s / 6):
            began = time.monotonic()
            self._holder = self._holder.model_copy(update={"renewal": self._holder.renewal + 1})
            try:
                self._etag = self._put(expected=self._etag)
            except ConflictError:
                self._lost = True
                return
            except RetriableError:
                continue  # the store may be back in time; `check` knows when it is not
            self._renewed_at = began


def is_held(store: ObjectStore) -> bool:
    """Whether a process prunes now, or died while it pruned and no other has noticed yet."""
    return _look(store).holder.id is not None


def wait_until_free(store: ObjectStore, *, dead_after_s: float = DEAD_AFTER_S) -> str | None:
    """Return once no process holds the lease, with the tag of its object, None if there is none."""
    seen, since = _look(store), time.monotonic()
    while seen.holder.id is not None:
        if time.monotonic() - since > dead_after_s:
            with suppress(ConflictError):  # the holder lives after all, or another watcher was first
                return store.swap(keys.PRUNING, encode(_Holder()), expected=seen.etag)
        time.sleep(_LOOK_EVERY_S)
        now = _look(store)
        if now.etag != seen.etag:
            seen, since = now, time.monotonic()
    return seen.etag


def _look(store: ObjectStore) -> _Seen:
    stored = store.get(keys.PRUNING)
    if stored is None:
        return _Seen(_Holder(), None)
    try:
        return _Seen(_Holder.model_validate_json(stored.body), stored.etag)
    except ValueError:
        raise CorruptObjectError(f"{keys.PRUNING} cannot be read. If no `rag prune` runs, delete it.") from None
