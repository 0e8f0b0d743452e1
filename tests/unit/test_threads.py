"""A pool of threads waits for its calls, unless a time limit or a signal ends it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from threading import Event

import pytest

from contextual_rag.threads import pool


class TimeIsUp(BaseException):
    """What a scheduler raises in the main thread of a task that takes too long."""


@pytest.fixture
def limit() -> Iterator[signal.Signals]:
    """A signal that ends what the main thread does."""

    def end(*_: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGUSR1, end)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


def test_a_time_limit_waits_for_no_call_and_begins_no_other(limit: signal.Signals) -> None:
    answered, begun, ended = Event(), [], []

    def call(n: int) -> None:
        begun.append(n)
        if n == 0:
            os.kill(os.getpid(), limit)
        answered.wait(20)
        ended.append(n)

    try:
        with pytest.raises(TimeIsUp), pool(2) as threads:
            list(threads.map(call, range(9)))
        assert ended == []
    finally:
        answered.set()
    assert set(begun) <= {0, 1}


def test_an_error_waits_for_the_calls_under_way_and_begins_no_other() -> None:
    other_runs, failed, begun, ended = Event(), Event(), [], []

    def call(n: int) -> None:
        begun.append(n)
        if n == 0:
            other_runs.wait(20)
            failed.set()
            raise ValueError
        other_runs.set()
        failed.wait(20)
        ended.append(n)

    with pytest.raises(ValueError), pool(2) as threads:  # noqa: PT011 - it is our own
        list(threads.map(call, [0, 1]))
    assert (begun, ended) == ([0, 1], [1])


def test_without_either_all_calls_are_made() -> None:
    with pool(2) as threads:
        found = [threads.submit(str, n) for n in range(9)]
    assert [one.result() for one in found] == [str(n) for n in range(9)]
