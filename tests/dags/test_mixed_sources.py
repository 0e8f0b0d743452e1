"""Two sources of one file, a folder of all formats and a tree of Markdown, built by Airflow's own scheduler."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contextual_rag import ask
from contextual_rag.embedded.airflow import DAG, Airflow
from contextual_rag.embedded.services import BUILDING, running
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World
from tests.mixed_folder import ASKED, FAILING, LEFT_OUT, LIMITS, write_mixed

pytestmark = pytest.mark.timeout(600)

# MARKDOWN_FILES=300 in the environment takes a larger tree.
FILES = int(os.environ.get("MARKDOWN_FILES", "30"))
_FIRST = str.split(
    "Alder Birch Cedar Damson Elder Fir Gorse Hazel Ivy Juniper Kelp Larch Maple Nettle Oak Pine Quince Rowan"
)
_LAST = str.split("ford wick holm by thorpe stead mere ley den cote combe worth bury gate hurst shaw ness")
MOST_INSTANCES = 24  # of a step


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
    """What Airflow made of both sources."""

    world: World
    state: str
    instances: list[dict[str, Any]]
    manifest: Manifest


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run over both."""
    folder = tmp_path_factory.mktemp("sources")
    write_mixed(folder / "harbour")
    write_tree(folder / "canal")
    sources = folder / "sources.toml"
    sources.write_text('[harbour]\nurl = "./harbour"\n\n[canal]\nurl = "./canal"\n', encoding="utf-8")
    names = [name for name in BUILDING if name != "site"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAG_SOURCE_URL", str(sources))
        for name, value in LIMITS.items():
            patch.setenv(f"RAG_{name.upper()}", str(value))
        with running(names, data_dir=folder / "data") as services:
            patch.undo()
            airflow = Airflow(services.airflow_url, services.airflow_password)
            airflow.unpause(DAG)
            id_ = airflow.trigger(DAG, {"max_failed_share": 1})
            state, instances = airflow.ended(DAG, id_), airflow.instances(DAG, id_)
            airflow.close()
            world = World(services.settings())
            yield Run(world, state, instances, world.registry.resolve())


def test_each_file_is_indexed_or_named_with_the_reason(run: Run) -> None:
    assert run.state == "success"
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
