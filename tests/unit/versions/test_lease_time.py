"""For how long a request of a process that prunes may be on its way."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.errors import SettingError
from contextual_rag.settings import read_settings
from contextual_rag.versions.lease import Lease
from tests.memory_objects import MemoryObjects
from tests.raising import raising


@given(st.floats(3, 3600))
def test_it_is_over_before_others_take_the_lease_though_clocks_differ(dead_after_s: float) -> None:
    lease = Lease(MemoryObjects(), by="tests", dead_after_s=dead_after_s)
    lease._renewed_at = time.monotonic()
    seconds = lease.check()
    assert seconds >= 1
    # It is sent half of the time after the last renewal at the latest; a sixth is left for the clocks.
    assert dead_after_s / 2 + seconds <= dead_after_s * 5 / 6 + 1e-6


def test_a_time_that_would_be_too_short_for_that_is_refused() -> None:
    with raising(SettingError, "setting", "RAG_PRUNE_DEAD_AFTER_S"):
        read_settings(prune_dead_after_s=2.9)
