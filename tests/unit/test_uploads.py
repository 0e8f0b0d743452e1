"""Uploads: stored under a name that people can see, read as one more source, held to limits, and gone when removed."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag import keys
from contextual_rag.building.freshness import freshness
from contextual_rag.errors import SettingError, UnknownDocumentError, UploadError
from contextual_rag.sources.uploads import file_name
from contextual_rag.uploads import Shelf
from tests.memory_world import MemoryWorld, names
from tests.raising import raising
from tests.unit.readers.files import pdf, zipped

GUIDE = b"# The ferry\n\nThe ferry to Skerrow leaves at nine in the morning, and the ticket costs four crowns.\n"
KILN = b"# The kiln\n\nThe kiln is fired for eleven hours, and the glaze is made of ash.\n"
DAY = datetime.now(UTC).date()


class Library:
    """A site of some essays, beside which people upload."""

    def __init__(self, folder: Path, essays: int = 4, **settings: Any) -> None:
        self.world = MemoryWorld(folder, uploads=True, **settings)
        self.world.buckets[self.world.settings.bucket] = self.world.store
        self.world.pages.show(names(essays))
        self.shelf = Shelf(self.world.store, self.world.registry, self.world.settings)

    def build(self, **asked: Any) -> Any:
        """Build what is there today."""
        return self.world.build(**{"day": DAY, **asked})

    def answering(self) -> set[str]:
        """The titles of the uploads that answer."""
        return {essay.title for essay in self.world.registry.resolve().essays if essay.source == "uploads"}

    def states(self, owner: str | None = None) -> dict[str, str]:
        """What became of a person's files."""
        return {one.name: one.state for one in self.shelf.of(owner)}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


class TestANameThatPeopleSee:
    @pytest.mark.parametrize(
        ("given_name", "seen"),
        [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd.txt", "passwd.txt"),
            ("C:\\Users\\ada\\notes.md", "notes.md"),
            ("..", "document"),
            (".hidden.md", "hidden.md"),
            ("inv\u202efdp.exe.pdf", "invfdp.exe.pdf"),
            ("a\u200b\x00\n b\t\u2028c.txt", "a b c.txt"),
            ("été \u0645\u0631\u062d\u0628\u0627.PDF", "été \u0645\u0631\u062d\u0628\u0627.PDF"),
            ("\udcff.md.txt", "md.txt"),
            ("", "document"),
        ],
    )
    def test_has_no_folder_and_nothing_that_cannot_be_seen(self, given_name: str, seen: str) -> None:
        assert file_name(given_name) == seen

    @given(st.text(max_size=6000))
    def test_is_short_has_no_folder_and_stays_as_it_is(self, given_name: str) -> None:
        name = file_name(given_name)
        assert name
        assert len(name.encode()) <= 330
        assert not {"/", "\\"} & set(name)
        assert not any(unicodedata.category(sign)[0] == "C" for sign in name)
        assert keys.upload_of(keys.upload("0" * 32, "1" * 64, name)) == ("0" * 32, "1" * 64, name)

    def test_of_5000_characters_keeps_its_type(self) -> None:
        assert file_name("ж" * 5000 + ".pdf").endswith("ж.pdf")


