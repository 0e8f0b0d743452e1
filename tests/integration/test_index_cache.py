"""Downloaded versions: fetched once, whole or not there, mended where damaged, bounded, shared by processes."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from contextual_rag import keys
from contextual_rag.adapters.index_cache import IndexCache
from contextual_rag.adapters.index_files import IndexFiles
from contextual_rag.commands.checks import Finding, examine
from contextual_rag.embedded.services import Services
from contextual_rag.errors import CorruptObjectError, ServiceUnavailableError, SettingError, StorageFullError
from contextual_rag.settings import Settings
from contextual_rag.versions.records import Manifest
from contextual_rag.wiring import World
from tests.conftest import ROOT
from tests.faults.faulty_store import FaultyStore, Rule, faulty_store
from tests.raising import raising
from tests.small_versions import NAMES, chunks_of, flip, index_gets, point, put_version

OLD, VERSION, NEW = "2026-01-01-0000000a", "2026-01-02-0000000b", "2026-01-03-0000000c"
MANY = {f"extra/{n}": os.urandom(1000) for n in range(24)}
# Threads that fetch, of which each has stored its last file before it asks for its next one.
AT_ONCE = 8

_OPEN = """
import sys
from contextual_rag.wiring import connect
world = connect()
manifest = world.registry.manifest(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print("opening", flush=True)
index = world.indexes.open(manifest)
print(index.chunk(index.keyword_search("lamp 7 hours", 1)[0][0]).text)
"""

# Another process removes the version after the first of its files was opened for searching, all of them having been
# verified: at the second opening of that file.
_OPEN_WHAT_VANISHES = f"""
import pathlib, shutil, sys
opened = []
def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith("/bm25/vocab.index.json"):
        opened.append(arguments[0])
        if len(opened) == 2:
            shutil.rmtree(pathlib.Path(arguments[0]).parents[1])
sys.addaudithook(watch)
{_OPEN}
"""


@pytest.fixture
def proxy(stores: Services) -> Iterator[FaultyStore]:
    """A proxy in front of the object store, which counts what is asked of it."""
    with faulty_store(stores.environment["AWS_ENDPOINT_URL"]) as store:
        yield store


@pytest.fixture
def through(proxy: FaultyStore, settings: Settings, world: World) -> World:
    """The world seen through the proxy."""
    assert world.store.name  # the bucket is there
    update = {"aws_endpoint_url": proxy.url, "object_store_attempts": 1}
    return World(settings.model_copy(update=update))


@pytest.fixture
def start(environment: dict[str, str], proxy: FaultyStore) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start processes that say "ready" and open a version once something is said to them."""
    started: list[subprocess.Popen[str]] = []

    def start_one(version: str, script: str = _OPEN) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, version],
            env={**os.environ, **environment, "AWS_ENDPOINT_URL": proxy.url, "OPENBLAS_NUM_THREADS": "1"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def fresh(world: World, *, max_bytes: int = 10**9) -> IndexCache:
    """The folder as another process sees it, which has hashed nothing yet."""
    return IndexCache(world.store, folder(world), max_bytes=max_bytes)


def folder(world: World) -> Path:
    return world.settings.data_dir / "indexes"


def answers(index: IndexFiles) -> bool:
    expected = chunks_of(index.version)
    found = index.keyword_search(f"lamp number 7 burns 7 hours {index.version}", 1)[0][0]
    return [index.chunk(chunk.chunk_id) for chunk in expected] == expected and found == f"{index.version}/7"


def listed(world: World) -> set[str]:
    return {path.name for path in folder(world).iterdir() if path.suffix != ".lock"}


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout
    assert process.stdout.readline() == f"{line}\n"


class TestDownload:
    def test_happens_once_and_opening_again_asks_for_nothing(self, through: World, proxy: FaultyStore) -> None:
        manifest = put_version(through.store, VERSION)
        proxy.passed.clear()
        for cache in (fresh(through), fresh(through)):
            assert answers(cache.open(manifest))
            assert answers(cache.open(manifest))
        assert index_gets(proxy.passed, VERSION) == NAMES
        assert listed(through) == {VERSION}

    def test_happens_once_though_several_processes_and_threads_want_the_version(
        self, through: World, proxy: FaultyStore, start: Callable[..., subprocess.Popen[str]]
    ) -> None:
        manifest = put_version(through.store, VERSION)
        processes = [start(VERSION) for _ in range(3)]
        for process in processes:
            hear(process, "ready")
        proxy.passed.clear()
        all_want_it = Event()

        def hold() -> None:
            all_want_it.wait()

        proxy.rules = [Rule("GET", f"/{VERSION}/chunks", then=hold)]
        with ThreadPoolExecutor(2) as pool:
            opened = [pool.submit(fresh(through).open, manifest) for _ in range(2)]
            try:
                for process in processes:
                    say(process, "go")
                for process in processes:
                    hear(process, "opening")
            finally:
                all_want_it.set()
            assert all(answers(future.result()) for future in opened)
        for process in processes:
            hear(process, chunks_of(VERSION)[7].text)
        assert index_gets(proxy.passed, VERSION) == NAMES

    def test_that_is_killed_goes_on_with_what_is_lacking(
        self, through: World, proxy: FaultyStore, start: Callable[..., subprocess.Popen[str]]
    ) -> None:
        manifest = put_version(through.store, VERSION, extra=MANY)
        process = start(VERSION)
        hear(process, "ready")
        at = 20
        proxy.rules = [Rule("GET", f"/{VERSION}/", nth=at, then=process.kill, status=503, code="SlowDown")]
        process.communicate("go\n")
        assert process.returncode == -9
        assert listed(through) == {f".{VERSION}.partial"}
        proxy.rules = []
        partial = folder(through) / f".{VERSION}.partial"
        # The file that was being written when the kill came is not whole.
        fetched = {
            name
            for name, file in manifest.files.items()
            if (partial / name).is_file() and hashlib.sha256((partial / name).read_bytes()).hexdigest() == file.sha256
        }
        assert at - AT_ONCE <= len(fetched) < len(manifest.files)
        # One of those that were fetched does not survive.
        damaged = min(fetched)
        (partial / damaged).write_bytes(b"")
        proxy.passed.clear()
        assert answers(fresh(through).open(manifest))
        assert index_gets(proxy.passed, VERSION) == sorted({*manifest.files} - fetched | {damaged})
        assert listed(through) == {VERSION}

    def test_that_fails_goes_on_with_what_is_lacking(self, through: World, proxy: FaultyStore) -> None:
        manifest = put_version(through.store, VERSION)
        proxy.rules = [Rule("GET", f"/{VERSION}/chunks", status=503, code="SlowDown")]
        with raising(ServiceUnavailableError, "service_unavailable"):
            fresh(through).open(manifest)
        assert listed(through) == {f".{VERSION}.partial"}
        proxy.rules = []
        proxy.passed.clear()
        assert answers(fresh(through).open(manifest))
        assert index_gets(proxy.passed, VERSION) == ["chunks.arrow"]

    def test_without_room_says_so_and_goes_on_where_there_is_some(self, world: World) -> None:
        manifest = put_version(world.store, VERSION, extra={"extra": bytes(10**6)})
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
        try:
            with raising(StorageFullError, "storage_full", "/indexes", "RAG_DATA_DIR"):
                fresh(world).open(manifest)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert answers(fresh(world).open(manifest))

    def test_to_where_nothing_can_be_written_names_the_setting(self, world: World) -> None:
        manifest = put_version(world.store, VERSION)
        world.settings.data_dir.write_text("no folder")
        with raising(SettingError, "setting", "RAG_DATA_DIR"):
            fresh(world).open(manifest)


class TestRoom:
    @pytest.fixture
    def manifests(self, through: World) -> list[Manifest]:
        return [put_version(through.store, version) for version in (OLD, VERSION, NEW)]

    @pytest.fixture
    def for_two(self, through: World, manifests: list[Manifest]) -> IndexCache:
        """A cache with room for two of the versions."""
        sizes = [sum(file.size for file in manifest.files.values()) for manifest in manifests]
        return fresh(through, max_bytes=sum(sizes) - 1)

    def test_is_made_by_removing_what_was_opened_longest_ago(
        self, through: World, for_two: IndexCache, manifests: list[Manifest], proxy: FaultyStore
    ) -> None:
        old, version, new = manifests
        kept = for_two.open(old)
        gone = for_two.open(version)
        for_two.open(old)
        assert answers(for_two.open(new))
        assert listed(through) == {OLD, NEW}
        assert not (folder(through) / f".{VERSION}.lock").exists()
        # Who has it open goes on with it.
        assert answers(gone)
        assert answers(kept)
        proxy.passed.clear()
        assert answers(for_two.open(version))
        assert index_gets(proxy.passed, VERSION) == NAMES
        assert listed(through) == {VERSION, NEW}

    def test_is_never_made_by_removing_what_was_just_opened(self, through: World, manifests: list[Manifest]) -> None:
        cache = fresh(through, max_bytes=0)
        for manifest in manifests:
            assert answers(cache.open(manifest))
            assert listed(through) == {manifest.version}

    def test_is_not_made_by_removing_what_another_downloads_but_by_what_nobody_goes_on_with(
        self, through: World, manifests: list[Manifest], proxy: FaultyStore
    ) -> None:
        old, version, new = manifests
        asked, go_on = Event(), Event()

        def hold() -> None:
            asked.set()
            go_on.wait()

        cache = fresh(through, max_bytes=0)
        with ThreadPoolExecutor(1) as pool:
            proxy.rules = [Rule("GET", f"/{OLD}/chunks", status=503, code="SlowDown")]
            with raising(ServiceUnavailableError, "service_unavailable"):
                cache.open(old)
            proxy.rules = [Rule("GET", f"/{VERSION}/chunks", then=hold)]
            try:
                downloading = pool.submit(cache.open, version)
                asked.wait()
                cache.open(new)
                assert listed(through) == {f".{VERSION}.partial", NEW}
            finally:
                go_on.set()
            assert answers(downloading.result())
        assert listed(through) == {VERSION}

    def test_taken_away_between_verifying_and_opening_fails_no_opening(
        self, through: World, proxy: FaultyStore, start: Callable[..., subprocess.Popen[str]]
    ) -> None:
        fresh(through).open(put_version(through.store, VERSION))
        proxy.passed.clear()
        process = start(VERSION, _OPEN_WHAT_VANISHES)
        for said in ("ready", "opening", chunks_of(VERSION)[7].text):
            if said == "opening":
                say(process, "go")
            hear(process, said)
        assert index_gets(proxy.passed, VERSION) == NAMES

    def test_taken_away_at_any_moment_fails_no_opening(self, world: World, manifests: list[Manifest]) -> None:
        """Threads with a cache each, as processes have, throw each other's versions out."""

        def open_all(n: int) -> bool:
            cache = fresh(world, max_bytes=0)
            order = manifests[n % 3 :] + manifests[: n % 3]
            indexes = [cache.open(manifest) for manifest in order * 4]
            return all(answers(index) for index in indexes[-3:])

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(open_all, range(6)))


