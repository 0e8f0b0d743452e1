"""The campaign on the life of index versions, with small numbers; `make chaos-index` runs it with large ones."""

from __future__ import annotations

import pytest

from bench.chaos_index.bits import flip_bits
from bench.chaos_index.kills import PHASES, kill_often
from bench.chaos_index.publishers import race_publishers
from bench.chaos_index.readers import read_while_versions_change
from bench.chaos_index.stops import stop_often
from contextual_rag.settings import Settings

SEED = 20261121


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Settings of processes that soon take a killed one for dead."""
    return settings.model_copy(update={"prune_dead_after_s": 3.0})


def test_of_publishers_at_once_none_loses_a_change_and_none_leaves_half_a_version(impatient: Settings) -> None:
    races = race_publishers(impatient, rounds=3, processes=4, seed=SEED)
    assert list(races.faults) == [[], [], []]
    assert races.published == 4 + 4 + 1


def test_kills_in_every_phase_lose_nothing_and_leave_nothing_behind(impatient: Settings) -> None:
    killed = kill_often(impatient, kills=10, seed=SEED)
    assert list(killed.faults) == [[], [], []]
    assert all(killed.phases[phase] for phase in PHASES)


def test_stops_longer_than_grace_and_lease_publish_nothing_that_lacks_anything(impatient: Settings) -> None:
    stopped = stop_often(impatient, stops=4, seed=SEED)
    assert list(stopped.faults) == [[], [], []]
    assert stopped.stops == 4
    assert stopped.pruned


def test_readers_are_answered_from_one_version_each_while_versions_come_and_go(impatient: Settings) -> None:
    readings = read_while_versions_change(impatient, versions=4, rate=20)
    assert readings.failures == []
    assert readings.changes == {"publish": 4, "rollback": 1, "promote": 1, "prune": 2}
    assert len(readings.versions) > 1


def test_a_flipped_bit_in_any_file_is_refused_by_name(impatient: Settings) -> None:
    flipped = flip_bits(impatient, times=1, seed=SEED)
    assert flipped.failures == []
    assert flipped.files == 8
