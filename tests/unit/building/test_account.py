"""A night's log: each step says in a line what it did, so that whoever knows only the log knows what happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextual_rag import keys
from contextual_rag.building.account import of_failures
from contextual_rag.model import Failure
from tests.memory_world import MemoryWorld, names, text_of


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    return MemoryWorld(tmp_path)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the steps log."""
    caplog.set_level("INFO", logger="contextual_rag")
    return caplog


def test_failed_essays_are_told_apart_though_their_reasons_have_commas() -> None:
    reasons = {"bell": "it did not answer, in 3 attempts. Try again later", "lamp": "no essay in the page"}
    failed = [Failure(slug=slug, url=f"http://essays.example/{slug}", reason=why) for slug, why in reasons.items()]
    assert of_failures(failed).endswith(f"(bell: {reasons['bell']}; lamp: {reasons['lamp']})")


class TestTheLog:
    def test_of_a_first_night_says_what_was_listed_made_and_moved(
        self, world: MemoryWorld, log: pytest.LogCaptureFixture
    ) -> None:
        world.pages.show(names(4))
        built = world.build()
        for line in (
            "lists 4 essays; read from the site.",
            "fetch: 1 essay, ",
            "in the first version of this recipe: 0 unchanged, 0 changed, 4 new, 0 gone; 4 essays to work on.",
            "contextualize: 1 essay, 1 context asked for",
            f"moved from nothing to {built.version}",
        ):
            assert line in log.text

    def test_of_a_night_with_changes_names_what_went_and_what_failed(
        self, world: MemoryWorld, log: pytest.LogCaptureFixture
    ) -> None:
        world.pages.show(names(6))
        first = world.build()
        log.clear()
        edited = {name: text_of(name) for name in names(5)} | {"essay0": text_of("essay0", edition="second")}
        world.pages.show(edited | {"newcomer": text_of("newcomer")}, missing=["essay3"])
        second = world.build(days=1)
        said = f"since {first.version}: 4 unchanged, 1 changed, 1 new, 1 gone (essay5), 1 failed (essay3: "
        assert said in log.text
        assert "2 essays to work on." in log.text
        assert f"moved from {first.version} to {second.version}" in log.text

    def test_of_essays_that_name_their_authors_calls_none_failed_or_changed(
        self, world: MemoryWorld, log: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        folder = tmp_path / "notes"
        folder.mkdir()
        for name in names(4):
            (folder / f"{name}.md").write_text(f"---\nauthor: Ann Lee\n---\n\n{text_of(name)}\n", encoding="utf-8")
        first = world.build(source=str(folder))
        assert (first.state, first.refused) == ("moved", None)
        log.clear()
        (folder / "essay0.md").write_text(f"---\nauthor: Bo Ray\n---\n\n{text_of('essay0')}\n", encoding="utf-8")
        assert world.build(source=str(folder), days=1).state == "moved"
        assert f"since {first.version}: 3 unchanged, 1 changed, 0 new, 0 gone; " in log.text

    def test_of_a_night_without_a_change_says_that_what_answers_stays(
        self, world: MemoryWorld, log: pytest.LogCaptureFixture
    ) -> None:
        world.pages.show(names(4))
        first = world.build()
        log.clear()
        world.build(days=1)
        assert f"since {first.version}: 4 unchanged, 0 changed, 0 new, 0 gone; 0 essays to work on." in log.text
        assert "what answers stays: " in log.text
        assert "moved" not in log.text

    def test_of_a_refused_night_says_nothing_of_a_move(self, world: MemoryWorld, log: pytest.LogCaptureFixture) -> None:
        world.pages.show(names(6))
        world.build()
        log.clear()
        world.pages.show(names(2))
        assert world.build(days=1).state == "refused"
        assert "4 gone (essay2, essay3, essay4, essay5)" in log.text
        assert "moved" not in log.text
        assert "stays" not in log.text

    @pytest.mark.parametrize("damage", ["", "{}", None])
    def test_says_what_it_can_if_the_parents_manifest_was_damaged_or_pruned_since_the_plan(
        self, world: MemoryWorld, log: pytest.LogCaptureFixture, damage: str | None
    ) -> None:
        world.pages.show(names(4))
        first = world.build()
        world.pages.show([*names(3), "newcomer"])
        digest, titles, _ = world.steps.discover(world.run(days=1))
        world.steps.fetch(digest, [slug for slug, _ in titles])
        planned = world.steps.changes(digest)
        assert f"since {first.version}: 3 unchanged, 0 changed, 1 new, 1 gone (essay3); 1 essay to work on." in log.text
        log.clear()
        key = keys.manifest(first.version)
        world.store.delete([key])
        if damage is not None:
            world.store.put(key, damage.encode())
        assert world.steps.changes(digest) == planned
        assert f"since {first.version}: 3 unchanged, 0 changed, 1 new; 1 essay to work on." in log.text
