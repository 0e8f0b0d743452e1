"""A real Airflow, with scheduler, DAG processor and API server, over the sample site and a provider that we serve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from contextual_rag.embedded.airflow import Airflow
from contextual_rag.embedded.demo import DAG
from contextual_rag.embedded.services import ALL, Services, running
from contextual_rag.model import Manifest
from contextual_rag.recipe import OFFLINE_CONTEXTS, OFFLINE_EMBEDDINGS
from contextual_rag.wiring import World
from tests.conftest import SAMPLE_SITE
from tests.servers.together import DEFAULT_KEY, TogetherServer

QUESTIONS = 20


class Finished(NamedTuple):
    """A DAG run that is over."""

    id: str
    state: str
    instances: list[dict[str, Any]]
    published: dict[str, Any] | None

    def states(self, task: str) -> list[str]:
        """The states of a task's instances, in their order."""
        mine = sorted((i for i in self.instances if i["task_id"] == task), key=lambda i: i["map_index"])
        return [str(i["state"]) for i in mine]

    def titles(self, task: str, state: str) -> list[str]:
        """What the rows of a mapped task are called, of the instances in a state."""
        return [i["rendered_map_index"] for i in self.instances if (i["task_id"], i["state"]) == (task, state)]


class Scheduler:
    """Airflow, its client, and the world that its tasks work on."""

    def __init__(self, services: Services, provider: TogetherServer) -> None:
        self.services = services
        self.provider = provider
        self.world = World(services.settings())
        self.airflow = Airflow(services.airflow_url, services.airflow_password)
        self.airflow.unpause(DAG)

    def show(self, edition: int) -> None:
        """Change the sample site to another day's edition."""
        url = self.services.site_url.replace("articles.html", "_edition")
        httpx.put(url, json={"edition": edition}, trust_env=False).raise_for_status()

    def run(self, logical_date: str | None = None, **conf: Any) -> Finished:
        """Run the DAG to its end."""
        run = self.airflow.trigger(DAG, conf, logical_date=logical_date)
        *_, last = self.airflow.follow(DAG, run)
        instances = self.airflow.instances(DAG, run)
        return Finished(run, last.state, instances, self.airflow.returned(DAG, run, "publish"))

    def message(self, run: Finished, task: str) -> str:
        """What the first failed instance of a task said."""
        failed = next(i for i in run.instances if (i["task_id"], i["state"]) == (task, "failed"))
        return self.airflow.failure(DAG, run.id, task, failed["map_index"], failed["try_number"])

    def manifest(self, run: Finished) -> Manifest:
        """The version that a run published or found unchanged."""
        assert run.published
        return self.world.registry.manifest(run.published["version"])


def is_of(process: psutil.Process, data_dir: Path) -> bool:
    """Whether a process was started for the services on a data folder."""
    try:
        return bool(process.environ().get("RAG_EMBEDDED_IN") == str(data_dir))
    except (psutil.Error, OSError):
        return False


@pytest.fixture(scope="session")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """One Airflow for all runs; offline models unless a run's parameters name others."""
    # Few questions: each run measures its version with them, and asks the provider's reranker for each.
    few = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    asked = (SAMPLE_SITE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    few.write_text("\n".join(asked[:QUESTIONS]), encoding="utf-8")
    with TogetherServer() as provider, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAG_QUESTIONS", str(few))
        patch.setenv("TOGETHER_API_KEY", DEFAULT_KEY)
        patch.setenv("TOGETHER_BASE_URL", provider.url)
        patch.setenv("RAG_CONTEXT_MODEL", OFFLINE_CONTEXTS)
        patch.setenv("RAG_EMBEDDING_MODEL", OFFLINE_EMBEDDINGS)
        patch.setenv("RAG_REQUEST_INTERVAL_S", "0")
        patch.setenv("RAG_REQUESTS_PER_MINUTE", "100000")
        patch.setenv("RAG_TOKENS_PER_MINUTE", "1000000000")
        with running(ALL, data_dir=tmp_path_factory.mktemp("airflow"), site=SAMPLE_SITE) as services:
            scheduler = Scheduler(services, provider)
            yield scheduler
            scheduler.airflow.close()
            data_dir = services.data_dir
        assert [process for process in psutil.process_iter() if is_of(process, data_dir)] == [], "something was left"
