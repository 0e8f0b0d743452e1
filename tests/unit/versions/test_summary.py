"""What an entry of the history is about, and since when what answers does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from contextual_rag.versions.records import Pointer
from contextual_rag.versions.summary import changes, since


def pointer(
    n: int, action: Literal["publish", "promote", "pin", "unpin", "prune"], *pinned: str, version: str = "b"
) -> Pointer:
    """The nth change, after which a version answers."""
    return Pointer(
        n=n,
        action=action,
        version=version,
        pinned=pinned,
        changed_at=datetime(2026, 3, n, tzinfo=UTC),
        changed_by="x",
        why="y",
    )


class TestChanges:
    def test_are_about_what_answers_then_or_what_was_pinned(self) -> None:
        history = [
            pointer(6, "promote"),
            pointer(5, "prune"),
            pointer(4, "unpin"),
            pointer(3, "pin", "a"),
            pointer(2, "promote"),
            pointer(1, "publish"),
        ]
        assert [change.about for change in changes(history)] == [("b",), (), ("a",), ("a",), ("b",), ("b",)]

    def test_of_an_empty_history_are_none(self) -> None:
        assert changes([]) == []


class TestSince:
    def test_is_when_what_answers_began_to_though_others_were_pinned_later(self) -> None:
        earlier = [pointer(2, "promote", version="a"), pointer(1, "publish")]
        began = pointer(3, "promote")
        assert since([pointer(5, "prune"), pointer(4, "pin", "a"), began, *earlier]) == began.changed_at
        assert since([began]) == began.changed_at

    def test_is_never_where_nothing_answers(self) -> None:
        assert since([]) is None
