"""A folder of this machine as a source: each file that a reader knows, and nothing outside it."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from contextual_rag.errors import PageError, SourceError
from contextual_rag.model import Source
from contextual_rag.sources.folder import Folder
from tests.memory_world import MemoryWorld, text_of
from tests.raising import raising

SECRET = "The secret of the machine."


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of one file of each kind, and one a folder deeper."""
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "lamps.md").write_text(f"# On lamps\n\n{text_of('lamps')}")
    (folder / "piers.html").write_text(f"<h1>On piers</h1><p>{text_of('piers')}</p>")
    (folder / "weirs.txt").write_text(text_of("weirs"))
    (folder / "deep" / "Große Öfen #1 100%.md").write_text(f"# On kilns\n\n{text_of('kilns')}")
    (tmp_path / "secret.md").write_text(SECRET)
    return folder


def site(folder: Path) -> Folder:
    return Folder(folder, max_bytes=5000)


def listed(folder: Path) -> list[str]:
    return [entry.url for entry in site(folder).listing().entries]


def left_out(folder: Path) -> dict[str, str]:
    return {link.title: link.reason for link in site(folder).listing().elsewhere}


class TestTheFiles:
    def test_are_listed_in_one_order_by_addresses_that_do_not_tell_where_the_folder_is(self, notes: Path) -> None:
        found = [
            "file:notes/lamps.md",
            "file:notes/piers.html",
            "file:notes/weirs.txt",
            "file:notes/deep/Große Öfen %231 100%25.md",
        ]
        assert listed(notes) == found
        assert left_out(notes) == {}

    def test_have_slugs_that_another_folder_does_not_change(self, notes: Path) -> None:
        before = {entry.url: entry.slug for entry in site(notes).listing().entries}
        (notes / "deep" / "lamps.md").write_text("# Other lamps")
        after = {entry.url: entry.slug for entry in site(notes).listing().entries}
        assert before.items() <= after.items()
        assert len(set(after.values())) == 5

    def test_are_read_as_they_are_listed(self, notes: Path) -> None:
        folder = site(notes)
        for url in listed(notes):
            response = folder.get(url)
            assert response.body
            assert folder.get(url, etag=response.etag).status == 304

    def test_that_changed_are_read_again_even_if_nothing_else_tells(self, notes: Path) -> None:
        file = notes / "lamps.md"
        first, seen = site(notes).get("file:notes/lamps.md"), file.stat()
        file.write_text(file.read_text().replace("lamps", "lumps"))
        os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        assert site(notes).get("file:notes/lamps.md", etag=first.etag).status == 200


class TestWhatIsLeftOut:
    @pytest.mark.parametrize(
        ("name", "body", "reason"),
        [
            ("empty.md", b" \n", "empty"),
            ("latin.txt", b"A caf\xe9 by the quay.", "UTF-8"),
            ("large.md", b"word " * 2000, "RAG_MAX_PAGE_BYTES"),
            ("book.zip", b"PK", "no reader"),
            ("Makefile", b"all:", "no reader"),
            (".env.md", SECRET.encode(), "hidden"),
            (".git/notes.md", SECRET.encode(), "hidden"),
        ],
    )
    def test_is_named_with_the_reason(self, notes: Path, name: str, body: bytes, reason: str) -> None:
        (notes / name).parent.mkdir(exist_ok=True)
        (notes / name).write_bytes(body)
        ((named, why),) = left_out(notes).items()
        assert name.startswith(named)
        assert reason in why
        assert len(listed(notes)) == 4
        with raising(PageError, "page", f"file:notes/{name}"):
            site(notes).get(f"file:notes/{name}")

    def test_is_what_is_too_large_of_which_no_more_than_the_limit_is_read(self, notes: Path) -> None:
        for name in ("scan.pdf", "table.csv", "talk.md"):
            with (notes / name).open("wb") as file:
                file.truncate(200_000_000)
        tracemalloc.start()
        try:
            reasons = left_out(notes)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert {name: "_BYTES" in why for name, why in reasons.items()} == dict.fromkeys(reasons, True)
        assert (len(reasons), peak < 60_000_000) == (3, True)

    def test_is_a_name_that_is_no_text(self, notes: Path) -> None:
        (notes / os.fsdecode(b"caf\xe9.md")).write_text("A note.")
        (notes / "two\nlines.md").write_text("A note.")
        assert set(left_out(notes)) == {"caf\ufffd.md", "two\nlines.md"}

    def test_is_what_is_no_file_and_is_not_waited_for(self, notes: Path) -> None:
        os.mkfifo(notes / "pipe.md")
        (notes / "folder.md").mkdir()
        assert list(left_out(notes)) == ["pipe.md"]

    def test_is_not_what_is_utf_16_or_a_page_that_says_its_charset(self, notes: Path) -> None:
        (notes / "wide.txt").write_text("A wide note.", encoding="utf-16")
        (notes / "old.html").write_bytes(b'<meta charset="latin1"><p>A caf\xe9 by the quay.')
        assert left_out(notes) == {}

    def test_is_a_whole_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with raising(SourceError, "source", tmp_path / "none"):
            site(tmp_path / "none").listing()