class TestAnUpload:
    def test_answers_after_a_build_beside_the_source(self, library: Library) -> None:
        library.build()
        stored = library.shelf.add(None, "ferry.md", GUIDE)
        assert (stored.name, stored.state, library.answering()) == ("ferry.md", "waits", set())
        built = library.build()
        assert (built.state, built.essays) == ("moved", 5)
        assert library.answering() == {"ferry"}
        [one] = library.shelf.of(None)
        assert (one.state, one.reason) == ("answers", None)
        assert one.slug in {essay.slug for essay in library.world.registry.resolve().essays}

    def test_of_nobody_is_no_error_and_changes_nothing(self, library: Library) -> None:
        first = library.build()
        assert (first.state, first.failed, library.shelf.of(None)) == ("moved", (), [])
        assert library.build().version == first.version

    def test_does_not_need_a_persons_word_beside_the_source_that_answers(self, tmp_path: Path) -> None:
        # What answers was built before uploads were allowed.
        before = Library(tmp_path / "a")
        before.world.settings = before.world.settings.model_copy(update={"uploads": False})
        assert before.build().state == "moved"
        before.world.settings = before.world.settings.model_copy(update={"uploads": True})
        before.shelf.add(None, "ferry.md", GUIDE)
        built = before.build()
        assert (built.state, before.answering()) == ("moved", {"ferry"})
        # To leave them out again takes one.
        before.world.settings = before.world.settings.model_copy(update={"uploads": False})
        assert before.build().refusal == "gate_source"

    def test_is_of_no_day_before_it_came(self, library: Library) -> None:
        world = library.world
        world.settings = world.settings.model_copy(update={"uploads": False})
        before = DAY - timedelta(days=1)
        library.build(day=before)
        world.settings = world.settings.model_copy(update={"uploads": True})
        library.shelf.add(None, "ferry.md", GUIDE)
        library.build()
        past, again = library.build(day=before, past=True), library.build(day=DAY, past=True)
        assert (past.essays, past.failed, again.essays, again.failed) == (4, (), 5, ())

    def test_is_left_out_of_a_build_of_another_source(self, library: Library) -> None:
        library.shelf.add(None, "ferry.md", GUIDE)
        other = library.world.other_site("http://other.example/list.html")
        other.show(names(3, first=50))
        built = library.build(source=other.url)
        assert (built.essays, library.answering()) == (3, set())

    def test_and_a_source_of_that_name_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "sources.toml"
        file.write_text('[uploads]\nurl = "http://essays.example/articles.html"\n')
        library = Library(tmp_path)
        library.world.settings = library.world.settings.model_copy(update={"source_url": str(file)})
        with raising(SettingError, "setting_sources", "uploads", "sources.toml"):
            library.build()

    def test_is_indexed_without_asking_the_site_again_on_the_same_day(self, library: Library) -> None:
        library.build()
        asked: list[str] = []
        library.world.pages.on_page = asked.append
        library.shelf.add(None, "ferry.md", GUIDE)
        assert library.build(uploads_only=True).essays == 5
        assert asked == []
        found = freshness(
            library.world.store,
            library.world.registry,
            now=library.world.registry.resolve().created_at,
            stale_after=timedelta(hours=30),
        )
        assert (found.failed, found.source, found.stale) == ((), library.world.pages.url, False)
        # On a day without a look at the site, it is asked.
        other = Library(library.world.settings.data_dir / "other")
        other.world.pages.on_page = asked.append
        other.build(uploads_only=True)
        assert library.world.pages.url in asked

    def test_of_pages_says_which(self, library: Library) -> None:
        library.shelf.add(None, "manual.pdf", pdf([["The cover"], ["The valve is opened with a brass key."]]))
        library.build()
        world = library.world
        [slug] = [one.slug for one in library.shelf.of(None)]
        assert slug
        index = world.indexes.open(world.registry.resolve())
        [row] = index.essay(slug)
        assert row.where_in(row.text.index("The valve"), row.end) == "page 2"


class TestTheSameFile:
    def test_twice_is_one(self, library: Library) -> None:
        first = library.shelf.add("ada", "ferry.md", GUIDE)
        again = library.shelf.add("ada", "the same.md", GUIDE)
        assert (again.id, again.name) == (first.id, "ferry.md")
        assert len(library.shelf.of("ada")) == 1

    def test_of_two_people_is_one_document_until_both_removed_it(self, library: Library) -> None:
        id_ = library.shelf.add("ada", "ferry.md", GUIDE).id
        library.shelf.add("bob", "boat.md", GUIDE)
        assert library.build().essays == 5
        assert library.states("ada") | library.states("bob") == {"ferry.md": "answers", "boat.md": "answers"}
        library.shelf.remove("ada", id_)
        assert library.build().essays == 5
        assert (library.states("ada"), library.states("bob")) == ({}, {"boat.md": "answers"})
        library.shelf.remove("bob", id_)
        assert library.build().essays == 4


class TestARemovedUpload:
    def test_answers_no_more_after_a_build(self, library: Library) -> None:
        id_ = library.shelf.add(None, "ferry.md", GUIDE).id
        library.build()
        library.shelf.remove(None, id_)
        assert (library.shelf.of(None), library.shelf.leaving(), library.answering()) == ([], 1, {"ferry"})
        built = library.build()
        assert (built.state, library.answering(), library.shelf.leaving()) == ("moved", set(), 0)

    def test_is_no_shrinking_however_many_there_were(self, library: Library) -> None:
        ids = [library.shelf.add(None, f"{n}.md", GUIDE + b"\nNumber %d." % n).id for n in range(6)]
        library.build()
        for id_ in ids:
            library.shelf.remove(None, id_)
        assert library.build().state == "moved"
        assert library.answering() == set()

    def test_does_not_let_the_site_shrink_unseen(self, library: Library) -> None:
        id_ = library.shelf.add(None, "ferry.md", GUIDE).id
        library.build()
        library.shelf.remove(None, id_)
        library.world.pages.show(names(1))
        built = library.build()
        assert (built.state, built.refusal) == ("refused", "gate_shrunk")

    def test_of_somebody_else_is_unknown_and_stays(self, library: Library) -> None:
        id_ = library.shelf.add("ada", "ferry.md", GUIDE).id
        for owner in ("bob", None):
            with raising(UnknownDocumentError, "unknown_document"):
                library.shelf.remove(owner, id_)
        assert list(library.states("ada")) == ["ferry.md"]

    def test_while_a_build_reads_it_is_gone_after_the_next(self, library: Library) -> None:
        library.shelf.add(None, "kiln.md", KILN)
        id_ = library.shelf.add(None, "ferry.md", GUIDE).id
        library.build()
        # The site is asked after everything is listed.
        library.world.pages.on_page = lambda url: (
            library.shelf.remove(None, id_)
            if library.shelf.of(None)[1:] and not url.endswith("articles.html")
            else None
        )
        assert library.build().state != "refused"
        assert library.build().state != "refused"
        assert library.answering() == {"kiln"}


