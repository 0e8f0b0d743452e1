"""Object store and Milvus are down, die in the middle of a build, come back: what was finished is not done again."""

from __future__ import annotations

import random
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import psutil
import pytest

from contextual_rag import keys
from contextual_rag.building.build import Built
from contextual_rag.embedded.loopback import free_port
from contextual_rag.embedded.services import Services, running
from contextual_rag.objects import require
from contextual_rag.settings import Settings, read_settings
from contextual_rag.versions.parts import Chunks
from contextual_rag.wiring import World
from tests.faults.commands import Commands, answers, error_of
from tests.faults.conftest import in_process
from tests.faults.faulty_store import FaultyStore, Rule, faulty_store
from tests.faults.small_site import QUESTION, SLUGS, index_url, show
from tests.servers.faulty_site import FaultySite

_NOWHERE = "http://127.0.0.1:1"


class Mortal:
    """One service of its own, which can be killed and started again on its data."""

    def __init__(self, name: str, data_dir: Path) -> None:
        self._name, self.data_dir = name, data_dir
        self._stack = ExitStack()
        self._services: Services | None = None

    def start(self) -> dict[str, str]:
        """Start it, at the address of the last time; return the variables that lead to it."""
        self._services = self._stack.enter_context(running((self._name,), data_dir=self.data_dir))
        names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MILVUS_URI")
        return {name: self._services.environment[name] for name in names if name in self._services.environment}

    def processes(self) -> list[psutil.Process]:
        """The processes of the service."""
        assert self._services
        assert self._services.processes
        process = psutil.Process(self._services.processes.pids[self._name])
        return [process, *process.children(recursive=True)]

    def kill(self) -> None:
        """End it without a warning."""
        killed = self.processes()
        for process in killed:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(killed, timeout=10)

    def stop(self) -> None:
        """Take away what is left of it."""
        self._stack.close()

    def restart(self) -> None:
        """Start it again on its data."""
        self.stop()
        self.start()


@pytest.fixture
def object_store(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mortal]:
    """An object store of this test's own, to which its environment leads."""
    monkeypatch.setenv("RAG_OBJECT_STORE_PORT", str(free_port()))
    mortal = Mortal("object-store", tmp_path / "object-store")
    environment |= mortal.start()
    yield mortal
    mortal.stop()


@pytest.fixture
def milvus(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mortal]:
    """A Milvus of this test's own, to which its environment leads."""
    monkeypatch.setenv("RAG_MILVUS_PORT", str(free_port()))
    mortal = Mortal("milvus", tmp_path / "milvus")
    environment |= mortal.start()
    yield mortal
    mortal.stop()


@pytest.fixture
def proxy(environment: dict[str, str]) -> Iterator[FaultyStore]:
    """A proxy in front of the object store, which knows when what is asked of it."""
    with faulty_store(environment["AWS_ENDPOINT_URL"]) as store:
        yield store


def _settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read_settings()


def _count_chunks(world: World, slugs: Sequence[str]) -> int:
    essays = [essay for essay in world.registry.resolve().essays if essay.slug in slugs]
    return sum(len(require(world.store, keys.chunks(essay.chunks), Chunks).chunks) for essay in essays)


def test_an_object_store_that_is_down_is_named_with_the_way_to_start_it(
    commands: Commands, published: Built, small_site: FaultySite, settings: Settings
) -> None:
    down = {"AWS_ENDPOINT_URL": _NOWHERE}
    build = ["build", "--source", index_url(small_site)]
    for error in commands.all_fail((["ask", QUESTION], down), (build, down), (["versions"], down)):
        assert error.startswith("ServiceUnavailable: ")
        assert all(name in error for name in (_NOWHERE, "`rag up`", "AWS_ENDPOINT_URL"))
    assert small_site.seen == []
    assert answers(settings) == published.version


def test_a_milvus_that_is_down_is_named_and_what_was_embedded_is_kept(
    commands: Commands, published: Built, small_site: FaultySite, settings: Settings
) -> None:
    down = {"MILVUS_URI": _NOWHERE}
    build = ["build", "--source", index_url(small_site), "--chunker", "fixed"]
    for error in commands.all_fail((["ask", QUESTION], down), (build, down)):
        assert error.startswith("ServiceUnavailable: ")
        assert all(name in error for name in (_NOWHERE, "`rag up`", "MILVUS_URI"))
    assert answers(settings) == published.version
    built = commands.succeeds(*build)
    assert (built["published"], built["model_calls"], built["embedded"]) == (True, 0, 0)


