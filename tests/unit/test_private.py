"""What is open to this machine alone, and which addresses of it a run may fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contextual_rag.building.fetch import list_source
from contextual_rag.commands.page import check_listening
from contextual_rag.errors import SettingError, SourceError
from contextual_rag.model import Source
from contextual_rag.settings import read_settings
from contextual_rag.wiring import World
from tests.raising import raising
from tests.servers.faulty_site import FaultySite, page

INDEX = b'<ul><li><a href="one.html">One</a></li><li><a href="two.html">Two</a></li></ul>'


class TestThePageWithoutLogin:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "0", "my-machine", "localhost.example.org"])
    def test_does_not_listen_to_other_machines(self, host: str) -> None:
        with raising(SettingError, "setting_login", "RAG_AUTH"):
            check_listening(host, read_settings())
        check_listening(host, read_settings(auth="oidc"))

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.5"])
    def test_listens_to_this_machine(self, host: str) -> None:
        check_listening(host, read_settings())


def listed(site: FaultySite, *, any_source: bool, **settings: Any) -> int:
    """Return how many essays a run finds on a site of this machine that it names as its source."""
    site.routes["/list.html"] = page(INDEX)
    world = World(read_settings(page_attempts=1, **settings), any_source=any_source)
    source = Source.at(site.url("/list.html"))
    with world.site(source.url) as client:
        return len(list_source(client, source).entries)


class TestASourceOnThisMachine:
    def test_that_a_run_names_is_refused_unasked(self) -> None:
        with FaultySite() as site, FaultySite() as other:
            for settings in ({}, {"source_url": other.url("/list.html")}, {"source_hosts": (other.url(""),)}):
                with raising(SourceError, "source", "RAG_SOURCE_HOSTS"):
                    listed(site, any_source=False, **settings)
            assert not site.seen

    def test_that_the_settings_name_is_fetched(self) -> None:
        with FaultySite() as site:
            assert listed(site, any_source=False, source_url=site.url("/another.html")) == 2
            assert listed(site, any_source=False, source_hosts=(f"127.0.0.1:{site.port}",)) == 2

    def test_that_the_command_line_names_is_fetched(self) -> None:
        with FaultySite() as site:
            assert listed(site, any_source=True) == 2


class TestAFolderOfThisMachine:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder with a page."""
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "a.md").write_text("# A\n\nA note.")
        return tmp_path / "notes"

    @pytest.mark.parametrize("form", ["{0}", "file://{0}", "file:{0}", "FILE://localhost{0}", "{0}/../notes"])
    def test_that_a_run_names_is_refused_unread_however_it_is_written(self, folder: Path, form: str) -> None:
        other = folder.parent.as_uri()
        for settings in ({}, {"source_url": other}, {"source_hosts": (str(folder),)}):
            with raising(SourceError, "source_folder", "RAG_SOURCE_URL"):
                World(read_settings(**settings), any_source=False).site(form.format(folder))

    def test_that_the_settings_or_the_command_line_name_is_read(self, folder: Path) -> None:
        source = Source.at(folder.as_uri())
        settings = read_settings(source_url=folder.as_uri())
        for world in (World(settings, any_source=False), World(read_settings())):
            with world.site(source.url) as site:
                assert [entry.slug for entry in list_source(site, source).entries] == ["a"]

    def test_of_another_machine_is_none(self) -> None:
        with raising(SourceError, "source", "elsewhere"):
            World(read_settings()).site("file://elsewhere/notes")