def current_index(world: World) -> Finding:
    return next(finding for finding in examine(world) if finding.check == "current index")


@pytest.mark.parametrize("name", NAMES)
class TestFlippedBit:
    def test_in_the_bucket_is_refused_by_name_and_found_by_the_doctor_though_the_local_copy_is_good(
        self, world: World, name: str
    ) -> None:
        old, manifest = (put_version(world.store, version) for version in (OLD, VERSION))
        point(world.store, VERSION)
        assert answers(world.indexes.open(manifest))
        key = keys.index_file(VERSION, name)
        stored = world.store.get(key)
        assert stored
        world.store.put(key, flip(stored.body))

        elsewhere = IndexCache(world.store, world.settings.data_dir / "elsewhere", max_bytes=10**9)
        with raising(CorruptObjectError, "corrupt_object", key, VERSION):
            elsewhere.open(manifest)
        assert answers(elsewhere.open(old))
        _, ok, detail, _ = current_index(world)
        assert not ok
        assert key in detail
        assert OLD in detail
        assert not [other for other in NAMES if other != name and keys.index_file(VERSION, other) in detail]

        world.store.delete([key])
        with raising(CorruptObjectError, "corrupt_object", key):
            elsewhere.open(manifest)
        assert key in current_index(world).detail
        world.store.put(key, stored.body)
        assert answers(elsewhere.open(manifest))
        assert current_index(world).ok

    def test_on_the_local_disk_is_found_and_that_file_alone_fetched_again(
        self, through: World, proxy: FaultyStore, name: str
    ) -> None:
        manifest = put_version(through.store, VERSION)
        point(through.store, VERSION)
        first = through.indexes.open(manifest)
        path = folder(through) / VERSION / name
        whole, before = path.read_bytes(), path.stat()

        def damage() -> int:
            path.write_bytes(flip(whole))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            proxy.passed.clear()
            return path.stat().st_ino

        # By another process, and by the one that had verified it, though size and time of writing are the same.
        for cache in (fresh(through), through.indexes):
            inode = damage()
            assert answers(cache.open(manifest))
            assert index_gets(proxy.passed, VERSION) == [name]
            assert path.read_bytes() == whole
            assert path.stat().st_ino != inode  # who has mapped the old one does not see it change
        damage()
        _, ok, detail, _ = current_index(through)
        assert ok
        assert f"{name} was damaged on this machine's disk and was downloaded again" in detail
        assert listed(through) == {VERSION}
        assert first.version == VERSION


def test_every_damaged_file_is_named_at_once(world: World) -> None:
    put_version(world.store, VERSION)
    world.registry.verify(world.registry.manifest(VERSION))
    world.store.delete([keys.index_file(VERSION, NAMES[0])])
    world.store.put(keys.index_file(VERSION, NAMES[5]), b"")
    damaged = (keys.index_file(VERSION, NAMES[n]) for n in (0, 5))
    with raising(CorruptObjectError, "corrupt_object", *damaged):
        world.registry.verify(world.registry.manifest(VERSION))
    point(world.store, VERSION)
    found = current_index(world)
    assert not found.ok
    assert VERSION in found.detail