@pytest.mark.parametrize("full", [False, True], ids=["killed", "its disk full"])
def test_an_object_store_that_ends_during_a_build_leaves_the_finished_essays_finished(
    object_store: Mortal,
    proxy: FaultyStore,
    environment: dict[str, str],
    small_site: FaultySite,
    monkeypatch: pytest.MonkeyPatch,
    full: bool,
) -> None:
    settings = _settings(environment, monkeypatch)
    show(small_site, SLUGS[:2])
    before = in_process(World(settings), small_site)
    show(small_site)

    def fill_the_disk() -> None:
        # To a process, a disk without room and a limit on its files' size are the same.
        for process in object_store.processes():
            process.rlimit(psutil.RLIMIT_FSIZE, (1000, 1000))

    nth = random.Random(5).randint(2, 3)
    proxy.rules = [Rule("PUT", "/5_embeddings/", nth, then=fill_the_disk if full else object_store.kill)]
    commands = Commands(environment)
    error = commands.fails("build", "--source", index_url(small_site), AWS_ENDPOINT_URL=proxy.url)
    assert error.startswith("ServiceUnavailable: ")
    assert re.search(r"5_embeddings/\w+\.npy", error)
    if full:
        log = (object_store.data_dir / "logs" / "object-store.log").read_text()
        assert re.search(r"Failed to persist .*/5_embeddings/.* Stopped, so that no lost object is acknowledged", log)

    object_store.restart()
    assert answers(settings) == before.version
    built = commands.succeeds("build", "--source", index_url(small_site))
    assert built["published"]
    assert built["model_calls"] == 0
    finished = SLUGS[2 : 2 + nth - 1]
    assert built["embedded"] == _count_chunks(World(settings), [slug for slug in SLUGS[2:] if slug not in finished])
    assert answers(settings) == built["version"]


@pytest.mark.parametrize("moment", ["before its rows are written", "while they are written"])
def test_a_milvus_that_dies_while_the_index_is_assembled_has_every_row_once_in_the_end(
    milvus: Mortal,
    proxy: FaultyStore,
    environment: dict[str, str],
    small_site: FaultySite,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    settings = _settings(environment, monkeypatch)
    show(small_site, SLUGS[:3])
    before = in_process(World(settings), small_site)
    show(small_site)
    # Rows are written after the embeddings were read, and before the index's files are stored.
    new = len(SLUGS) - 3
    delay = random.Random(3).uniform(0, 0.02)
    proxy.rules = {
        "before its rows are written": [Rule("GET", "/5_embeddings/", new, then=milvus.kill)],
        "while they are written": [Rule("GET", "/5_embeddings/", new, then=lambda: Timer(delay, milvus.kill).start())],
    }[moment]
    commands = Commands(environment)
    done = commands.run("build", "--source", index_url(small_site), AWS_ENDPOINT_URL=proxy.url)
    if moment == "before its rows are written":
        error = error_of(done)
        assert error.startswith("ServiceUnavailable: ")
        assert all(name in error for name in (environment["MILVUS_URI"], "`rag up`"))

    milvus.restart()
    assert answers(settings, before.version) == before.version
    built = in_process(World(settings), small_site)
    assert (built.work.model_calls, built.work.embedded, built.current) == (0, 0, True)
    assert answers(settings) == built.version
    world = World(settings)
    ids = {id_ for manifest in world.registry.versions() for id_ in world.indexes.open(manifest).rows}
    assert world.vectors.count(world.registry.resolve().collection) == len(ids)


def test_a_disk_with_little_room_left_is_refused_before_anything_is_lost(
    commands: Commands, tmp_path: Path, small_site: FaultySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_OBJECT_STORE_RESERVE_BYTES", str(10**18))
    monkeypatch.setenv("RAG_OBJECT_STORE_PORT", str(free_port()))
    mortal = Mortal("object-store", tmp_path / "object-store")
    try:
        error = commands.fails("build", "--source", index_url(small_site), **mortal.start())
    finally:
        mortal.stop()
    assert error.startswith("StorageFull: ")
    assert small_site.seen == []
