"""What `rag doctor` finds out about a store's conditional writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from contextual_rag.commands.checks import Finding, examine
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.memory_objects import MemoryObjects


class Named(MemoryObjects):
    """A store with what the checks name."""

    name, endpoint = "mine", "http://store.example"


class IgnoresIfNoneMatch(Named):
    def put_new(self, key: str, body: bytes) -> bool:
        self.put(key, body)
        return True


class LetsTwoCreate(Named):
    """In a sequence, it respects the condition."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: Iterator[int] = count()

    def put_new(self, key: str, body: bytes) -> bool:
        return super().put_new(key, body) or next(self.writers) == 1


class IgnoresIfMatch(Named):
    def swap(self, key: str, body: bytes, *, expected: str | None) -> str:
        self.put(key, body)
        found = self.get(key)
        return found.etag if found else ""


class LetsNobodyCreate(Named):
    def put_new(self, key: str, body: bytes) -> bool:
        return False


def finding(store: Named) -> Finding:
    world = World(Settings())
    vars(world)["store"] = store
    return next(found for found in examine(world) if found.check == "conditional writes")


def test_a_store_that_lets_exactly_one_of_32_writers_win_is_fine() -> None:
    store = Named()
    found = finding(store)
    assert (found.ok, "32" in found.detail) == (True, True)
    assert list(store.list("doctor/")) == []


@pytest.mark.parametrize(
    ("store", "condition", "danger"),
    [
        (IgnoresIfNoneMatch, "If-None-Match", "overwrite"),
        (LetsTwoCreate, "If-None-Match", "overwrite"),
        (LetsNobodyCreate, "If-None-Match", "overwrite"),
        (IgnoresIfMatch, "If-Match", "CURRENT"),
    ],
)
def test_any_other_never_is(store: type[Named], condition: str, danger: str) -> None:
    found = finding(store())
    assert not found.ok
    assert [word for word in (condition, danger, "http://store.example") if word not in found.detail] == []
