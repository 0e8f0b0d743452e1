"""Pools of threads that a time limit ends at once, whatever their threads wait for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

__all__ = ["pool"]


@contextmanager
def pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool for calls over the network; at the end, those under way are waited for, and others not begun.

    But a time limit or a signal does not wait: a call that a busy provider keeps waiting may take minutes.
    """
    made = ThreadPoolExecutor(threads)
    try:
        yield made
    except Exception:
        made.shutdown(cancel_futures=True)
        raise
    except BaseException:
        made.shutdown(wait=False, cancel_futures=True)
        raise
    made.shutdown()
