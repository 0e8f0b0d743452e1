"""Small sites that went wrong once, each of a kind; they lie at ../shared/cases where they are at hand."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from contextual_rag import keys
from contextual_rag.adapters.http import Site
from contextual_rag.adapters.minilm import MiniLM
from contextual_rag.building.build import Built
from contextual_rag.model import Document, Source
from contextual_rag.objects import require
from contextual_rag.ports import Budget, EmbeddingModel
from contextual_rag.qa.answer import Answer, answer
from contextual_rag.qa.citations import check
from contextual_rag.readers.registry import MEDIA_TYPES
from contextual_rag.recipe import Recipe
from tests.conftest import ROOT
from tests.memory_world import MemoryWorld
from tests.small_world import passage

CASES = ROOT.parent / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not at ../shared/cases")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


class CaseWorld(MemoryWorld):
    """Stores in memory; the real HTTP client, the real readers, the real offline model."""

    def __init__(self, folder: Path, model: MiniLM) -> None:
        super().__init__(folder)
        self._model = model

    def embedding_model(self, recipe: Recipe, budget: Budget | None = None) -> EmbeddingModel:
        return self._model

    def site(self, source: str, part: Source | None = None) -> Any:
        return Site(source, user_agent="tests/1", min_interval_s=0, attempts=1, media_types=MEDIA_TYPES)


class Case:
    """A site that is served, what it becomes, and what it answers."""

    def __init__(self, world: CaseWorld, index_page: str) -> None:
        self._world = world
        self._index_page = index_page

    def build(self, *, days: int = 0) -> Built:
        return self._world.build(source=self._index_page, max_failed_share=1, days=days)

    @property
    def documents(self) -> dict[str, Document]:
        """The documents of the current version, by slug."""
        essays = self._world.registry.resolve().essays
        return {essay.slug: require(self._world.store, keys.document(essay.document), Document) for essay in essays}

    @property
    def text(self) -> str:
        return "\n".join(document.text for document in self.documents.values())

    def ask(self, question: str) -> Answer:
        index = self._world.indexes.open(self._world.registry.resolve())
        model = self._world.embedding_model(Recipe())
        return answer(index, self._world.vectors, model, question, chat=None, reranker=None)


Serve = Callable[[Path], Case]


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return MiniLM()


@pytest.fixture
def case(model: MiniLM, tmp_path: Path) -> Iterator[Serve]:
    """Serve a folder, and build what its index page lists."""
    with ExitStack() as stack:

        def built(folder: Path) -> Case:
            server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
            thread = Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            one = Case(CaseWorld(tmp_path, model), f"http://127.0.0.1:{server.server_port}/articles.html")
            one.build()
            return one

        yield built


class TestEachCase:
    def test_links_are_resolved_by_base(self, case: Serve) -> None:
        documents = case(CASES / "base_href").documents
        assert [d.url.partition("/essays/")[2] for d in documents.values() if "Agnes Thole" in d.text] == ["tides.html"]

    def test_a_form_around_or_in_a_text_loses_none_of_it(self, case: Serve) -> None:
        text = case(CASES / "form_wraps_or_unclosed").text
        assert [name for name in ("Hart of Leith", "Bartholomew Nix") if name not in text] == []

    def test_the_posts_are_followed_and_the_menu_is_not(self, case: Serve) -> None:
        assert set(case(CASES / "menu_list_beside_posts").documents) == {"tides", "lamps"}

    def test_the_text_is_where_most_of_it_is(self, case: Serve) -> None:
        text = case(CASES / "wrong_container").text
        assert [name for name in ("Pym", "Hart", "Salt") if name not in text] == []

    def test_an_essay_has_its_own_title(self, case: Serve) -> None:
        site = case(CASES / "one_title_for_all")
        assert sorted(d.title for d in site.documents.values()) == ["On Lamps", "On Tides"]
        cited = site.ask("Who lit the leading lamp of Marrowby?").citations[0].chunk
        assert cited is not None
        assert cited.title == "On Lamps"

    def test_what_is_no_essay_takes_no_essays_place(self, case: Serve, tmp_path: Path) -> None:
        folder = tmp_path / "site"
        shutil.copytree(CASES / "not_an_essay", folder, copy_function=shutil.copyfile)
        bad = (folder / "a.html").read_bytes()
        good = "The lamp of Marrowby was lit by Amos Quill in every night of the year, and nobody forgot it."
        (folder / "a.html").write_text(f"<html><title>Lamps</title><body><p>{good}</p></body></html>")
        os.utime(folder / "a.html", (0, 0))  # what is new has another date, though it follows within a second
        site = case(folder)
        (folder / "a.html").write_bytes(bad)
        again = site.build(days=1)
        assert good in site.documents["a"].text
        assert "Edwin Salt" in site.documents["b"].text
        assert {failure.slug for failure in again.failed} >= {"a", "c"}
        assert "c" not in site.documents

    def test_a_date_is_taken_only_where_it_is_one(self, case: Serve) -> None:
        document = case(CASES / "date_eats_first_words").documents["y"]
        assert (document.date, document.text[:17]) == (None, "1931 (the winter ")

    def test_superscripts_keep_their_sense(self, case: Serve) -> None:
        site = case(CASES / "sup_glued")
        assert "10^6" in site.text
        assert [glued for glued in ("water.3", "slate.1") if glued in site.text] == []
        assert "10^6" in site.ask("How much water does the wall of Penrose hold back?").text
        assert "cider" in site.ask("What did foreman Elias Crowe drink?").text

    def test_brackets_of_code_stay(self, case: Serve) -> None:
        question = "Where does the program of the harbour clerk read its first file name from?"
        quoted = [c.quote or "" for c in case(CASES / "note_marks_eat_code").ask(question).citations]
        assert any("argv[0]" in quote and "argv[1]" in quote for quote in quoted)

    def test_the_end_of_an_address_says_nothing(self, case: Serve) -> None:
        assert len(case(CASES / "dotted_addresses").documents) == 3

    def test_two_addresses_are_two_essays(self, case: Serve) -> None:
        assert len(case(CASES / "two_folders_one_name").documents) == 2

    def test_a_run_of_letters_costs_no_more_than_its_length(self, case: Serve, tmp_path: Path) -> None:
        folder = tmp_path / "site"
        shutil.copytree(CASES / "unspaced_run_cubic", folder, copy_function=shutil.copyfile)
        subprocess.run([sys.executable, "make.py"], cwd=folder, check=True)
        assert len(case(folder).documents) == 1

    @pytest.mark.parametrize(
        ("page", "codec"), [("mac", "mac_roman"), ("tr", "cp1254"), ("zh", "gbk"), ("sjis", "cp932")]
    )
    def test_bytes_are_read_as_browsers_do(self, case: Serve, page: str, codec: str) -> None:
        folder = CASES / "charset_labels"
        written = re.findall(r"<p>(.*?)</p>", (folder / f"{page}.html").read_bytes().decode(codec), re.DOTALL)[0]
        assert written.strip() in case(folder).documents[page].text

    def test_a_bad_byte_spoils_nothing_else(self, case: Serve) -> None:
        text = case(CASES / "charset_labels").documents["bad"].text
        assert text.replace("\ufffd", "", 1).strip() == "海边的灯塔建于一九二零年。"

    def test_a_sentence_ends_where_it_ends(self, case: Serve) -> None:
        found = case(CASES / "abbreviations_cut_quotes").ask("Who designed the inner harbour of Gull Sound?")
        assert "St. Ives in 1902" in found.text

    def test_whatever_answers_is_quoted(self, case: Serve) -> None:
        site = case(CASES / "beyond_320_characters")
        assert "lens" in site.ask("What should be insured in Amsterdam for four thousand guilders?").text
        assert "ferrywoman" in site.ask("Who lost her brass compass in the lock at Tidewell?").text

    def test_other_scripts_are_found_and_quoted(self, case: Serve) -> None:
        site = case(CASES / "other_scripts")
        assert "林阿福" in site.ask("敲钟人是谁？").text
        assert "Саар" in site.ask("Кто командовал шхуной?").text
        assert "יוסף" in site.ask("מי הדליק את האור בכל ערב?").text

    def test_what_browsers_show_is_read(self, model: MiniLM, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        server = subprocess.Popen([sys.executable, CASES / "http_lenience" / "server.py", str(port)])
        try:
            site = Case(CaseWorld(tmp_path, model), f"http://127.0.0.1:{port}/odd/articles.html")
            while not _listens(port):
                assert server.poll() is None
            site.build()
            shown = {"gztrail", "cenc", "cencnone", "xhtml", "twotype", "s203", "deflate"}
            assert (shown - site.documents.keys(), "cut" in site.documents) == (set(), False)
        finally:
            server.kill()
            server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


_ESSAYS = (
    "The lamp on the pier was lit by hand. "
    "The \ufb01rst o\ufb03ce \ufb02ooded. It is a non\u2011stop job at \u22125 degrees.",
    "The bell rang at nine every evening.",
)


@pytest.mark.parametrize(
    ("said", "states"),
    [
        (
            "“The lamp on the pier was lit by hand” [1]. It adds that “the lamp was cast of solid gold in 1900”.",
            [True, False],
        ),
        ("“The lamp on the pier was lit by hand” and «it was cast of solid gold» [1]", [True, False]),
        (
            "[1] says “The lamp on the pier was lit by hand”, and [2] says “The bell rang at nine every evening”.",
            [True, True],
        ),
        ("Use `a[0]`, `a[9]`; p is in [0, 1]. [1]", [None]),
        ("```\ny = a[7]\n```\n[1]", [None]),
        ("Lit by hand 【1】, [^1], [1-2], [1; 2], [Passage 2].", [None, None]),
        ("“The first office flooded” [1]", [True]),
        ("“a non-stop job at -5 degrees” [1]", [True]),
        ("“The **lamp** on the pier was lit by hand” [1]", [True]),
    ],
)
def test_quotations_are_looked_up(said: str, states: list[bool | None]) -> None:
    _, cited = check(said, [passage(text) for text in _ESSAYS])
    assert [one.verified if one.quote else None for one in cited] == states
