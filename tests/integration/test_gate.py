"""The gate on quality: a version is compared with what answers now by the same questions, or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contextual_rag import keys
from contextual_rag.embedded.services import Services
from contextual_rag.versions.records import Manifest, sealed
from contextual_rag.wiring import World
from tests.conftest import Rag, ServedSite, environment_of, settings_of
from tests.kept import Kept, keep
from tests.sample_questions import SEARCHED
from tests.servers.together import DEFAULT_KEY, TogetherServer

FIGURES = ["recall@5", "mrr@5"]
KNOWN_ITEM = [f"known_item_{name}" for name in FIGURES]
FEW = ("--limit", "3", "--promote")
WORSE = ("--chunker", "fixed", "--chunk-size", "50")
OTHERWISE = ("--chunk-size", "1390")
OFFLINE_RECIPE = {"RAG_CONTEXT_MODEL": "offline/structure-2", "RAG_EMBEDDING_MODEL": "offline/all-MiniLM-L6-v2"}


@pytest.fixture
def provider() -> Iterator[TogetherServer]:
    with TogetherServer() as server:
        yield server


class Ground(NamedTuple):
    """What answers, of a few essays; what a build of a worse index said, which was refused; all that this left."""

    first: Kept
    refused: subprocess.CompletedProcess[str]
    worse: Kept


@pytest.fixture(scope="module")
def ground(stores: Services, session_site: ServedSite, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Both of them, built once."""
    session_site.show(1)
    world = World(settings_of(stores, tmp_path_factory.mktemp("ground")))
    rag = Rag(environment_of(stores, world.settings))
    answering(rag, world, session_site)
    first = keep(world)
    return Ground(first, rag.run("build", "--source", session_site.url, *FEW, *WORSE), keep(world))


@pytest.fixture
def first(ground: Ground, world: World, sample_site: ServedSite) -> Manifest:
    """What answers, of a few essays, measured by questions from the essays alone."""
    ground.first.put(world)
    return world.registry.resolve()


@pytest.fixture
def first_and_worse(ground: Ground, world: World, sample_site: ServedSite) -> Manifest:
    """What answers, where all that a worse version is made of is stored too."""
    ground.worse.put(world)
    return world.registry.resolve()


def answering(rag: Rag, world: World, site: ServedSite, *asked: str, **environment: str) -> Manifest:
    """Build what then answers."""
    built = rag.json("build", "--source", site.url, *FEW, *asked, **environment)
    assert (built["published"], built["current"]) == (True, True)
    return world.registry.manifest(built["version"])


def questions(folder: Path, lines: list[str]) -> str:
    """Keep some questions in a file."""
    file = folder / f"{len(lines)}.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


def recorded(world: World, manifest: Manifest, **changed: Any) -> None:
    """Have a version say that it was measured otherwise."""
    world.store.put(keys.manifest(manifest.version), sealed(manifest.model_copy(update=changed)))


def damage(world: World, manifest: Manifest) -> None:
    """Lose a file of a version, here and in the bucket."""
    world.store.delete([keys.index_file(manifest.version, "chunks.arrow")])
    shutil.rmtree(world.settings.data_dir / "indexes" / manifest.version, ignore_errors=True)


class TestWhereNoQuestionsAreKept:
    def test_a_worse_index_is_refused_with_the_figures_and_a_better_one_answers(
        self, ground: Ground, first_and_worse: Manifest, rag: Rag, world: World, sample_site: ServedSite
    ) -> None:
        first, refused = first_and_worse, ground.refused
        assert list(first.quality) == [*KNOWN_ITEM, "known_items"]
        assert refused.returncode == 3
        said = " ".join(refused.stderr.split())
        assert first.version in said
        name = "known_item_recall@5"
        assert f"{name} {first.quality[name]:.3f} → 0." in said
        assert said.count("” recall@5 1.00 → 0.") == 3
        assert all(f in said for f in ("RAG_MAX_QUALITY_DROP", "--max-quality-drop", "`max_quality_drop`"))
        assert world.registry.resolve().version == first.version

        worse = rag.json("build", "--source", sample_site.url, *FEW, *WORSE, "--max-quality-drop", "1")
        assert (worse["published"], worse["current"], worse["model_calls"]) == (True, True, 0)
        better = answering(rag, world, sample_site, *OTHERWISE)
        assert better.parent == worse["version"]


