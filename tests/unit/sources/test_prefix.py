"""A prefix of an object store as a source: its objects are documents, and their ETags say which of them changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextual_rag.errors import CredentialsError, PageError, ServiceUnavailableError, SettingError, SourceError
from contextual_rag.sources.prefix import Prefix, bucket_of
from tests.memory_objects import MemoryObjects
from tests.memory_world import MemoryWorld, names, text_of
from tests.raising import raising


class Counting(MemoryObjects):
    """Objects, and which of them were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, key: str):  # type: ignore[no-untyped-def]
        """Return an object."""
        self.asked.append(key)
        return super().get(key)


@pytest.fixture
def papers() -> Counting:
    store = Counting()
    for name in names(3):
        store.put(f"{name}.md", f"# {name}\n\n{text_of(name)}".encode())
    return store


def listing(store: MemoryObjects) -> tuple[list[str], dict[str, str]]:
    found = Prefix(store, "papers/2026", max_bytes=1000).listing()
    return [one.url for one in found.entries], {one.title: one.reason for one in found.elsewhere}


class TestAPrefix:
    def test_lists_what_a_reader_knows_and_names_the_rest(self) -> None:
        store = MemoryObjects()
        for key in ("b.md", "deep/a b.TXT", "a#1%.html", "c.jpg", ".env.md", "deep/.git/x.md", "x\ny.md", "none"):
            store.put(key, b"Some words.")
        store.put("empty.md", b"")
        store.put("deep/", b"")  # what tools store for a folder
        store.put("large.txt", b"x" * 1001)
        urls, left_out = listing(store)
        start = "s3://papers/2026/"
        assert urls == [f"{start}a%231%25.html", f"{start}b.md", f"{start}deep/a b.TXT"]
        assert left_out.keys() == {"c.jpg", ".env.md", "deep/.git/x.md", "x\ny.md", "none", "empty.md", "large.txt"}
        assert all(left_out.values())

    def test_gives_each_object_by_its_address(self) -> None:
        store = MemoryObjects()
        store.put("deep/a#1% b.md", b"Some words.")
        site = Prefix(store, "papers/2026", max_bytes=1000)
        (entry,) = site.listing().entries
        found = site.get(entry.url)
        assert (found.body, found.media_type, found.etag) == (b"Some words.", "text/markdown", entry.change)

    @pytest.mark.parametrize(
        "url", ["s3://papers/2026/gone.md", "s3://papers/other.md", "s3://papers/2026/../x.md", "s3://papers/2026/key"]
    )
    def test_gives_nothing_else(self, url: str) -> None:
        store = MemoryObjects()
        store.put("key", b"a secret")
        store.put("../x.md", b"a secret")
        with pytest.raises(PageError):
            Prefix(store, "papers/2026", max_bytes=1000).get(url)

    @pytest.mark.parametrize("error", [CredentialsError("refused"), SettingError("no such bucket")])
    def test_that_cannot_be_listed_is_a_source_that_cannot_be_read(self, error: Exception) -> None:
        class Closed(MemoryObjects):
            def describe(self, prefix: str):  # type: ignore[no-untyped-def]
                raise error

        with raising(SourceError, "source", "s3://papers/2026/"):
            listing(Closed())

    def test_that_may_answer_later_is_tried_again(self) -> None:
        class Down(MemoryObjects):
            def describe(self, prefix: str):  # type: ignore[no-untyped-def]
                raise ServiceUnavailableError("down")

        with raising(ServiceUnavailableError, "service_unavailable"):
            listing(Down())

    @pytest.mark.parametrize(
        ("source", "bucket"),
        [("s3://a-b/c/d/", "a-b/c/d"), ("s3://a-b", "a-b"), ("https://a/s3://b", None), ("/s3:/b", None)],
    )
    def test_is_named_by_its_address(self, source: str, bucket: str | None) -> None:
        assert bucket_of(source) == bucket


def test_a_build_asks_for_what_changed_and_nothing_else(tmp_path: Path, papers: Counting) -> None:
    world = MemoryWorld(tmp_path)
    world.buckets["papers/2026"] = papers
    built = world.build(source="s3://papers/2026/")
    assert (built.state, built.essays, sorted(papers.asked)) == (
        "moved",
        3,
        [f"{name}.md" for name in names(3)],
    )
    papers.asked.clear()
    assert world.build(days=1, source="s3://papers/2026/").version == built.version
    assert papers.asked == []
    papers.put("essay1.md", f"# essay1\n\n{text_of('new')}".encode())
    papers.put("essay9.md", f"# essay9\n\n{text_of('nine')}".encode())
    papers.delete(["essay0.md"])
    again = world.build(days=2, source="s3://papers/2026", max_shrink_share=0.5)
    assert (again.essays, papers.asked) == (3, ["essay1.md", "essay9.md"])