class TestALink:
    @pytest.mark.parametrize("target", ["../secret.md", "/etc/passwd", "..", "/"])
    def test_that_leaves_the_folder_is_named_and_never_read(self, notes: Path, target: str) -> None:
        (notes / "link.md").symlink_to(target)
        assert list(left_out(notes)) == ["link.md"]
        for url in ("file:notes/link.md", "file:notes/link.md/secret.md"):
            with raising(PageError, "page"):
                site(notes).get(url)

    def test_that_took_a_files_place_after_the_listing_is_never_read(self, notes: Path) -> None:
        (url, *_) = listed(notes)
        (notes / "lamps.md").unlink()
        (notes / "lamps.md").symlink_to(notes.parent / "secret.md")
        with raising(PageError, "page"):
            site(notes).get(url)

    def test_to_a_file_that_is_listed_brings_it_once(self, notes: Path) -> None:
        (notes / "again.md").symlink_to("lamps.md")
        assert "lamps.md" in left_out(notes)["again.md"]

    def test_to_a_hidden_edition_inside_the_folder_is_followed(self, tmp_path: Path) -> None:
        """As cluster volumes are made: each file is a link into a hidden folder, which is exchanged as a whole."""
        (tmp_path / "..2026").mkdir()
        (tmp_path / "..2026" / "a.md").write_text("# A")
        (tmp_path / "..data").symlink_to("..2026")
        (tmp_path / "a.md").symlink_to("..data/a.md")
        assert [entry.slug for entry in site(tmp_path).listing().entries] == ["a"]

    def test_in_a_circle_ends(self, notes: Path) -> None:
        (notes / "loop.md").symlink_to("loop.md")
        (notes / "deep" / "up").symlink_to("..")
        assert set(left_out(notes)) == {"loop.md", "deep/up"}


@pytest.mark.parametrize(
    "url",
    [
        "file:notes/../secret.md",
        "file:notes/%2e%2e/secret.md",
        "file:notes//etc/passwd",
        "file:///etc/passwd",
        "file:other/lamps.md",
        "http://example.com/lamps.md",
        "file:notes/lamps%00.md",
    ],
)
def test_no_address_leads_out_of_the_folder(notes: Path, url: str) -> None:
    with raising(PageError, "page"):
        site(notes).get(url)


class TestABuild:
    """With models that are arithmetic: what is made is counted."""

    def test_works_on_what_was_edited_alone(self, notes: Path, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path)
        first = world.build(source=str(notes))
        assert (first.essays, first.failed, first.published) == (4, (), True)
        again = world.build(source=notes.as_uri(), days=1)
        assert (again.version, again.work.model_calls, again.work.embedded) == (first.version, 0, 0)
        (notes / "weirs.txt").write_text(text_of("weirs", edition="second"))
        edited = world.build(source=str(notes), days=2)
        assert 0 < edited.work.embedded < first.work.embedded
        assert "second edition" in answers(world)["weirs"]

    # The title of the second is its name.
    @pytest.mark.parametrize(("before", "after"), [("lamps.md", "deep/lanterns.md"), ("weirs.txt", "dams.txt")])
    def test_of_a_renamed_file_asks_no_model(self, notes: Path, tmp_path: Path, before: str, after: str) -> None:
        world = MemoryWorld(tmp_path)
        world.build(source=str(notes))
        (notes / before).rename(notes / after)
        renamed = world.build(source=str(notes), days=1)
        assert renamed.moved
        assert (renamed.essays, renamed.work.model_calls, renamed.work.embedded) == (4, 0, 0)
        assert before.partition(".")[0] not in answers(world)

    def test_of_a_file_that_was_renamed_and_edited_asks_for_what_is_new(self, notes: Path, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path)
        world.build(source=str(notes))
        (notes / "lamps.md").rename(notes / "lanterns.md")
        (notes / "lanterns.md").write_text(f"# On lanterns\n\n{text_of('lanterns')}")
        assert world.build(source=str(notes), days=1).work.embedded > 0

    def test_lets_what_was_deleted_leave_the_answers(self, notes: Path, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path)
        world.build(source=str(notes))
        (notes / "weirs.txt").unlink()
        assert world.build(source=str(notes), days=1).moved
        assert set(answers(world)).isdisjoint({"weirs"})

    def test_is_refused_when_most_files_are_gone(self, notes: Path, tmp_path: Path) -> None:
        world = MemoryWorld(tmp_path)
        first = world.build(source=str(notes))
        for name in ("weirs.txt", "lamps.md", "piers.html"):
            (notes / name).unlink()
        assert world.build(source=str(notes), days=1).refused
        assert world.current == first.version

    def test_names_what_is_left_out_and_is_one_source_however_it_is_written(self, notes: Path, tmp_path: Path) -> None:
        (notes / "book.zip").write_bytes(b"PK")
        world = MemoryWorld(tmp_path)
        built = world.build(source=str(notes))
        assert [failure.slug for failure in built.elsewhere] == ["book.zip"]
        written = {world.run(source=form).source_in(world.settings).name for form in (str(notes), notes.as_uri())}
        assert written == {Source.at(notes.as_uri()).name}
        assert str(tmp_path).strip("/").partition("/")[0] not in written.pop()


def answers(world: MemoryWorld) -> dict[str, str]:
    index = world.indexes.open(world.registry.resolve(None))
    return {slug: " ".join(chunk.text for chunk in index.essay(slug)) for slug in index.essays}
