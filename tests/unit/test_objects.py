"""Which of many objects are there: the same answer by whichever way it is found, and few requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from contextual_rag.objects import present
from contextual_rag.ports import Described
from tests.memory_objects import MemoryObjects


class Counted(MemoryObjects):
    """A store that counts the requests a bucket would get: a listing has a thousand keys in each."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: Counter[str] = Counter()

    def exists(self, key: str) -> bool:
        self.requests["exists"] += 1
        return super().exists(key)

    def describe(self, prefix: str) -> Iterator[Described]:
        for number, found in enumerate(super().describe(prefix)):
            self.requests["list"] += number % 1000 == 0
            yield found


def filled(*folders: str, objects: int) -> tuple[Counted, list[str]]:
    """A store, and keys of which every other one is there."""
    store = Counted()
    wanted = [f"{folder}/{number * 2654435761 % 2**32:08x}" for folder in folders for number in range(objects)]
    for key in wanted[::2]:
        store.put(key, b"")
    return store, wanted


@pytest.mark.parametrize("asked", [0, 1, 16, 17, 400])
@pytest.mark.parametrize("others", [0, 3000])
def test_what_is_there_is_found_and_nothing_else(asked: int, others: int) -> None:
    store, wanted = filled("chunks", "contexts", objects=asked // 2 or asked)
    for number in range(others):
        store.put(f"chunks/{number * 40503 % 2**16:04x}-other", b"")
    assert present(store, wanted) == set(wanted[::2])


def test_many_take_a_request_for_each_folder() -> None:
    store, wanted = filled("chunks", "contexts", objects=500)
    present(store, wanted)
    assert store.requests == {"list": 2}


def test_few_in_a_large_bucket_never_list_all_of_it() -> None:
    store, wanted = filled("chunks", objects=20)
    for number in range(20_000):
        store.put(f"chunks/{number * 40503 % 2**32:08x}-other", b"")
    present(store, wanted)
    assert store.requests["list"] == 1
    assert store.requests["exists"] <= len(wanted)