class TestOtherQuestions:
    def test_are_asked_of_what_answers_too(
        self, first: Manifest, rag: Rag, world: World, sample_site: ServedSite, tmp_path: Path
    ) -> None:
        # By these figures, which other questions gave, it could not be replaced.
        flattered = {**dict.fromkeys([*FIGURES, *KNOWN_ITEM], 1.0), "questions": 85.0, "known_items": 50.0}
        recorded(world, first, quality=flattered)
        some = answering(rag, world, sample_site, *OTHERWISE, RAG_QUESTIONS=questions(tmp_path, SEARCHED[::2]))
        assert list(some.quality) == [*FIGURES, "questions", *KNOWN_ITEM, "known_items"]
        recorded(world, some, quality=flattered)
        every = answering(rag, world, sample_site, "--chunk-size", "1380", RAG_QUESTIONS=questions(tmp_path, SEARCHED))
        assert every.quality["questions"] > some.quality["questions"]
        assert every.yardstick != some.yardstick != first.yardstick

    def test_that_only_one_of_them_can_answer_are_not_compared(
        self, first: Manifest, rag: Rag, sample_site: ServedSite
    ) -> None:
        more = rag.json("build", "--source", sample_site.url, "--limit", "4", "--promote")
        assert (more["published"], more.get("uncompared")) == (True, None)


class TestTheSameQuestions:
    def test_are_not_asked_again_where_nothing_fell(
        self, first: Manifest, rag: Rag, world: World, sample_site: ServedSite
    ) -> None:
        recorded(world, first, quality=first.quality | dict.fromkeys(KNOWN_ITEM, 0.1))
        damage(world, first)
        built = rag.json("build", "--source", sample_site.url, *FEW, *OTHERWISE)
        assert (built["current"], built.get("uncompared")) == (True, None)

    def test_that_cannot_be_asked_again_are_compared_as_they_were_recorded(
        self, first_and_worse: Manifest, rag: Rag, world: World, sample_site: ServedSite
    ) -> None:
        first = first_and_worse
        recorded(world, first, quality=first.quality | {"known_item_recall@5": 1.0})
        damage(world, first)
        refused = rag.run("build", "--source", sample_site.url, *FEW, *WORSE, RAG_MAX_QUALITY_DROP="0")
        assert refused.returncode == 3
        assert "known_item_recall@5 1.000 → 0." in " ".join(refused.stderr.split())


class TestAnotherReranker:
    def test_reranks_for_what_answers_too(
        self, first: Manifest, rag: Rag, world: World, sample_site: ServedSite, provider: TogetherServer
    ) -> None:
        hosted = {"TOGETHER_API_KEY": DEFAULT_KEY, "TOGETHER_BASE_URL": provider.url, **OFFLINE_RECIPE}
        reranked = answering(rag, world, sample_site, *OTHERWISE, RAG_MAX_QUALITY_DROP="1", **hosted)
        assert first.yardstick
        assert reranked.yardstick
        assert first.yardstick.reranker is None
        assert reranked.yardstick.reranker
        assert reranked.yardstick.questions == first.yardstick.questions
        assert len(provider.calls("rerank")) == 2 * reranked.quality["known_items"]


class TestWhatCannotBeMeasured:
    def test_for_want_of_a_key_is_refused_unless_any_drop_is_allowed_and_is_said_then(
        self, rag: Rag, world: World, sample_site: ServedSite, provider: TogetherServer
    ) -> None:
        hosted = {"TOGETHER_API_KEY": DEFAULT_KEY, "TOGETHER_BASE_URL": provider.url}
        first = answering(rag, world, sample_site, **hosted)
        refused = rag.run("build", "--source", sample_site.url, *FEW, "--json")
        assert refused.returncode == 3
        said = json.loads(refused.stdout)
        assert (said["state"], said["error"]["code"]) == ("refused", "gate_quality")
        assert all(name in said["error"]["message"] for name in (first.version, "TOGETHER_API_KEY"))
        assert world.registry.resolve().version == first.version
        shown = rag.run("build", "--source", sample_site.url, *FEW, "--max-quality-drop", "1")
        assert shown.returncode == 0, shown.stderr
        said = " ".join(shown.stdout.split())
        assert f"Quality was not compared: {first.version}, which answers now, could not be measured" in said
        assert "TOGETHER_API_KEY" in said
        assert world.registry.resolve().version != first.version
