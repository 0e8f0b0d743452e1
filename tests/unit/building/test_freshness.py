"""Freshness: when the source was last looked at decides, not when a version was made or pinned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contextual_rag.building.freshness import Freshness, freshness
from contextual_rag.building.snapshots import keep
from contextual_rag.errors import UnknownVersionError
from contextual_rag.model import Failure, Snapshot, Source
from contextual_rag.versions.registry import Registry
from tests.memory_objects import MemoryObjects
from tests.raising import raising
from tests.small_versions import point, put_version

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
VERSION = "2026-11-20-00000000"
OTHER = Source.at("https://another.example/")


@pytest.fixture
def store() -> MemoryObjects:
    """A bucket with one version, which answers."""
    store = MemoryObjects()
    put_version(store, VERSION)
    point(store, VERSION)
    return store


def looked(store: MemoryObjects, ago: timedelta, *failed: Failure, source: Source | None = None) -> None:
    """Store the snapshot of a look at the source of the version, or at another one."""
    source = source or Registry(store).manifest(VERSION).source
    at = NOW - ago
    keep(store, Snapshot(date=at.date(), source=source, pages=(), failed=failed, listed=1, decided_at=at))


def found(store: MemoryObjects) -> Freshness:
    return freshness(store, Registry(store), now=NOW, stale_after=timedelta(hours=30))


class TestFreshness:
    def test_is_of_the_last_look_though_nothing_changed_since_long_ago(self, store: MemoryObjects) -> None:
        failure = Failure(slug="lamp", url="https://essays.example/lamp.html", reason="404")
        looked(store, timedelta(days=3))
        looked(store, timedelta(hours=11), failure)
        assert not found(store).stale
        assert found(store).looked_at == NOW - timedelta(hours=11)
        assert found(store).failed == (failure,)

    @pytest.mark.parametrize(("hours", "stale"), [(29.9, False), (30, False), (30.1, True), (300, True)])
    def test_ends_when_nobody_looked_for_too_long(self, store: MemoryObjects, hours: float, stale: bool) -> None:
        looked(store, timedelta(hours=hours))
        assert found(store).stale is stale

    def test_is_not_given_by_a_look_at_another_source(self, store: MemoryObjects) -> None:
        looked(store, timedelta(hours=1), source=OTHER)
        assert (found(store).stale, found(store).looked_at) == (True, None)

    def test_says_since_when_the_version_answers_whatever_was_changed_beside_it(self, store: MemoryObjects) -> None:
        registry = Registry(store)
        first = registry.current()
        assert first
        registry.pin(VERSION, by="someone", why="keep it")
        assert found(store)[:4] == (VERSION, first.changed_at, first.changed_by, first.why)

    def test_of_an_empty_bucket_is_an_error(self) -> None:
        with raising(UnknownVersionError, "unknown_version"):
            found(MemoryObjects())
