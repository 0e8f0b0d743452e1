"""A source of one's own: a class that the file of sources names, in `rag build` as in Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contextual_rag.errors import PageError, SettingError, SourceError
from contextual_rag.sources.own import Item, Own, own_source
from tests.memory_world import MemoryWorld, names, text_of
from tests.raising import raising

TICKETS = '''
from contextual_rag import Item

class Tickets:
    """The tickets of a queue: a file for each."""

    def __init__(self, folder: str) -> None:
        from pathlib import Path
        self.folder = Path(folder)

    def list(self):
        for path in sorted(self.folder.iterdir()):
            yield Item(path.stem, title=path.stem.capitalize(), date="2026-02-03", changed=str(path.stat().st_mtime_ns))

    def fetch(self, url):
        with (self.folder.parent / "asked").open("a") as asked:
            asked.write(f"{url} ")
        return (self.folder / f"{url}.txt").read_text(), "text/markdown"
'''


class Given:
    """Lists what it is given; fetches a text of each name, or raises what is given instead."""

    def __init__(self, listed: object = (), fetched: object = ("Some words.", "text/plain")) -> None:
        self.listed, self.fetched, self.asked = listed, fetched, [""]

    def list(self) -> Iterator[Item]:
        """List them."""
        if isinstance(self.listed, Exception):
            raise self.listed
        return iter(self.listed)  # type: ignore[call-overload, no-any-return]

    def fetch(self, url: str) -> tuple[bytes | str, str]:
        """Return the same for all."""
        self.asked.append(url)
        if isinstance(self.fetched, Exception):
            raise self.fetched
        return self.fetched  # type: ignore[return-value]


def own(source: Given) -> Own:
    return Own(source, name="mine", max_bytes=100)


class TestABuild:
    @pytest.fixture
    def world(self, tmp_path: Path) -> MemoryWorld:
        """A world whose file of sources names a class beside it, which has four tickets."""
        (tmp_path / "my_tickets.py").write_text(TICKETS)
        (tmp_path / "queue").mkdir()
        for name in names(4):
            (tmp_path / "queue" / f"{name}.txt").write_text(f"# {name}\n\n{text_of(name)}")
        file = tmp_path / "sources.toml"
        file.write_text(f'[tickets]\nclass = "my_tickets:Tickets"\noptions = {{ folder = "{tmp_path}/queue" }}\n')
        world = MemoryWorld(tmp_path)
        world.settings = world.settings.model_copy(update={"source_url": str(file)})
        return world

    def test_fetches_what_changed_and_nothing_else(self, world: MemoryWorld, tmp_path: Path) -> None:
        built = world.build()
        assert (built.state, built.essays, built.failed) == ("moved", 4, ())
        essays = world.registry.resolve().essays
        assert [(essay.slug, essay.url) for essay in essays] == [(name, f"tickets:{name}") for name in names(4)]
        assert world.indexes.open(world.registry.resolve()).essay("essay0")[0].date == "2026-02-03"
        assert world.build(days=1).version == built.version
        (tmp_path / "queue" / "essay2.txt").write_text(f"# essay2\n\n{text_of('other')}")
        assert world.build(days=2).moved
        assert (tmp_path / "asked").read_text().split() == [*names(4), "essay2"]

    def test_names_a_document_that_cannot_be_fetched_and_keeps_its_text(
        self, world: MemoryWorld, tmp_path: Path
    ) -> None:
        first = world.build().version
        (tmp_path / "queue" / "essay2.txt").write_bytes(b"\xff")
        built = world.build(days=1)
        assert [failure.url for failure in built.failed] == ["tickets:essay2"]
        assert (built.essays, built.version) == (4, first)


class TestWhatItLists:
    def test_keeps_an_address_of_the_web_and_gives_others_the_name_of_the_source(self) -> None:
        source = Given([Item("7"), Item("https://a.example/x?y=1", "X", changed="3"), Item("mine:7")])
        found = own(source).listing()
        assert [(one.url, one.title, one.change) for one in found.entries] == [
            ("mine:7", "7", None),
            ("https://a.example/x?y=1", "X", "3"),
            ("mine:mine:7", found.entries[2].slug, None),
        ]
        assert len({one.slug for one in found.entries}) == 3
        for one in found.entries:
            own(source).get(one.url)
        assert source.asked[1:] == ["7", "https://a.example/x?y=1", "mine:7"]

    def test_names_what_is_left_out(self) -> None:
        found = own(Given([Item("a"), Item("a", "Again"), Item(" "), Item("b\nc"), Item("http://[")])).listing()
        assert [one.url for one in found.entries] == ["mine:a"]
        assert len(found.elsewhere) == 4

    @pytest.mark.parametrize("listed", [ValueError("no queue"), [3], [("a", "b", "c", "d", "e")], 7, OSError("gone")])
    def test_that_is_none_is_named(self, listed: object) -> None:
        with raising(SourceError, "source", "mine"):
            own(Given(listed)).listing()

    @pytest.mark.parametrize("error", [SourceError("closed"), PageError("closed")])
    def test_may_say_itself_what_is_wrong(self, error: Exception) -> None:
        with raising(type(error), error.code, "closed"):  # type: ignore[attr-defined, type-var]
            own(Given(error)).listing()


class TestWhatItFetches:
    def test_is_text_or_bytes_with_a_media_type(self) -> None:
        for content in ("Wörter", "Wörter".encode()):
            found = own(Given(fetched=(content, "text/html"))).get("mine:1")
            assert (found.body.decode(), found.media_type, found.status) == ("Wörter", "text/html", 200)

    @pytest.mark.parametrize(
        ("fetched", "code"),
        [
            (KeyError("7"), "page"),
            ("no pair of the two", "page"),
            (("x", "image/png"), "page"),
            (("x" * 101, "text/plain"), "page_too_large"),
            ((None, "text/plain"), "page"),
        ],
    )
    def test_that_is_none_concerns_this_document_alone(self, fetched: object, code: str) -> None:
        with raising(PageError, code, "mine:7"):
            own(Given(fetched=fetched)).get("mine:7")


class TestAClass:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "class Mine: pass",
            "class Mine:\n  def __init__(self, x): pass",
            "import nothing_at_all",
            "class Mine(",
            "1/0",
        ],
    )
    def test_that_cannot_be_made_is_named(self, tmp_path: Path, text: str) -> None:
        module = f"a_source_of_{abs(hash(text))}"
        (tmp_path / f"{module}.py").write_text(text)
        with raising(SettingError, "setting", f"{module}:Mine"):
            own_source(f"{module}:Mine", {}, tmp_path)

    def test_that_is_nowhere_is_named(self, tmp_path: Path) -> None:
        with raising(SettingError, "setting", str(tmp_path)):
            own_source("nothing_of_the_kind:Mine", {}, tmp_path)
