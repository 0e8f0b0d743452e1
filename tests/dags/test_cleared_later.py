"""A task that is cleared two days later, by a scheduler whose clock says so, does the work of its own day."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from contextual_rag import keys
from contextual_rag.embedded.airflow import DAG, Airflow
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


class Clock:
    """What the processes of a test take for the time of day; it may be moved while they run."""

    def __init__(self, folder: Path) -> None:
        library, self._offset = folder / "another_time.so", folder / "offset"
        source = Path(__file__).with_name("another_time.c")
        subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "TIME_OFFSET": str(self._offset)}
        self.move(0)

    def move(self, seconds: int) -> None:
        """Have it show so many seconds more than this machine's."""
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:  # the processes have mapped it
            file.write(seconds.to_bytes(8, sys.byteorder))


@contextmanager
def started(folder: Path, clock: Clock) -> Iterator[Services]:
    """Airflow over such a site, by such a clock."""
    write_site(folder / "site")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RAG_REQUEST_INTERVAL_S": "0", **clock.environment}.items():
            patch.setenv(name, value)
        with running(BUILDING, data_dir=folder / "data", site=folder / "site") as services:
            patch.undo()
            yield services


@contextmanager
def logged_in(services: Services) -> Iterator[Airflow]:
    """A client whose login is of the present day."""
    airflow = Airflow(services.airflow_url, services.airflow_password)
    yield airflow
    airflow.close()


def stored(world: World) -> dict[str, bytes]:
    """The snapshots, and the files of versions."""
    listed = [*world.store.list(keys.SNAPSHOTS), *(k for k in world.store.list(keys.INDEXES) if keys.index_of(k))]
    return {key: found.body for key in listed if (found := world.store.get(key))}


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler to make a library that moves the clock")
def test_a_fetch_that_is_cleared_two_days_later_leaves_day_and_version_byte_for_byte(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    with started(tmp_path, clock) as services:
        world = World(services.settings())
        with logged_in(services) as airflow:
            airflow.unpause(DAG)
            run = airflow.trigger(DAG, {})
            assert airflow.ended(DAG, run) == "success"
            version = airflow.returned(DAG, run, "publish")["version"]
        day = world.registry.manifest(version).logical_date
        before, pointer = stored(world), world.registry.current()
        assert keys.snapshot(world.settings.source_name or "", day) in before

        edition = services.site_url.replace("articles.html", "_edition")
        httpx.put(edition, json={"edition": 2}, trust_env=False).raise_for_status()
        clock.move(TWO_DAYS_S)
        with logged_in(services) as airflow:
            airflow.clear(DAG, run, "fetch")
            assert airflow.ended(DAG, run) == "success"
            again: list[dict[str, Any]] = airflow.instances(DAG, run)
            published = airflow.returned(DAG, run, "publish")["version"]
        fetched = [one for one in again if one["task_id"] == "fetch"]
        assert {one["state"] for one in fetched} == {"success"}
        assert all(one["start_date"][:10] > day.isoformat() for one in fetched), "the clock has moved"
        mine = {key: body for key, body in stored(world).items() if key in before}
        assert mine == before
        assert published == version
        assert world.registry.manifest(version).logical_date == day
        now = world.registry.current()
        if now != pointer:  # a day that began meanwhile may have been built by its schedule
            assert now
            assert now.changed_by != f"{DAG} {run}"
