"""A folder with a file of each format, and with hostile ones: each answers questions, with the place in it."""

from __future__ import annotations

import re

import pytest

from contextual_rag import ask
from contextual_rag.building.build import Built
from tests.memory_world import MemoryWorld
from tests.mixed_folder import ASKED, FAILING, LEFT_OUT, LIMITS, write_mixed


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryWorld, Built]:
    """The folder, built."""
    folder = tmp_path_factory.mktemp("mixed")
    source = folder / "harbour"
    write_mixed(source)
    world = MemoryWorld(folder, **LIMITS)
    return world, world.build(source=str(source), max_failed_share=1)


@pytest.mark.parametrize("name", ASKED)
def test_a_question_is_answered_with_the_place_in_the_file(mixed: tuple[MemoryWorld, Built], name: str) -> None:
    world, _ = mixed
    _, question, words, where = ASKED[name]
    answer = ask(world, question)  # type: ignore[arg-type]
    (citation, *_) = [one for one in answer.citations if words in one.quote]
    assert citation.verified
    assert citation.chunk is not None
    assert citation.chunk.url == f"file:harbour/{name}"
    assert where in re.split(" – ", citation.where or "")


def test_each_hostile_file_is_named_with_the_reason_and_stops_nothing(mixed: tuple[MemoryWorld, Built]) -> None:
    _, built = mixed
    assert (built.essays, built.state) == (len(ASKED), "moved")
    failed = {failure.url.rpartition("/")[2]: failure.reason for failure in built.failed}
    left_out = {failure.slug: failure.reason for failure in built.elsewhere}
    assert set(failed) == set(FAILING)
    assert set(left_out) == set(LEFT_OUT)
    for name, (_, reason) in (FAILING | LEFT_OUT).items():
        assert reason in (failed | left_out)[name], name


def test_a_second_build_makes_nothing_again(mixed: tuple[MemoryWorld, Built]) -> None:
    world, built = mixed
    (source,) = {one.source for one in [world.registry.resolve(None)]}
    again = world.build(source=source.url, max_failed_share=1, days=1)
    assert (again.version, again.work.embedded, again.work.model_calls) == (built.version, 0, 0)
