"""What a step had done when its time was up is kept, and what it had not is an essay that failed."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from contextual_rag.building.endings import took_too_long
from contextual_rag.building.outcome import Outcome
from tests.memory_world import MemoryWorld, names, text_of

SAID = took_too_long("fetch", timedelta(hours=2)).message


class TimeIsUp(BaseException):
    """What a scheduler raises in the main thread of a task that takes too long."""


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    """Five essays, of which the second one's page never ends on the next day, when all were edited."""
    world = MemoryWorld(tmp_path, max_failed_share=0.5)
    world.pages.show(names(5))
    assert world.build().moved
    world.pages.show({name: text_of(name, edition="second") for name in names(5)})

    def never_end(url: str) -> None:
        if url.endswith("essay1.html"):
            assert threading.current_thread() is threading.main_thread(), "it could not be interrupted elsewhere"
            raise TimeIsUp

    world.pages.on_page = never_end
    return world


def fetched(world: MemoryWorld, batches: list[list[str]], *, why: str = "") -> tuple[str, list[Outcome]]:
    """Fetch each batch as an instance of its own; those whose time is up say why, or report nothing."""
    digest = world.steps.discover(world.run(days=1)).order
    outcomes = []
    for batch in batches:
        try:
            outcomes.append(world.steps.fetch(digest, batch))
        except TimeIsUp:
            outcomes += [Outcome(ended=dict.fromkeys(batch, why))] if why else []
    return digest, outcomes


def editions(world: MemoryWorld) -> dict[str, str]:
    """Which edition of each essay answers."""
    index = world.indexes.open(world.registry.resolve())
    return {slug: index.essay(slug)[0].text.split()[-2] for slug in index.essays}


def finished(
    world: MemoryWorld, digest: str, outcomes: list[Outcome], *, lost: str = "", why: str = ""
) -> dict[str, str]:
    """Do all later steps, and return why essays failed; the instance of one that is `lost` says why, or nothing."""
    outcomes += [Outcome(ended={lost: why})] if why else []
    slugs = [slug for slug, _ in world.steps.changes(digest, outcomes) if slug != lost]
    outcomes += [getattr(world.steps, step)(digest, slugs) for step in ("chunk", "contextualize", "embed")]
    version = world.steps.assemble(digest, outcomes).version
    assert world.steps.publish(digest, version, world.steps.evaluate(digest, version)).moved
    return {failure.slug: failure.reason for failure in world.registry.resolve().failed}


@pytest.mark.parametrize("why", [SAID, ""])
def test_a_page_that_never_ends_leaves_its_essay_as_it_was_and_the_rest_is_published(
    world: MemoryWorld, why: str
) -> None:
    digest, outcomes = fetched(world, [["essay0", "essay1", "essay2"], ["essay3", "essay4"]], why=why)
    failed = finished(world, digest, outcomes)
    assert failed.keys() == {"essay1", "essay2"}, "what was fetched before it is not lost"
    check_told(failed, why)
    assert editions(world) == {name: "first" if name in failed else "second" for name in names(5)}


@pytest.mark.parametrize("why", [SAID, ""])
def test_a_later_step_that_never_ends_does_so_too(world: MemoryWorld, why: str) -> None:
    world.pages.on_page = str
    digest, outcomes = fetched(world, [names(5)])
    failed = finished(world, digest, outcomes, lost="essay3", why=why)
    assert failed.keys() == {"essay3"}
    check_told(failed, why)
    assert editions(world) == {name: "first" if name in failed else "second" for name in names(5)}


def check_told(failed: dict[str, str], why: str) -> None:
    """Each says what its step said when it ended, and if it could not say a thing, that it was killed or lost."""
    for reason in failed.values():
        assert reason == why if why else "killed" in reason
        assert ("RAG_TASK_HOURS" in reason) == bool(why)


def test_pages_that_end_leave_nothing_as_it_was(world: MemoryWorld) -> None:
    world.pages.on_page = str
    digest, outcomes = fetched(world, [names(3), names(2, first=3)])
    outcomes.append(Outcome(ended=dict.fromkeys(names(5), SAID)))
    assert finished(world, digest, outcomes) == {}, "what is made is never told as failed, however its step ended"
    assert set(editions(world).values()) == {"second"}
