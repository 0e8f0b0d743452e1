"""What an entry of the history is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from contextual_rag.model import Pointer
from index_versions_page.rows import changes


def pointer(n: int, action: Literal["publish", "promote", "pin", "unpin", "prune"], *pinned: str) -> Pointer:
    """The nth change, after which `b` answers."""
    return Pointer(
        n=n,
        action=action,
        version="b",
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
