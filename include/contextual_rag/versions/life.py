"""The sign of life of an order that is worked on: as long as it is renewed, what the order's plan names is not pruned.

Every process that works on an order renews one small object. How long a step takes does not matter, only whether its
process lives. An order between two steps, or whose process was killed or stopped, keeps its protection for the grace
that pruning allows; after it, what the order made may be removed, and `publish` notices that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from contextual_rag import keys
from contextual_rag.errors import RetriableError
from contextual_rag.objects import save
from contextual_rag.ports import ObjectStore
from contextual_rag.record import Record

__all__ = ["EVERY_S", "alive"]

EVERY_S = 20.0


class _Sign(Record):
    """Whoever put it last was alive then, by the store's clock."""

    order: str


@contextmanager
def alive(store: ObjectStore, order: str, *, every_s: float = EVERY_S) -> Iterator[None]:
    """Give the sign of life of an order at once, and again every `every_s` until the block ends."""
    ended = Event()

    def renew() -> None:
        while not ended.wait(every_s):
            try:
                save(store, keys.building(order), _Sign(order=order))
            except RetriableError:
                continue  # the store may be back in time

    save(store, keys.building(order), _Sign(order=order))
    renewing = Thread(target=renew, name="sign of life", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
