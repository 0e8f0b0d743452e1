"""A version's answers are measured beside its search, and a drop refuses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from contextual_rag import keys
from contextual_rag.building.answers import answerable
from contextual_rag.evaluation.datasets import Question, Reference
from contextual_rag.versions.summary import summaries
from tests.memory_world import MemoryWorld, names, text_of
from tests.small_world import Says

LANTERN = {"question": "The lantern was mended before winter by keepers", "holds": ["lantern"]}
PRICE = {"question": "What does a kettle cost in Bergen?", "kind": "foreign"}
ESSAYS = {name: text_of(name) for name in names(6)}


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    world = MemoryWorld(tmp_path)
    world.pages.show(ESSAYS)
    return world


def keep(world: MemoryWorld, *questions: dict[str, Any]) -> None:
    world.store.put(keys.QUESTIONS, "\n".join(map(json.dumps, questions)).encode())


def without_lanterns(world: MemoryWorld) -> None:
    """Serve the same essays, in which nothing is a lantern."""
    world.pages.show({name: text.replace("lantern", "lamp") for name, text in ESSAYS.items()})


class TestAVersion:
    def test_has_the_figures_of_its_answers_beside_those_of_the_search(self, world: MemoryWorld) -> None:
        keep(world, LANTERN, PRICE)
        manifest = world.registry.manifest(world.build().version)
        assert manifest.quality.items() >= {
            "answered": 1, "answered_first": 1, "silent": 1, "citation_recall_by_words": 1,
            "citation_precision_by_words": 1, "answerable": 1, "unanswerable": 1, "replies": 1,
        }.items()  # fmt: skip
        assert "known_item_recall@5" in manifest.figures
        assert not manifest.figures.keys() & {"answerable", "unanswerable", "replies"}
        assert manifest.yardstick
        assert manifest.yardstick.chat == "offline/quotes"
        (shown,) = summaries(world.registry)
        assert [shown.asked(name) for name in ("answered", "silent", "citation_recall_by_words")] == [1, 1, 1]

    def test_has_none_where_no_question_says_what_is_right(self, world: MemoryWorld) -> None:
        manifest = world.registry.manifest(world.build().version)
        assert not any(name.startswith(("answer", "silent", "citation")) for name in manifest.quality)
        assert manifest.yardstick
        assert manifest.yardstick.chat is None

    def test_of_a_release_that_measured_none_is_read_and_measured_to_be_compared(self, world: MemoryWorld) -> None:
        first = world.build().version
        keep(world, LANTERN)
        world.pages.show({**ESSAYS, "more": text_of("more")})
        built = world.build(days=1)
        assert (built.state, built.uncompared) == ("moved", None)
        assert "answered" not in world.registry.manifest(first).quality


class TestTheGate:
    def test_refuses_a_version_whose_answers_fell_and_names_the_question(self, world: MemoryWorld) -> None:
        keep(world, LANTERN, PRICE)
        first = world.build().version
        without_lanterns(world)
        built = world.build(days=1)
        assert (built.refusal, world.current) == ("gate_quality", first)
        assert all(
            words in (built.refused or "")
            for words in ("answered 1.000 → 0.000", "RAG_MAX_ANSWERS_DROP", f"“{LANTERN['question']}” lacks lantern")
        )
        assert "RAG_MAX_QUALITY_DROP" not in (built.refused or "")

    @pytest.mark.parametrize("allowed", [{"max_answers_drop": 1.0}, {"max_quality_drop": 1.0}])
    def test_lets_it_pass_if_any_drop_is_allowed(self, world: MemoryWorld, allowed: dict[str, float]) -> None:
        keep(world, LANTERN)
        world.build()
        without_lanterns(world)
        assert world.build(days=1, **allowed).state == "moved"

    def test_refuses_nothing_whose_answers_are_as_they_were(self, world: MemoryWorld) -> None:
        keep(world, LANTERN, PRICE)
        world.build()
        world.pages.show({**ESSAYS, "more": text_of("more")})
        assert world.build(days=1, max_answers_drop=0.0).state == "moved"

    def test_compares_no_answers_of_different_models(self, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        keep(world, LANTERN)
        world.build()
        chat = Says('"The lantern" [1]')
        monkeypatch.setattr(world, "chat_model", lambda _: chat)
        world.pages.show({**ESSAYS, "more": text_of("more")})
        assert world.build(days=1).state == "moved"
        assert len(chat.asked) == 2, "the question is asked of both versions"


class TestWhatIsAsked:
    def test_is_only_what_the_essays_still_have(self) -> None:
        there = Question(question="a?", references=(Reference(slug="a", content="one two"),), holds=("one",))
        gone = there.model_copy(update={"references": (Reference(slug="b", content="one two"),)})
        searched = there.model_copy(update={"holds": ()})
        assert answerable({"a": "one two three"}, [there, gone, searched]) == [there]

    def test_is_at_most_thirty_from_all_of_the_file(self) -> None:
        asked: Sequence[Question] = [Question(question=str(n), holds=("a",)) for n in range(1000)]
        chosen = [int(question.question) for question in answerable({}, asked)]
        assert len(chosen) == 30
        assert chosen == sorted(set(chosen))
        assert chosen[-1] > 900
        assert answerable({}, asked[:3]) == asked[:3]
        assert answerable({}, []) == []
