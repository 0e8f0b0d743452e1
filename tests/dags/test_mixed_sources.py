"""Two sources of one file, a folder of all formats and a tree of Markdown, and an upload, built by Airflow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contextual_rag import ask
from contextual_rag.commands.uploads import index_uploads
from contextual_rag.embedded.airflow import DAG, Airflow
from contextual_rag.embedded.services import BUILDING, Services, running
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World
from tests.mixed_folder import ASKED, FAILING, LEFT_OUT, LIMITS, write_mixed
from tests.unit.readers.files import pdf

pytestmark = pytest.mark.timeout(600)

# MARKDOWN_FILES=300 in the environment takes a larger tree.
FILES = int(os.environ.get("MARKDOWN_FILES", "30"))
_FIRST = str.split(
    "Alder Birch Cedar Damson Elder Fir Gorse Hazel Ivy Juniper Kelp Larch Maple Nettle Oak Pine Quince Rowan"
)
_LAST = str.split("ford wick holm by thorpe stead mere ley den cote combe worth bury gate hurst shaw ness")
MOST_INSTANCES = 24  # of a step
UPLOADED = ("waterworks.pdf", pdf([["It was printed in May."], ["The weir of Ulm was raised by Agathe Brun."]]))


def lock_name(n: int) -> str:
    """A name that no other file has."""
    return _FIRST[n % len(_FIRST)] + _LAST[n // len(_FIRST)]


def write_tree(folder: Path) -> None:
    """Write the tree: twenty files in each of its folders."""
    for n in range(FILES):
        file = folder / f"reach-{n // 20}" / f"lock-{n}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"---\nauthor: Surveyor {n % 7}\n---\n\n# The lock of {lock_name(n)}\n\nIt has two gates of oak.\n\n"
            f"## Keepers\n\nThe sluice of {lock_name(n)} was tended by Warden{n}.\n",
            encoding="utf-8",
        )


class Run(NamedTuple):
    """What Airflow made of both sources and of what was uploaded."""

    services: Services
    airflow: Airflow
    world: World
    upload: str
    came_to: str
    steps: set[str]
    instances: list[dict[str, Any]]
    manifest: Manifest


def index(services: Services) -> tuple[str, set[str]]:
    """Do what a worker does after an upload or a removal; return what it came to, and the steps that it reported."""
    steps: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in services.environment.items():
            patch.setenv(name, value)
        return index_uploads(lambda step, *_: steps.add(step)).state, steps


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run over all of it, which the upload asked for."""
    folder = tmp_path_factory.mktemp("sources")
    write_mixed(folder / "harbour")
    write_tree(folder / "canal")
    sources = folder / "sources.toml"
    sources.write_text('[harbour]\nurl = "./harbour"\n\n[canal]\nurl = "./canal"\n', encoding="utf-8")
    names = [name for name in BUILDING if name != "site"]
    settings = {"source_url": sources, "uploads": "true", "max_failed_share": 1, **LIMITS}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"RAG_{name.upper()}", str(value))
        with running(names, data_dir=folder / "data") as services:
            patch.undo()
            world, airflow = World(services.settings()), Airflow(services.airflow_url, services.airflow_password)
            airflow.unpause(DAG)
            upload = world.shelf.add(None, *UPLOADED).id
            came_to, steps = index(services)
            [first] = airflow.runs(DAG, "manual")
            instances = airflow.instances(DAG, first["dag_run_id"])
            yield Run(services, airflow, world, upload, came_to, steps, instances, world.registry.resolve())
            airflow.close()


def test_each_file_is_indexed_or_named_with_the_reason(run: Run) -> None:
    assert run.came_to == "moved"
    by_source = [essay.source for essay in run.manifest.essays]
    assert (by_source.count("harbour"), by_source.count("canal")) == (len(ASKED), FILES)
    failed = {failure.url.rpartition("/")[2]: failure.reason for failure in run.manifest.failed}
    left_out = {failure.slug: failure.reason for failure in run.manifest.elsewhere}
    assert (set(failed), set(left_out)) == (set(FAILING), set(LEFT_OUT))
    assert [name for name, (_, why) in (FAILING | LEFT_OUT).items() if why not in (failed | left_out)[name]] == []


def test_files_share_instances(run: Run) -> None:
    counts: dict[str, int] = {}
    for one in run.instances:
        counts[one["task_id"]] = counts.get(one["task_id"], 0) + 1
    assert max(counts.values()) <= MOST_INSTANCES < FILES + len(ASKED)
    assert {"fetch", "essays.chunk", "essays.contextualize", "essays.embed"} <= counts.keys()


def test_questions_are_answered_with_the_place_in_the_file(run: Run) -> None:
    canal = {
        f"canal/reach-{n // 20}/lock-{n}.md": (f"Who tended the sluice of {lock_name(n)}?", f"Warden{n}", "Keepers")
        for n in (0, FILES // 2, FILES - 1)
    }
    harbour = {f"harbour/{name}": asked for name, (_, *asked) in ASKED.items()}
    wrong = []
    for url, (question, words, where) in (canal | harbour).items():
        citations = [one for one in ask(run.world, question).citations if words in one.quote and one.chunk]
        cited = [(one.verified, one.chunk.url, one.where) for one in citations if one.chunk]
        if (True, f"file:{url}", where) not in cited:
            wrong.append((question, cited))
    assert wrong == []


def test_an_upload_answers_with_its_page_until_it_is_removed(run: Run) -> None:
    def cited() -> list[tuple[bool, str | None]]:
        answer = ask(run.world, "Who raised the weir of Ulm?")
        return [(one.verified, one.where) for one in answer.citations if "Agathe Brun" in one.quote]

    assert run.steps >= {"fetch", "embed"}
    [stored] = run.world.shelf.of(None)
    assert (stored.state, cited()) == ("answers", [(True, "page 2")])
    run.world.shelf.remove(None, run.upload)
    assert cited() == [(True, "page 2")]
    assert index(run.services)[0] == "moved"
    assert cited() == []
    # Nothing was read or made again for it, and the rest answers.
    last = run.airflow.instances(DAG, run.airflow.runs(DAG, "manual")[-1]["dag_run_id"])
    assert {one["state"] for one in last if one["task_id"].startswith("essays.")} == {"skipped"}
    assert len(run.world.registry.resolve().essays) == len(run.manifest.essays) - 1
