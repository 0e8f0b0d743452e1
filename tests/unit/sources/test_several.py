"""Several sources in one file: what is wrong in it is named with its line, and each is followed by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contextual_rag.building.freshness import freshness
from contextual_rag.errors import PageUnavailableError, SettingError, SourceError, UnknownSnapshotError
from contextual_rag.model import Source
from contextual_rag.settings import read_settings
from contextual_rag.sources.configured import read_sources
from contextual_rag.wiring import World
from tests.memory_world import MemoryWorld, names, text_of
from tests.raising import raising
from tests.servers.faulty_site import FaultySite, page

BLOG, WIKI = "http://blog.example/list.html", "http://wiki.example/list.html"
TWO = f'[blog]\nurl = "{BLOG}"\n\n[wiki]\nurl = "{WIKI}"\n'


class TestAFileOfSources:
    def read(self, folder: Path, text: str | bytes) -> dict[str, str]:
        file = folder / "sources.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return {name: one.address for name, one in read_sources(file).items()}

    def test_names_each_with_its_address_in_its_order(self, tmp_path: Path) -> None:
        found = self.read(
            tmp_path,
            '[wiki]\nurl = "https://wiki.example/"\ncrawl = { depth = 2 }\n[notes]\nurl = "./notes"\n'
            '[up]\nurl = "s3://papers/2026/"\n["a.b-c"]\nclass = "tickets.mine:Tickets"\noptions = { queue = "x" }\n',
        )
        assert found == {
            "wiki": "https://wiki.example/",
            "notes": (tmp_path / "notes").as_uri(),
            "up": "s3://papers/2026/",
            "a.b-c": "class:tickets.mine:Tickets",
        }
        assert list(self.read(tmp_path, f"\ufeff{TWO}".replace("\n", "\r\n"))) == ["blog", "wiki"]

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("# none\n", ()),
            ("[a]\nurl = \n", (2,)),
            ('[a]\nurl = "https://a.example/"\n[a]\n', (3,)),
            ('a = "https://a.example/"\n', (1,)),
            ("\n\n[a]\n", (3,)),
            ('[a]\nurl = "https://a.example/"\nclass = "m:C"\n', (1,)),
            ('[a]\n\nurl = "notes"\n', (3,)),
            ('[a]\nurl = "https://"\n[b]\nurl = "ftp://b.example/"\n', (2, 4)),
            ('[a]\nurl = "https://me:secret@a.example/"\n', (2,)),
            ('[a]\nurl = "file://elsewhere/notes"\n', (2,)),
            ('[a]\nurl = "s3://Two Words/x"\n', (2,)),
            ('[a]\nurl = """\nhttps://a.example/\n\n"""\ncrawl.depht = 3\n', (2, 6)),
            ('[a]\nurl = "https://a.example/"\n[a.crawl]\ndepth = 99\ncount = 0\n', (4, 5)),
            ('[a]\nurl = "./a"\ncrawl = {}\n', (1,)),
            ('[a]\nurl = "https://a.example/"\noptions.x = 1\n', (1,)),
            ('[a]\nurl = "https://a.example/"\nname = "b"\nown = "m:C"\n', (3, 4)),
            ('[a]\nclass = "no colon"\n', (2,)),
            ('["a b"]\nurl = "https://a.example/"\n', (1,)),
            ("[a]\nurl = 3\n", (2,)),
            (b'[a]\nurl = "https://a.example/"\n# \xff\n', (3,)),
        ],
    )
    def test_that_is_wrong_is_named_with_its_lines(
        self, tmp_path: Path, text: str | bytes, lines: tuple[int, ...]
    ) -> None:
        with raising(SettingError, "setting_sources", "sources.toml", *(f"line {line}: " for line in lines)) as caught:
            self.read(tmp_path, text)
        assert str(caught.value).count("line ") == len(lines)
        assert "secret" not in str(caught.value)

    def test_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with raising(SettingError, "setting_sources", "none.toml"):
            read_sources(tmp_path / "none.toml")


