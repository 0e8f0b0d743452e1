"""How many processes ask a server of models at the moment, and that they divide its limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from contextual_rag.adapters.askers import Askers
from contextual_rag.adapters.limiter import Limiter
from contextual_rag.errors import ServiceUnavailableError
from contextual_rag.ports import Described
from tests.memory_objects import MemoryObjects

SERVER = "https://models.example/v1"


class Aged(MemoryObjects):
    """A store in which everything but what was put last is older by a time."""

    def __init__(self) -> None:
        super().__init__()
        self.older = timedelta()
        self.last = ""

    def put(self, key: str, body: bytes) -> None:
        self.last = key
        super().put(key, body)

    def describe(self, prefix: str) -> Iterator[Described]:
        for found in super().describe(prefix):
            yield found if found.key == self.last else found._replace(modified=found.modified - self.older)


class Away(MemoryObjects):
    """A store that does not answer while it is `away`; `asked` counts."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked = 0

    def put(self, key: str, body: bytes) -> None:
        self.asked += 1
        if self.away:
            raise ServiceUnavailableError("The store does not answer.")
        super().put(key, body)


def askers(store: MemoryObjects, server: str = SERVER, **times: float) -> Askers:
    return Askers(lambda: store, server, **{"every_s": 0.0, **times})


class TestAskers:
    def test_of_the_same_server_are_counted(self) -> None:
        store = MemoryObjects()
        three = [askers(store) for _ in range(3)]
        assert [one() for one in three] == [1, 2, 3]
        assert [one() for one in three] == [3, 3, 3]

    def test_of_another_server_never_are(self) -> None:
        store = MemoryObjects()
        assert [askers(store, server)() for server in (SERVER, "https://other.example/v1")] == [1, 1]

    def test_that_ask_nothing_any_more_never_are(self) -> None:
        store = Aged()
        first, second = askers(store), askers(store)
        first()
        store.older = timedelta(seconds=9)
        assert second() == 2
        store.older = timedelta(seconds=11)
        assert second() == 1
        assert first() == 1  # and now the second one is silent

    def test_leave_nothing_behind_for_long(self) -> None:
        store = Aged()
        askers(store)()
        store.older = timedelta(minutes=59)
        last = askers(store)
        last()
        assert len(list(store.list(""))) == 2
        store.older = timedelta(minutes=61)
        last()
        assert list(store.list("")) == [store.last]

    def test_are_as_many_as_before_while_the_store_is_away(self) -> None:
        store = Away()
        one, other = askers(store), askers(store)
        one()
        assert other() == 2
        store.away = True
        assert other() == 2
        store.away = False
        assert one() == 2

    def test_are_not_counted_before_each_request(self) -> None:
        store = Away()
        one = askers(store, every_s=3600)
        assert [one() for _ in range(10)] == [1] * 10
        assert store.asked == 1

    def test_hold_nothing_of_the_servers_address(self) -> None:
        store = MemoryObjects()
        askers(store, "https://user:secret@models.example/v1")()
        (key,) = store.list("")
        assert "secret" not in key
        assert (found := store.get(key)) is not None
        assert found.body == b""


def test_a_limit_is_divided_among_them() -> None:
    def spent(processes: int) -> float:
        limiter, began = Limiter(1200, askers=lambda: processes), time.monotonic()
        for _ in range(34):
            limiter.acquire(0)
        return time.monotonic() - began

    # 30 at once, the others 4.5 a second; alone, 120 at once.
    assert spent(4) > 4 / 4.5 - 0.05 > spent(1)