class TestAFileThatCannotBeRead:
    def test_is_named_with_the_reason_and_holds_nobody_back(self, library: Library) -> None:
        library.build()
        bomb = zipped({"[Content_Types].xml": b"<T/>", "word/document.xml": b"<w/>" + b" " * 54321})
        bomb = bomb.replace((54325).to_bytes(4, "little"), (2**31).to_bytes(4, "little"))
        library.shelf.add("eve", "broken.pdf", b"%PDF-1.7 and no more")
        library.shelf.add("eve", "bomb.docx", bomb)
        library.shelf.add("eve", "picture.pdf", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
        library.shelf.add("ada", "ferry.md", GUIDE)
        built = library.build()
        assert (built.state, library.answering()) == ("moved", {"ferry"})
        mine = library.shelf.of("eve")
        assert {one.state for one in mine} == {"failed"}
        assert all(one.reason and "upload:" not in one.reason for one in mine)
        assert library.states("ada") == {"ferry.md": "answers"}

    def test_of_the_site_still_counts(self, library: Library) -> None:
        for n in range(6):
            library.shelf.add(None, f"{n}.md", GUIDE + b"%d" % n)
        library.build()
        library.world.pages.show(names(4), missing=names(2))
        assert library.build().refusal == "gate_failed_share"


class TestLimits:
    @pytest.mark.parametrize(
        ("name", "size", "code"),
        [
            ("a.exe", 1, "upload_type"),
            ("pdf", 1, "upload_type"),
            ("a.pdf.", 1, "upload_type"),
            ("a.md", 0, "upload_empty"),
            ("a.md", 2001, "upload_size"),
            ("a.pdf", 5001, "upload_size"),
        ],
    )
    def test_of_type_and_size_refuse(self, tmp_path: Path, name: str, size: int, code: str) -> None:
        shelf = Library(tmp_path, max_page_bytes=2000, max_file_bytes=5000).shelf
        with raising(UploadError, code):
            shelf.add(None, name, b"x" * size)
        assert shelf.of(None) == []

    def test_of_type_and_size_let_the_rest_pass(self, tmp_path: Path) -> None:
        shelf = Library(tmp_path, max_page_bytes=2000, max_file_bytes=5000).shelf
        for name, size in (("a.md", 2000), ("A.PDF", 5000), ("b.pdf", 1)):
            assert shelf.add(None, name, b"x" * size).size == size

    def test_of_size_have_a_largest(self, library: Library) -> None:
        assert library.shelf.largest == library.world.settings.max_file_bytes

    def test_of_types_that_an_operator_chose(self, tmp_path: Path) -> None:
        shelf = Library(tmp_path, upload_types=("pdf", ".MD")).shelf
        assert shelf.types == [".md", ".pdf"]
        with raising(UploadError, "upload_type", "a.txt", ".md, .pdf"):
            shelf.add(None, "a.txt", b"x")

    def test_are_told_in_a_line_that_people_read(self, tmp_path: Path) -> None:
        shelf = Library(tmp_path, max_page_bytes=2_000_000, max_file_bytes=50_000_000).shelf
        assert {".pdf,", ".md,", ".docx,", "2.0", "50.0"} <= set(shelf.allowed.split())
        assert len(shelf.allowed) < 160 < len(" ".join(shelf.types))
        with raising(UploadError, "upload_type", "a.exe", shelf.allowed):
            shelf.add(None, "a.exe", b"x")
        with raising(UploadError, "upload_size", "a.md", "2,000,000", "RAG_MAX_PAGE_BYTES") as raised:
            shelf.add(None, "a.md", b"x" * 2_000_001)
        assert "RAG_MAX_FILE_BYTES" not in str(raised.value)

    def test_of_number_are_each_persons_and_everybodys(self, tmp_path: Path) -> None:
        shelf = Library(tmp_path, uploads_per_person=2, uploads_most=3).shelf
        for owner, name in (("ada", "a"), ("ada", "b"), ("bob", "c")):
            shelf.add(owner, f"{name}.md", name.encode())
        for owner in ("ada", "bob"):
            with raising(UploadError, "upload_count"):
                shelf.add(owner, "d.md", b"d")
        # What is there may come again, and what goes makes room.
        shelf.remove("ada", shelf.add("ada", "a.md", b"a").id)
        shelf.add("bob", "d.md", b"d")
