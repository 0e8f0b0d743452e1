"""What every object store does, and what none does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TypeVar

import pytest

from contextual_rag.errors import ConflictError
from contextual_rag.ports import ObjectStore

T = TypeVar("T")

BODIES = [b"", b"one", bytes(range(256)), "Ünïcode, 日本語".encode(), b"x" * 1_000_000]
WRITERS = 6
# One more than a listing's page holds, and than one request deletes.
MANY = 1001
# A store may round its clock to a second.
CLOCK = timedelta(seconds=2)


def stored(objects: ObjectStore, key: str) -> tuple[bytes, str]:
    """The body and the tag of an object that is there."""
    found = objects.get(key)
    assert found is not None
    return found.body, found.etag


def at_once(write: Callable[[int], T]) -> list[T]:
    """What each of some writers gets that begin at the same moment."""
    together = Barrier(WRITERS)

    def one(n: int) -> T:
        together.wait()
        return write(n)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def forbid() -> int:
    raise ConflictError("Somebody else removes things now.")


class TestGet:
    @pytest.mark.parametrize("body", BODIES, ids=["empty", "text", "bytes", "unicode", "large"])
    def test_returns_the_bytes_that_were_put(self, objects: ObjectStore, body: bytes) -> None:
        objects.put("a/b", body)
        assert stored(objects, "a/b")[0] == body
        assert objects.exists("a/b")

    def test_never_returns_an_object_of_another_key(self, objects: ObjectStore) -> None:
        objects.put("a/b", b"one")
        for key in ("a", "a/", "a/b/", "a/bc", "b", "A/B"):
            assert objects.get(key) is None, key
            assert not objects.exists(key), key


class TestPut:
    def test_replaces_what_was_there(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        objects.put("a", b"two")
        assert stored(objects, "a")[0] == b"two"
        assert list(objects.list("")) == ["a"]

    def test_of_other_bytes_gives_another_tag(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        before = stored(objects, "a")[1]
        objects.put("a", b"two")
        assert stored(objects, "a")[1] != before

    def test_never_changes_another_object(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        before = stored(objects, "a")
        objects.put("a/b", b"two")
        assert stored(objects, "a") == before


class TestPutNew:
    def test_stores_what_is_new(self, objects: ObjectStore) -> None:
        assert objects.put_new("a", b"one") is True
        assert stored(objects, "a")[0] == b"one"

    def test_never_replaces(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        before = stored(objects, "a")
        for body in (b"two", b"one", b""):
            assert objects.put_new("a", body) is False
        assert stored(objects, "a") == before

    def test_of_many_at_once_stores_exactly_one(self, objects: ObjectStore) -> None:
        won = at_once(lambda n: objects.put_new("a", str(n).encode()))
        assert sum(won) == 1
        assert stored(objects, "a")[0] == str(won.index(True)).encode()


class TestSwap:
    def test_with_the_present_tag_writes_and_returns_the_new_tag(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        tag = objects.swap("a", b"two", expected=stored(objects, "a")[1])
        assert stored(objects, "a") == (b"two", tag)
        assert stored(objects, "a") == (b"two", objects.swap("a", b"two", expected=tag))

    def test_with_a_stale_tag_never_writes(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        stale = stored(objects, "a")[1]
        objects.put("a", b"two")
        before = stored(objects, "a")
        with pytest.raises(ConflictError):
            objects.swap("a", b"three", expected=stale)
        assert stored(objects, "a") == before

    def test_without_a_tag_creates(self, objects: ObjectStore) -> None:
        tag = objects.swap("a", b"one", expected=None)
        assert stored(objects, "a") == (b"one", tag)

    def test_without_a_tag_never_replaces(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        before = stored(objects, "a")
        with pytest.raises(ConflictError):
            objects.swap("a", b"two", expected=None)
        assert stored(objects, "a") == before

    def test_of_many_at_once_with_one_tag_writes_exactly_one(self, objects: ObjectStore) -> None:
        objects.put("a", b"start")
        tag = stored(objects, "a")[1]

        def swapped(n: int) -> bool:
            try:
                objects.swap("a", str(n).encode(), expected=tag)
            except ConflictError:
                return False
            return True

        won = at_once(swapped)
        assert sum(won) == 1
        assert stored(objects, "a")[0] == str(won.index(True)).encode()

    def test_again_and_again_loses_no_writer(self, objects: ObjectStore) -> None:
        objects.put("a", b"0")

        def count(_: int) -> None:
            while True:
                body, tag = stored(objects, "a")
                try:
                    objects.swap("a", str(int(body) + 1).encode(), expected=tag)
                except ConflictError:
                    continue
                return

        at_once(count)
        assert stored(objects, "a")[0] == str(WRITERS).encode()


class TestList:
    KEYS = ("b", "a/c", "a", "a/b/c", "a-b", "a/B", "ab", "a/é", "a/z", "a/日")

    def test_yields_every_key_in_lexicographic_order(self, objects: ObjectStore) -> None:
        for key in self.KEYS:
            objects.put(key, b"")
        assert list(objects.list("")) == sorted(self.KEYS)

    @pytest.mark.parametrize("prefix", ["a", "a/", "a/b", "b", "c", "A"])
    def test_never_yields_a_key_that_does_not_begin_with_the_prefix(self, objects: ObjectStore, prefix: str) -> None:
        for key in self.KEYS:
            objects.put(key, b"")
        assert list(objects.list(prefix)) == [key for key in sorted(self.KEYS) if key.startswith(prefix)]

    def test_of_an_empty_store_yields_nothing(self, objects: ObjectStore) -> None:
        assert list(objects.list("")) == []

    def test_and_delete_take_more_than_one_page(self, objects: ObjectStore) -> None:
        keys = [f"many/{n:04}" for n in range(MANY)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda key: objects.put(key, b"x"), keys))
        objects.put("other", b"x")
        assert list(objects.list("many/")) == keys
        objects.delete(keys)
        assert list(objects.list("")) == ["other"]


class TestDescribe:
    def test_says_key_size_and_when(self, objects: ObjectStore) -> None:
        before = datetime.now(UTC) - CLOCK
        objects.put("b", b"")
        objects.put("a", b"four")
        after = datetime.now(UTC) + CLOCK
        described = list(objects.describe(""))
        assert [(one.key, one.size) for one in described] == [("a", 4), ("b", 0)]
        assert all(before <= one.modified <= after for one in described)

    def test_says_the_size_of_what_was_put_last(self, objects: ObjectStore) -> None:
        objects.put("a", b"four")
        (before,) = objects.describe("a")
        objects.put("a", b"a longer one")
        (after,) = objects.describe("a")
        assert after.size == 12
        assert after.modified >= before.modified

    def test_never_describes_what_is_not_below_the_prefix(self, objects: ObjectStore) -> None:
        objects.put("a/1", b"")
        objects.put("b/1", b"")
        assert [one.key for one in objects.describe("a/")] == ["a/1"]


class TestDelete:
    def test_removes_what_it_names(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        objects.delete(["a"])
        assert objects.get("a") is None
        assert not objects.exists("a")
        assert list(objects.list("")) == []

    def test_never_removes_what_it_does_not_name(self, objects: ObjectStore) -> None:
        for key in ("a", "a/b", "ab"):
            objects.put(key, b"one")
        objects.delete(["a", "c"])
        assert list(objects.list("")) == ["a/b", "ab"]

    def test_of_what_is_not_there_is_no_error(self, objects: ObjectStore) -> None:
        objects.delete(["a", "b/c"])
        objects.delete([])
        assert list(objects.list("")) == []

    def test_lets_the_key_be_new_again(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        stale = stored(objects, "a")[1]
        objects.delete(["a"])
        assert objects.put_new("a", b"two") is True
        with pytest.raises(ConflictError):
            objects.swap("a", b"three", expected=stale)
        assert stored(objects, "a")[0] == b"two"

    def test_removes_nothing_that_is_forbidden_at_the_last_moment(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        with pytest.raises(ConflictError):
            objects.delete(["a"], check=forbid)
        assert stored(objects, "a")[0] == b"one"
        objects.delete(["a"])
        assert objects.get("a") is None

    def test_makes_the_tag_stale(self, objects: ObjectStore) -> None:
        objects.put("a", b"one")
        stale = stored(objects, "a")[1]
        objects.delete(["a"])
        with pytest.raises(ConflictError):
            objects.swap("a", b"two", expected=stale)
        assert objects.get("a") is None
