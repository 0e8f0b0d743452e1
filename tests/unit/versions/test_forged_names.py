"""Names in forged records and in requests: none becomes a key, a path or an expression, whatever it is."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contextual_rag import keys
from contextual_rag.adapters.index_cache import IndexCache
from contextual_rag.adapters.index_files import read_ids, write
from contextual_rag.building.snapshots import sources_with_snapshots
from contextual_rag.errors import CorruptObjectError, UnknownVersionError
from contextual_rag.objects import require
from contextual_rag.recipe import Recipe
from contextual_rag.record import decode
from contextual_rag.versions.records import File, Held, Manifest, Plan, open_manifest, sealed
from contextual_rag.versions.registry import Registry
from tests.memory_objects import MemoryObjects
from tests.raising import raising
from tests.small_versions import chunks_of, point, put_version
from tests.small_world import passage

VERSION = "2026-01-01-0123abcd"
# Names that lead elsewhere, or that a file system or a reader takes for another.
BAD = [
    "",
    ".",
    "..",
    "../../x.pth",
    "../2026-01-01-0123abcd",
    "/etc/passwd",
    "//host/share",
    "a/../../b",
    "a//b",
    "a/./b",
    "a/b/c",
    "a/",
    "..\\..\\x.pth",
    "C:\\x.pth",
    "c:x",
    "a\0.pth",
    "a\n",
    "\na",
    "a b",
    ".hidden",
    "a/.hidden",
    "~",
    "-rf",
    "%2e%2e/x",
    "caf\u00e9",
    "cafe\u0301",
    "\uff0e\uff0e/x",
    "a\u202ecod",
    "\u0661\u0662",
    "it's",
    'a"b',
    "x'] or id != 'y",
    "a*",
    "${HOME}",
    "a" * 300,
]
# A version is named by its day and eight digits.
NO_VERSIONS = [*BAD, "current", "orders", "2026-01-01", f"{VERSION}0", VERSION.upper(), f"{VERSION}\n", f" {VERSION}"]
NO_VERSIONS += [
    "\u0662\u0660\u0662\u0666-01-01-0123abcd",
    f"{VERSION}/",
    f"{VERSION}/../{VERSION}",
    "2026-01-01-0123abcg",
]


def changed(manifest: Manifest, **fields: Any) -> bytes:
    """Return a manifest as a forger stores it: with a seal that is right."""
    return sealed(manifest.model_copy(update=fields))


@pytest.fixture
def store() -> MemoryObjects:
    return MemoryObjects()


@cache
def published() -> tuple[dict[str, bytes], Manifest]:
    """Return the objects of a version that is as it should be, and its manifest."""
    store = MemoryObjects()
    manifest = put_version(store, VERSION)
    point(store, VERSION)
    return {key: stored.body for key in store.list("") if (stored := store.get(key))}, manifest


@pytest.fixture
def manifest(store: MemoryObjects) -> Manifest:
    """A version that is as it should be."""
    objects, manifest = published()
    for key, body in objects.items():
        store.put(key, body)
    return manifest


class TestAForgedManifest:
    @pytest.mark.parametrize("name", [*BAD, "A.arrow", "Bm25/x", "a/B"])
    def test_that_names_such_a_file_is_refused(
        self, store: MemoryObjects, manifest: Manifest, name: str, tmp_path: Path
    ) -> None:
        files = manifest.files | {name: File(sha256="0" * 64, size=1)}
        store.put(keys.manifest(VERSION), changed(manifest, files=files))
        with raising(CorruptObjectError, "corrupt_object", keys.manifest(VERSION)):
            Registry(store).manifest(VERSION)
        # Nor is it written if a record says so that nobody has read from the store.
        cache = IndexCache(store, tmp_path / "cache", max_bytes=0)
        with raising(CorruptObjectError, "corrupt_object"):
            cache.open(manifest.model_copy(update={"files": files}))
        assert list(tmp_path.rglob("*")) == []

    @pytest.mark.parametrize("name", BAD)
    @pytest.mark.parametrize("field", ["version", "parent", "collection"])
    def test_that_has_such_a_name_is_refused(self, manifest: Manifest, field: str, name: str) -> None:
        with raising(CorruptObjectError, "corrupt_object", "the-key", field):
            open_manifest("the-key", changed(manifest, **{field: name}))

    @pytest.mark.parametrize("name", BAD)
    @pytest.mark.parametrize("field", ["slug", "document", "chunks", "contexts", "embeddings"])
    def test_whose_essays_have_such_keys_is_refused(self, manifest: Manifest, field: str, name: str) -> None:
        essay = dict.fromkeys(("slug", "url", "title", "document", "chunks", "contexts", "embeddings"), "abc")
        whole = json.loads(changed(manifest)) | {"essays": [essay | {field: name}]}
        with raising(CorruptObjectError, "corrupt_object", field):
            decode("the-key", json.dumps(whole).encode(), Manifest)

    @pytest.mark.parametrize("name", NO_VERSIONS)
    def test_of_a_version_of_such_a_name_is_not_opened(self, manifest: Manifest, name: str, tmp_path: Path) -> None:
        cache = IndexCache(MemoryObjects(), tmp_path / "cache", max_bytes=0)
        with raising(CorruptObjectError, "corrupt_object"):
            cache.open(manifest.model_copy(update={"version": name}))
        assert list(tmp_path.rglob("*")) == []

    def test_is_refused_only_if_it_is_one(self, store: MemoryObjects, manifest: Manifest, tmp_path: Path) -> None:
        opened = IndexCache(store, tmp_path / "cache", max_bytes=0).open(Registry(store).manifest(VERSION))
        assert opened.version == VERSION
        assert {path.name for path in tmp_path.rglob("*.arrow")} == {keys.TABLE, "windows.arrow"}


class TestAForgedPointer:
    @pytest.mark.parametrize("name", BAD)
    @pytest.mark.parametrize("field", ["version", "pinned", "left", "tuned"])
    def test_is_refused_by_its_name(self, store: MemoryObjects, manifest: Manifest, field: str, name: str) -> None:
        tuning = {"ranking": manifest.ranking.model_dump(), "quality": {}}
        value = {"version": name, "tuned": {name: tuning}}.get(field, [name])
        stored = store.get(keys.CURRENT)
        assert stored
        store.put(keys.CURRENT, json.dumps(json.loads(stored.body) | {field: value}).encode())
        with raising(CorruptObjectError, "corrupt_object", keys.CURRENT, field, repr(name[:80]), VERSION):
            Registry(store).resolve()
        assert Registry(store).resolve(VERSION).version == VERSION

    @pytest.mark.parametrize("name", [name for name in NO_VERSIONS if name not in BAD])
    def test_names_a_version_that_is_not_there(self, store: MemoryObjects, name: str) -> None:
        fields = {"n": 1, "action": "promote", "version": name, "changed_at": "2026-01-01T00:00:00Z"}
        store.put(keys.CURRENT, json.dumps({**fields, "changed_by": "tests", "why": "a test"}).encode())
        with raising(CorruptObjectError, "corrupt_object", keys.CURRENT):
            Registry(store).resolve()


class TestTextThatCannotBeStored:
    @pytest.mark.parametrize("half", [rb"\ud800", rb"\uDFFF", b"\xed\xa0\x80"])
    def test_is_refused(self, half: bytes) -> None:
        with raising(CorruptObjectError, "corrupt_object", "held"):
            decode("held", b'{"day": "2026-01-01", "version": "%b", "by": "x%b"}' % (VERSION.encode(), half), Held)

    @pytest.mark.parametrize("whole", [rb"\ud83d\ude00", "\U0001f600".encode(), rb"\\ud800"])
    def test_is_text_if_it_is_whole(self, whole: bytes) -> None:
        held = decode("held", b'{"day": "2026-01-01", "version": "%b", "by": "x%b"}' % (VERSION.encode(), whole), Held)
        assert held.by[1:] in {"\U0001f600", r"\ud800"}


class TestOtherRecords:
    @pytest.mark.parametrize("name", BAD)
    def test_are_refused(self, store: MemoryObjects, name: str) -> None:
        store.put("held", json.dumps({"day": "2026-01-01", "version": name, "by": "x"}).encode())
        with raising(CorruptObjectError, "corrupt_object", "held"):
            require(store, "held", Held)
        plan: dict[str, Any] = {
            "order": name,
            "day": "2026-01-01",
            "recipe": Recipe().model_dump(),
            "parent": None,
            "essays": [],
        }
        store.put("plan", json.dumps(plan).encode())
        with raising(CorruptObjectError, "corrupt_object", "plan"):
            require(store, "plan", Plan)


class TestARequest:
    @pytest.mark.parametrize("name", NO_VERSIONS)
    def test_for_such_a_version_finds_none(self, store: MemoryObjects, manifest: Manifest, name: str) -> None:
        # Also if somebody has put a manifest where the name leads.
        store.put(keys.manifest(name), changed(manifest))
        registry = Registry(store)
        assert not registry.exists(name)
        for ask in (registry.manifest, registry.resolve, registry.parent):
            with raising(UnknownVersionError, "unknown_version"):
                ask(name)
        with raising(UnknownVersionError, "unknown_version"):
            registry.promote(name, by="tests", why="a test")
        assert registry.names() == [VERSION]


class TestForeignKeys:
    @pytest.mark.parametrize("name", [*BAD, "2026-13-45", "day"])
    def test_are_no_days_and_stop_nobody(self, store: MemoryObjects, manifest: Manifest, name: str) -> None:
        registry = Registry(store)
        registry.hold(date(2026, 1, 1), manifest, by="tests")
        for key in (f"{keys.DAYS}{name}", f"{keys.DAYS}{name}/abc.json", f"{keys.SNAPSHOTS}{name}/{name}.json"):
            store.put(key, b"{}")
        assert [held.version for held in registry.as_of(date(2026, 1, 2))] == [VERSION]
        assert sources_with_snapshots(store) == []


class TestAForgedTable:
    # A slash is allowed: no path is made of these.
    @pytest.mark.parametrize("name", [name for name in BAD if name and not name.startswith("a/")])
    def test_whose_chunks_have_such_ids_is_refused(self, name: str) -> None:
        table = write([*chunks_of(VERSION), passage("harbour", "essay", chunk_id=name)], Recipe())[keys.TABLE]
        with raising(CorruptObjectError, "corrupt_object", keys.TABLE):
            read_ids(table)

    def test_is_read_if_they_are_names(self) -> None:
        rows = chunks_of(VERSION)
        assert read_ids(write(rows, Recipe())[keys.TABLE]) == [row.chunk_id for row in rows]
        assert read_ids(write([], Recipe())[keys.TABLE]) == []


class TestLinksInTheCache:
    @pytest.mark.parametrize("place", [VERSION, f".{VERSION}.partial", f"{VERSION}/bm25", f".{VERSION}.partial/bm25"])
    def test_are_not_followed_by_what_is_written(
        self, store: MemoryObjects, manifest: Manifest, place: str, tmp_path: Path
    ) -> None:
        cache, outside = tmp_path / "cache", tmp_path / "outside"
        (outside / "bm25").mkdir(parents=True)
        (cache / place).parent.mkdir(parents=True)
        (cache / place).symlink_to(outside, target_is_directory=True)
        assert IndexCache(store, cache, max_bytes=0).open(manifest).version == VERSION
        assert [path.name for path in outside.rglob("*")] == ["bm25"]

    @pytest.mark.parametrize("name", [f".{VERSION}.partial/chunks.arrow.fetched", f"{VERSION}/chunks.arrow"])
    def test_are_not_followed_in_place_of_a_file(
        self, store: MemoryObjects, manifest: Manifest, name: str, tmp_path: Path
    ) -> None:
        cache, outside = tmp_path / "cache", tmp_path / "outside"
        outside.write_text("mine")
        (cache / name).parent.mkdir(parents=True)
        (cache / name).symlink_to(outside)
        assert IndexCache(store, cache, max_bytes=0).open(manifest).version == VERSION
        assert outside.read_text() == "mine"

    def test_and_folders_that_are_no_versions_are_left_alone(
        self, store: MemoryObjects, manifest: Manifest, tmp_path: Path
    ) -> None:
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "mine").write_bytes(bytes(1000))
        IndexCache(store, tmp_path, max_bytes=0).open(manifest)
        assert (tmp_path / "notes" / "mine").exists()
