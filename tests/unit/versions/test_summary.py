"""What an entry of the history is about, since when what answers does, and how long a version took."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from contextual_rag.building import PER_ESSAY
from contextual_rag.building.outcome import Outcome
from contextual_rag.versions.records import Pointer, Work
from contextual_rag.versions.summary import changes, since, summaries, summary
from tests.memory_world import MemoryWorld, names


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


class TestWhatAVersionTook:
    def test_is_the_time_of_its_run_and_not_the_sum_of_tasks_side_by_side(self, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path)
        world.pages.show(names(2))
        steps = world.steps
        order, titles, _ = steps.discover(world.run())
        slugs = [slug for slug, _ in titles]
        steps.fetch(order, slugs)
        steps.changes(order)
        made = [getattr(steps, step)(order, slugs) for step in PER_ESSAY]
        side_by_side = [Outcome(work=Work(seconds={"embeddings": 3600.0}))] * 12
        version = steps.assemble(order, [*made, *side_by_side]).version
        steps.publish(order, version, steps.evaluate(order, version))
        (shown,) = summaries(world.registry)
        assert dict(shown.stages)["embeddings"] >= 12 * 3600
        assert shown.seconds == (shown.created_at - steps.order(order).decided_at).total_seconds()

    def test_is_not_known_of_an_earlier_release(self, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path)
        world.pages.show(names(1))
        manifest = world.registry.manifest(world.build().version)
        assert summary(manifest.model_copy(update={"began_at": None}), None).seconds is None