class Worlds:
    """A world with a file of two sources, a blog of five essays and a wiki of three."""

    def __init__(self, folder: Path, text: str = TWO) -> None:
        self.file = folder / "sources.toml"
        self.file.write_text(text)
        self.world = MemoryWorld(folder)
        self.world.settings = self.world.settings.model_copy(update={"source_url": str(self.file)})
        self.blog, self.wiki = self.world.other_site(BLOG), self.world.other_site(WIKI)
        self.blog.show(names(5))
        self.wiki.show(names(3, first=50))

    def sources(self) -> dict[str | None, int]:
        """How many essays of each source answer."""
        essays = self.world.registry.resolve().essays
        return {name: sum(essay.source == name for essay in essays) for name in {essay.source for essay in essays}}

    def cut_off(self, *urls: str) -> None:
        """Make the lists of these sources answer nothing."""

        def refuse(url: str) -> None:
            if url in urls:
                raise PageUnavailableError(f"{url} does not answer.")

        self.blog.on_page = self.wiki.on_page = refuse


@pytest.fixture
def two(tmp_path: Path) -> Worlds:
    return Worlds(tmp_path)


class TestABuildOfSeveral:
    def test_holds_the_documents_of_all_and_a_second_one_does_nothing(self, two: Worlds) -> None:
        built = two.world.build()
        assert (built.state, built.essays, built.failed) == ("moved", 8, ())
        assert two.sources() == {"blog": 5, "wiki": 3}
        again = two.world.build(days=1)
        assert (again.version, again.published, again.work.embedded) == (built.version, False, 0)
        assert [one.source.name for one in two.world.registry.resolve().sources] == ["blog", "wiki"]

    def test_knows_of_each_document_which_source_it_is_of(self, two: Worlds) -> None:
        two.world.build()
        origins = two.world.indexes.open(two.world.registry.resolve()).origins
        assert {origin.source for slug, origin in origins.items() if slug in names(5)} == {"blog"}
        assert {origin.source for slug, origin in origins.items() if slug not in names(5)} == {"wiki"}

    def test_keeps_a_snapshot_of_each_under_its_name(self, two: Worlds) -> None:
        two.world.build()
        kept = {key.split("/")[2] for key in two.world.store.list("1_pages/snapshots/")}
        assert kept == {"blog", "wiki"}

    def test_tells_documents_of_one_name_apart(self, two: Worlds) -> None:
        two.wiki.show({"essay0": text_of("other0"), "essay1": text_of("other1")})
        built = two.world.build()
        essays = two.world.registry.resolve(built.version).essays
        slugs = {(essay.source, essay.url.rpartition("/")[2]): essay.slug for essay in essays}
        assert built.essays == 7
        assert slugs["blog", "essay0.html"] == "essay0"
        assert slugs["wiki", "essay0.html"].startswith("essay0-")
        assert two.world.build(days=1).version == built.version

    def test_makes_a_page_that_both_list_one_document_and_names_it(self, tmp_path: Path) -> None:
        both = Worlds(tmp_path, f'[first]\nurl = "{BLOG}"\n[second]\nurl = "{BLOG}"\n')
        built = both.world.build()
        assert built.essays == 5
        assert {(link.url.rpartition("/")[2], link.reason) for link in built.elsewhere} == {
            (f"{name}.html", "is a document of the source first") for name in names(5)
        }

    def test_tells_two_folders_of_one_name_apart(self, tmp_path: Path) -> None:
        for above in ("a", "b"):
            (tmp_path / above / "notes").mkdir(parents=True)
            (tmp_path / above / "notes" / "same.md").write_text(f"# Same\n\n{text_of(above)}")
        folders = Worlds(tmp_path, '[one]\nurl = "./a/notes"\n[two]\nurl = "./b/notes"\n')
        folders.world.build()
        essays = folders.world.registry.resolve().essays
        assert {essay.url for essay in essays} == {"file:one/same.md", "file:two/same.md"}
        assert len({essay.document for essay in essays}) == 2

    def test_with_a_limit_takes_the_first(self, two: Worlds) -> None:
        built = two.world.build(limit=6)
        assert (built.essays, built.current) == (6, False)
        kept = {key.split("/")[2] for key in two.world.store.list("1_pages/snapshots/")}
        assert kept == {"blog"}  # the wiki was not looked at as a whole


