"""A task that is cleared two days later, by a scheduler whose clock says so, does the work of its own day."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from contextual_rag import keys
from contextual_rag.embedded.airflow import Airflow
from contextual_rag.embedded.demo import DAG
from contextual_rag.embedded.services import BUILDING, Services, running
from contextual_rag.wiring import World
from tests.faults.small_site import essay_page, index_page

pytestmark = pytest.mark.timeout(600)

COMPILER = shutil.which("cc") or shutil.which("gcc")
ESSAYS = ("bell", "bread")
TWO_DAYS_S = 2 * 24 * 60 * 60


def write_site(root: Path) -> None:
    """Write a site that says something else on its second day, and lists another essay."""
    for day, slugs, years in ((1, ESSAYS, b"nine years"), (2, ("bell", "clock"), b"ninety years")):
        folder = root / f"day{day}"
        folder.mkdir(parents=True)
        (folder / "articles.html").write_bytes(index_page(slugs))
        for slug in slugs:
            (folder / f"{slug}.html").write_bytes(essay_page(slug).replace(b"nine years", years))


class Days:
    """Airflow over such a site, started anew as often as a test wants, at another time."""

    def __init__(self, folder: Path) -> None:
        self.data_dir, self.site = folder / "data", folder / "site"
        write_site(self.site)

    @contextmanager
    def running(self, edition: int, **environment: str) -> Iterator[tuple[Airflow, World]]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"RAG_REQUEST_INTERVAL_S": "0", **environment}.items():
                patch.setenv(name, value)
            with running(BUILDING, data_dir=self.data_dir, site=self.site, edition=edition) as services:
                patch.undo()
                airflow = Airflow(services.airflow_url, services.airflow_password)
                try:
                    yield airflow, World(services.settings())
                finally:
                    airflow.close()
                    self.check_now(services)

    def check_now(self, services: Services) -> None:
        """The site serves what it was started with: no task has changed it."""
        assert httpx.get(services.site_url, trust_env=False).is_success


def stored(world: World) -> dict[str, bytes]:
    """The snapshots, and the files of versions."""
    listed = [*world.store.list(keys.SNAPSHOTS), *(k for k in world.store.list(keys.INDEXES) if keys.index_of(k))]
    return {key: found.body for key in listed if (found := world.store.get(key))}


def another_time(folder: Path) -> str:
    """Compile what moves the clock of a process; return the library."""
    library = folder / "another_time.so"
    source = Path(__file__).with_name("another_time.c")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return str(library)


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler to make a library that moves the clock")
def test_a_fetch_that_is_cleared_two_days_later_leaves_day_and_version_byte_for_byte(tmp_path: Path) -> None:
    days = Days(tmp_path)
    with days.running(1) as (airflow, world):
        airflow.unpause(DAG)
        run = airflow.trigger(DAG, {})
        assert airflow.ended(DAG, run) == "success"
        version = airflow.returned(DAG, run, "publish")["version"]
        day = world.registry.manifest(version).logical_date
        before, pointer = stored(world), world.registry.current()
        assert keys.snapshot(world.settings.source_name or "", day) in before
        airflow.pause(DAG)  # so that no schedule of a later day starts by itself
    moved = {"LD_PRELOAD": another_time(tmp_path), "TIME_OFFSET_S": str(TWO_DAYS_S)}
    with days.running(2, **moved) as (airflow, world):
        airflow.unpause(DAG)
        airflow.clear(DAG, run, "fetch")
        assert airflow.ended(DAG, run) == "success"
        again: list[dict[str, Any]] = airflow.instances(DAG, run)
        fetched = [one for one in again if one["task_id"] == "fetch"]
        assert {one["state"] for one in fetched} == {"success"}
        assert all(one["start_date"][:10] > day.isoformat() for one in fetched), "the clock has moved"
        mine = {key: body for key, body in stored(world).items() if key in before}
        assert mine == before
        assert airflow.returned(DAG, run, "publish")["version"] == version
        assert world.registry.manifest(version).logical_date == day
        if (
            now := world.registry.current()
        ) != pointer:  # a day that began meanwhile may have been built by its schedule
            assert now
            assert now.changed_by != f"{DAG} {run}"
