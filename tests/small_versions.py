"""Published versions of a few chunks each, made by hand in a real bucket; every word of them tells which one it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from contextual_rag import keys
from contextual_rag.adapters.index_files import write
from contextual_rag.model import IndexedChunk, Source
from contextual_rag.ports import ObjectStore
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from contextual_rag.record import encode
from contextual_rag.versions.records import File, Manifest, Pointer, Work, sealed
from tests.small_world import passage

__all__ = ["NAMES", "chunks_of", "flip", "index_gets", "point", "put_version"]

NAMES = [
    "bm25/data.csc.index.npy",
    "bm25/indices.csc.index.npy",
    "bm25/indptr.csc.index.npy",
    "bm25/params.index.json",
    "bm25/vocab.index.json",
    "chunks.arrow",
    "windows.arrow",
]


def chunks_of(version: str, count: int = 12) -> list[IndexedChunk]:
    """The chunks of a version; the lamp of chunk n burns n hours, according to that version."""
    return [
        passage(f"The lamp number {n} burns for {n} hours in {version}.", f"essay{n}", chunk_id=f"{version}/{n}")
        for n in range(count)
    ]


def put_version(store: ObjectStore, version: str, *, extra: Mapping[str, bytes] | None = None) -> Manifest:
    """Store a version, with files beside its own that nothing reads; CURRENT is not touched."""
    rows = chunks_of(version)
    files = {**write(rows, Recipe()), **(extra or {})}
    for name, body in files.items():
        store.put(keys.index_file(version, name), body)
    manifest = Manifest(
        version=version,
        logical_date=date.fromisoformat(version[:10]),
        parent=None,
        source=Source.at("https://essays.example/articles.html"),
        recipe=Recipe(),
        ranking=Ranking(),
        collection=Recipe().collection,
        essays=(),
        failed=(),
        elsewhere=(),
        listed=len(rows),
        chunks=len(rows),
        files={name: File(sha256=hashlib.sha256(body).hexdigest(), size=len(body)) for name, body in files.items()},
        work=Work(),
        created_at=datetime.now(UTC),
        quality={},
    )
    store.put(keys.manifest(version), sealed(manifest))
    return manifest


def point(store: ObjectStore, version: str) -> None:
    """Have CURRENT name a version, forward or back."""
    changed = {"changed_at": datetime.now(UTC), "changed_by": "tests", "why": "a test"}
    pointer = Pointer(n=1, action="promote", version=version, **changed)
    store.put(keys.CURRENT, encode(pointer))


def flip(body: bytes) -> bytes:
    """Change one bit in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def index_gets(passed: list[tuple[str, str]], version: str) -> list[str]:
    """The files of a version that were fetched through a proxy, by name."""
    marker = f"/{keys.index_file(version, '')}"
    asked = [path.split("?")[0] for method, path in passed if method == "GET" and marker in path]
    return sorted(path.split(marker)[1] for path in asked if Path(path).name != "manifest.json")