class TestASourceThatCannotBeRead:
    def test_keeps_its_documents_and_is_named_while_the_others_go_on(self, two: Worlds) -> None:
        two.world.build()
        two.cut_off(WIKI)
        two.blog.show(names(6))
        built = two.world.build(days=1)
        assert (built.state, built.essays) == ("moved", 9)
        assert [failure.url for failure in built.failed] == [WIKI]
        assert two.sources() == {"blog": 6, "wiki": 3}
        two.cut_off()
        assert two.world.build(days=2).failed == ()

    def test_is_red_in_the_step_that_fetches(self, two: Worlds) -> None:
        two.world.build()
        two.cut_off(WIKI)
        digest, titles, _ = two.world.steps.discover(two.world.run(days=1))
        of_wiki = [slug for slug, _ in titles if slug not in names(5)]
        assert [failure.url for failure in two.world.steps.fetch(digest, of_wiki).failed] == [WIKI]
        assert two.world.steps.fetch(digest, names(5)).failed == ()

    def test_is_named_though_nothing_of_it_was_read_before(self, two: Worlds) -> None:
        two.cut_off(WIKI)
        built = two.world.build()
        assert (built.essays, [failure.url for failure in built.failed]) == (5, [WIKI])

    def test_is_one_that_names_no_document_any_more(self, two: Worlds) -> None:
        two.world.build()
        two.wiki.show(())
        built = two.world.build(days=1)
        assert (built.essays, [failure.url for failure in built.failed]) == (8, [WIKI])

    def test_ends_the_run_where_all_are_like_that(self, two: Worlds) -> None:
        first = two.world.build().version
        two.cut_off(WIKI, BLOG)
        with raising(PageUnavailableError, "page_unavailable", BLOG):
            two.world.build(days=1)
        assert two.world.current == first

    def test_never_counts_as_an_essay_that_failed(self, tmp_path: Path) -> None:
        three = Worlds(tmp_path, f'{TWO}[gone]\nurl = "./gone"\n')
        three.blog.show(names(1))
        three.wiki.show(names(1, first=50))
        assert three.world.build(max_failed_share=0).state == "moved"

    def test_is_stale_while_the_others_are_fresh(self, two: Worlds) -> None:
        two.world.build()
        two.cut_off(WIKI)
        two.blog.show(names(6))
        two.world.build(days=1)
        pointer = two.world.registry.current()
        assert pointer is not None
        found = freshness(
            two.world.store,
            two.world.registry,
            now=datetime(2026, 3, 3, tzinfo=UTC),
            stale_after=timedelta(hours=30),
        )
        assert found.source == WIKI
        assert [failure.url for failure in found.failed] == [WIKI]


class TestTheGates:
    def test_refuse_a_small_source_that_shrinks_beside_a_large_one(self, two: Worlds) -> None:
        two.blog.show(names(10))
        two.world.build()
        two.wiki.show(names(1, first=50))
        built = two.world.build(days=1)
        assert (built.refusal, two.sources()) == ("gate_shrunk", {"blog": 10, "wiki": 3})
        assert "wiki" in (built.refused or "")

    def test_refuse_a_small_source_whose_documents_are_replaced(self, two: Worlds) -> None:
        two.blog.show(names(10))
        two.world.build()
        two.wiki.show(names(3, first=60))
        assert two.world.build(days=1).refusal == "gate_gone"

    def test_refuse_that_a_source_is_taken_out_unless_a_person_says_so(self, two: Worlds) -> None:
        two.blog.show(names(10))
        two.world.build()
        two.file.write_text(TWO.partition("[wiki]")[0])
        refused = two.world.build(days=1)
        assert (refused.refusal, "wiki" in (refused.refused or "")) == ("gate_source", True)
        built = two.world.build(days=1, promote=True)
        assert (built.state, two.sources()) == ("moved", {"blog": 10})

    def test_allow_that_a_source_is_added_or_renamed(self, two: Worlds) -> None:
        two.world.build()
        third = two.world.other_site("http://third.example/list.html")
        third.show(names(2, first=70))
        two.file.write_text(f'{TWO.replace("[wiki]", "[pages]")}[third]\nurl = "{third.url}"\n')
        built = two.world.build(days=1)
        assert (built.state, two.sources()) == ("moved", {"blog": 5, "pages": 3, "third": 2})

    def test_allow_that_one_source_becomes_one_of_several(self, two: Worlds) -> None:
        two.world.build(source=BLOG)
        built = two.world.build(days=1)
        assert (built.state, two.sources(), built.work.embedded) == ("moved", {"blog": 5, "wiki": 3}, 3)
        assert two.world.build(days=2, source=WIKI).refusal == "gate_source"

    def test_allow_that_a_document_moves_from_one_source_to_another(self, two: Worlds) -> None:
        (two.file).write_text(f'[wiki]\nurl = "{WIKI}"\n[blog]\nurl = "{BLOG}"\n[again]\nurl = "{BLOG}"\n')
        two.world.build()
        (two.file).write_text(f'[wiki]\nurl = "{WIKI}"\n[again]\nurl = "{BLOG}"\n[blog]\nurl = "{BLOG}"\n')
        built = two.world.build(days=1, max_shrink_share=1.0)
        assert (built.state, two.sources()) == ("moved", {"wiki": 3, "again": 5})


