"""A version whose files are damaged is written again as it was, whichever release wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contextual_rag import keys
from contextual_rag.adapters.index_files import IndexWriter
from contextual_rag.model import IndexedChunk
from tests.memory_world import MemoryWorld


class WriterOfBefore(IndexWriter):
    """Writes the files as a release did that knew no places."""

    def add(self, rows: Sequence[IndexedChunk]) -> None:
        super().add([row.model_copy(update={"places": ()}) for row in rows])


def built_and_damaged(world: MemoryWorld, source: Path) -> tuple[str, bytes]:
    source.mkdir()
    (source / "log.md").write_text(
        "# The Log\n\n## At sea\n\nTwo bells rang in the night, and the keeper wrote it down."
    )
    version = world.build(source=str(source)).version
    table = keys.index_file(version, keys.TABLE)
    body = world.store.get(table)
    assert body is not None
    world.store.delete([table])
    return table, body.body


def test_a_table_without_places_is_written_again_as_it_was(tmp_path: Path) -> None:
    world = MemoryWorld(tmp_path)
    world.write_index = WriterOfBefore
    table, before = built_and_damaged(world, tmp_path / "notes")
    world.write_index = IndexWriter
    world.build(source=str(tmp_path / "notes"))
    after = world.store.get(table)
    assert after is not None
    assert after.body == before


def test_a_table_with_places_keeps_them(tmp_path: Path) -> None:
    world = MemoryWorld(tmp_path)
    table, before = built_and_damaged(world, tmp_path / "notes")
    world.build(source=str(tmp_path / "notes"))
    after = world.store.get(table)
    assert after is not None
    assert after.body == before
    index = world.indexes.open(world.registry.resolve(None))
    assert [chunk.where for chunk in index.essay("log")] == ["At sea"]