class TestAPastDay:
    def test_is_built_from_the_snapshots_of_each(self, two: Worlds) -> None:
        two.world.build()
        two.blog.show(names(6))
        two.world.build(days=3)
        past = two.world.build(days=1, past=True)
        assert (past.essays, past.failed) == (8, ())
        assert two.world.build(days=4, past=True).essays == 9

    def test_names_a_source_that_was_not_there_then(self, two: Worlds) -> None:
        two.file.write_text(TWO.partition("[wiki]")[0])
        two.world.build()
        two.file.write_text(TWO)
        past = two.world.build(days=1, past=True)
        assert (past.essays, [failure.url for failure in past.failed]) == (5, [WIKI])

    def test_before_any_snapshot_is_refused(self, two: Worlds) -> None:
        with raising(UnknownSnapshotError, "unknown_snapshot"):
            two.world.build(past=True)


class TestOneSource:
    def test_is_stored_as_ever(self, two: Worlds) -> None:
        built = two.world.build(source=BLOG)
        stored = {key: two.world.store.get(key) for key in two.world.store.list("")}
        records = [json.loads(one.body) for key, one in stored.items() if one and key.endswith(".json")]
        assert not any("sources" in record for record in records)
        named = [one for record in records for one in record.get("entries", record.get("essays", ()))]
        assert len(named) >= 15
        assert not any({"source", "change"} & (one.get("keys") or one).keys() for one in named)
        assert {essay.source for essay in two.world.registry.resolve(built.version).essays} == {None}


class TestARunInAirflow:
    """May name a source of the web alone; what the settings' file names may be anywhere."""

    def test_may_not_name_a_file_of_sources(self, tmp_path: Path) -> None:
        file = tmp_path / "sources.toml"
        file.write_text(TWO)
        for named in (str(file), file.as_uri(), file.as_uri().upper().replace("FILE", "file")):
            world = World(read_settings(source_url="https://a.example/"), any_source=False)
            with raising(SourceError, "source_folder", "RAG_SOURCE_URL"):
                world.sources(named)
        assert len(World(read_settings(source_url=str(file)), any_source=False).sources(file.as_uri())) == 2
        assert len(World(read_settings()).sources(str(file))) == 2

    @pytest.mark.parametrize("named", ["s3://papers/x", "/srv/notes"])
    def test_may_not_name_a_bucket_or_a_folder(self, named: str) -> None:
        with raising(SourceError, "source_folder", "RAG_SOURCE_URL"):
            World(read_settings(source_url="https://a.example/"), any_source=False).site(named)

    def test_reads_private_addresses_and_folders_that_the_file_names_and_no_others(self, tmp_path: Path) -> None:
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "a.md").write_text("# A\n\nA note.")
        with FaultySite() as site:
            site.routes["/list.html"] = page(b'<ul><li><a href="one.html">One</a></li></ul>')
            file = tmp_path / "sources.toml"
            file.write_text(f'[notes]\nurl = "./notes"\n[site]\nurl = "{site.url("/list.html")}"\n')
            world = World(read_settings(source_url=str(file), page_attempts=1), any_source=False)
            for one in world.sources(file.as_uri()):
                with world.site(file.as_uri(), one) as opened:
                    assert opened
            moved = Source(name="notes", url=(tmp_path / "other").as_uri())
            with raising(SourceError, "source_folder"):
                world.site(file.as_uri(), moved)

    def test_runs_no_class_that_the_file_does_not_name(self, tmp_path: Path) -> None:
        file = tmp_path / "sources.toml"
        file.write_text(TWO)
        world = World(read_settings(source_url=str(file)), any_source=False)
        for name in ("blog", "other"):
            with raising(SettingError, "setting_sources", name):
                world.site(file.as_uri(), Source(name=name, url="class:os:abort"))
        with raising(SettingError, "setting"):
            world.site("class:os:abort")


def test_a_relative_path_in_the_settings_starts_from_the_projects_folder(tmp_path: Path) -> None:
    for given in ("sources.toml", "./notes", "conf/sources.toml"):
        assert read_settings(project=tmp_path, source_url=given).source_url == str(tmp_path / given)
    for given in ("https://a.example/sources.toml", "/srv/sources.toml", "~/notes", "file:/x.toml", "s3://b/x.toml"):
        assert read_settings(project=tmp_path, source_url=given).source_url == given
