"""Which documents a question is asked of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contextual_rag.adapters.index_files import IndexFiles, write
from contextual_rag.adapters.memory_vectors import MemoryVectors
from contextual_rag.errors import QuestionError, UnknownDocumentError
from contextual_rag.model import IndexedChunk
from contextual_rag.qa.answer import answer
from contextual_rag.qa.filters import Filter, document_named, narrowed, type_of, when
from contextual_rag.qa.prompt import nothing_found
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe
from tests.raising import raising
from tests.small_world import Says, WordCounts, passage

WORDS = ("harbour", "lamp", "salt", "tide", "wick", "ledger")
DATES = (None, "March 2019", "2020", "2021-07-05", "5 July 2021", "November 2004, corrected June 2019", "in spring")
ENDINGS = ("", ".html", ".pdf", ".md", ".PDF")


def row(n: int, text: str, ending: str = ".html", day: str | None = None) -> IndexedChunk:
    """The first chunk of the nth document."""
    chunk = passage(text, f"doc-{n}", chunk_id=f"{n:032x}")
    return chunk.model_copy(update={"url": f"https://essays.example/doc-{n}{ending}", "date": day})


def opened(rows: Sequence[IndexedChunk], folder: Path, sources: Sequence[str] = ("blog",)) -> IndexFiles:
    """The version of these rows; the sources take turns."""
    for name, body in write(rows, Recipe()).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    by_slug = {chunk.slug: sources[n % len(sources)] for n, chunk in enumerate(rows)}
    return IndexFiles(folder, "2026-01-01-00000000", Recipe(), Ranking(per_essay=None), sources=by_slug)


def stored(rows: Sequence[IndexedChunk]) -> MemoryVectors:
    """The vectors of these rows."""
    vectors = MemoryVectors()
    if rows:
        matrix, _ = WordCounts().embed([chunk.embedded_text for chunk in rows], kind="passage")
        vectors.upsert(Recipe().collection, [chunk.chunk_id for chunk in rows], matrix)
    return vectors


ROWS = [
    row(0, "harbour lamp salt", ".html", "March 2019"),
    row(1, "harbour harbour tide", ".pdf", "2021-07-05"),
    row(2, "lamp wick ledger", "", "2020"),
    row(3, "tide table harbour", ".PDF"),
    row(4, "salt salt ledger", ".md", "5 July 2021"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> IndexFiles:
    """Five documents of two sources."""
    return opened(ROWS, tmp_path_factory.mktemp("version"), ("blog", "manual"))


def slugs(index: IndexFiles, **where: object) -> str:
    """The numbers of the documents that match."""
    return "".join(sorted(slug.removeprefix("doc-") for slug in narrowed(index, Filter(**where)).essays))


class TestNames:
    def test_of_documents_are_slugs_addresses_or_titles_in_any_case(self, index: IndexFiles) -> None:
        names = ("doc-0", "https://essays.example/doc-1.pdf", "DOC-2", "Doc-4")
        assert slugs(index, documents=names) == "0124"

    def test_of_sources_and_types_are_found_in_any_case(self, index: IndexFiles) -> None:
        assert slugs(index, sources=("Blog",)) == "024"
        assert slugs(index, types=("Pdf",)) == "13"
        assert slugs(index, types=("html", "md")) == "024"

    def test_of_each_kind_narrow_together(self, index: IndexFiles) -> None:
        assert slugs(index, sources=("manual",), types=("pdf",), since=date(2000, 1, 1)) == "1"
        assert slugs(index, sources=("blog",), types=("pdf",)) == ""

    @pytest.mark.parametrize(
        ("where", "code", "near"),
        [
            ({"documents": ("dok-1",)}, "unknown_document", "doc-1"),
            ({"sources": ("manuel",)}, "unknown_document_source", "manual"),
            ({"sources": ("zzz",)}, "unknown_document_source", "blog"),
            ({"types": ("docx",)}, "unknown_document_type", "md"),
        ],
    )
    def test_that_are_unknown_are_refused_with_those_near_them(
        self, index: IndexFiles, where: dict[str, tuple[str, ...]], code: str, near: str
    ) -> None:
        with raising(UnknownDocumentError, code, near):
            narrowed(index, Filter(**where))

    @pytest.mark.parametrize("names", [("",), (" ",), ("x" * 2001,), ("x",) * 101])
    def test_are_never_empty_too_long_or_too_many(self, names: tuple[str, ...]) -> None:
        with pytest.raises(ValidationError):
            Filter(documents=names)

    def test_that_a_filter_does_not_have_are_never_ignored(self) -> None:
        with pytest.raises(ValidationError):
            Filter.model_validate({"document": ["doc-0"]})

    def test_of_one_document_lead_to_it(self, index: IndexFiles) -> None:
        assert document_named(index, "DOC-3") == "doc-3"
        with raising(UnknownDocumentError, "unknown_document"):
            document_named(narrowed(index, Filter(documents=("doc-0",))), "doc-3")

    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("https://a.example/x.pdf?page=2.md#a.txt", "pdf"),
            ("https://a.example/x.PDF", "pdf"),
            ("https://a.example/v1.2/x", "html"),
            ("https://a.example/3.14", "html"),
            ("https://a.example", "html"),
            ("https://a.example/.md", "html"),
            ("file:///notes/today.tar.md", "md"),
        ],
    )
    def test_of_a_type_are_endings_of_addresses(self, url: str, kind: str) -> None:
        assert type_of(url) == kind


class TestDates:
    @pytest.mark.parametrize(
        ("since", "until", "found"),
        [
            (None, date(2019, 3, 31), "0"),
            (None, date(2019, 3, 1), "0"),
            (None, date(2019, 2, 28), ""),
            (date(2019, 3, 31), None, "0124"),
            (date(2019, 4, 1), None, "124"),
            (date(2020, 12, 31), date(2021, 7, 4), "2"),
            (date(2021, 7, 5), date(2021, 7, 5), "14"),
            (date(2021, 7, 6), None, ""),
        ],
    )
    def test_of_a_range_belong_to_it_and_a_month_has_all_its_days(
        self, index: IndexFiles, since: date | None, until: date | None, found: str
    ) -> None:
        assert slugs(index, since=since, until=until) == found

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("14 March 2019", (2019, 3, 14)),
            ("March 14, 2019", (2019, 3, 14)),
            ("3 Nov. 2019", (2019, 11, 3)),
            ("2019-03-14T10:00Z", (2019, 3, 14)),
            ("2019/3/14", (2019, 3, 14)),
            ("2019-03", (2019, 3, 0)),
            ("November 2004, corrected June 2006", (2004, 11, 0)),
            ("1998-2003", (1998, 0, 0)),
            ("summer 2019", (2019, 0, 0)),
            ("long ago", (0, 0, 0)),
            ("", (0, 0, 0)),
        ],
    )
    def test_are_read_as_far_as_they_say(self, text: str, found: tuple[int, int, int]) -> None:
        assert when(text) == found

    def test_of_no_document_are_in_no_range(self, index: IndexFiles) -> None:
        assert "3" not in slugs(index, since=date.min, until=date.max)

    def test_that_end_before_they_begin_are_refused(self, index: IndexFiles) -> None:
        with raising(QuestionError, "question_range"):
            narrowed(index, Filter(since=date(2020, 1, 2), until=date(2020, 1, 1)))


class TestNothingToFilterBy:
    def test_leaves_the_version_as_it_is(self, index: IndexFiles) -> None:
        assert narrowed(index, None) is index
        assert narrowed(index, Filter()) is index
        assert not Filter()

    def test_is_never_said_of_what_leaves_something_out(self) -> None:
        assert Filter(types=("pdf",))
        assert Filter(until=date(2020, 1, 1))


class TestAnswers:
    def test_say_of_what_they_are_given(self, index: IndexFiles) -> None:
        where = Filter(types=("pdf",))
        found = answer(index, stored(ROWS), WordCounts(), "harbour", chat=Says("Tides [1]."), where=where)
        assert (found.where, {hit.chunk.slug for hit in found.hits}) == (where, {"doc-1", "doc-3"})

    def test_of_some_documents_never_say_that_the_others_have_none(self, index: IndexFiles) -> None:
        where = Filter(types=("pdf",), since=date(2021, 1, 1))
        found = answer(index, stored(ROWS), WordCounts(), "lamp", chat=Says(nothing_found()), where=where)
        assert found.abstained
        assert nothing_found() not in found.text
        assert "one essay" in found.text
        assert where.summary in found.text
        assert found.nearest

    def test_of_all_documents_are_as_before(self, index: IndexFiles) -> None:
        found = answer(index, stored(ROWS), WordCounts(), "lamp", chat=Says(nothing_found()))
        assert (found.text, found.where) == (nothing_found(), None)

    def test_of_no_document_ask_no_model_and_say_that_none_matches(self, index: IndexFiles) -> None:
        chat, where = Says("Anything."), Filter(since=date(2030, 1, 1))
        found = answer(index, stored(ROWS), WordCounts(), "lamp", chat=chat, where=where)
        assert (found.hits, chat.asked) == ([], [])
        assert found.abstained
        assert where.summary in found.text


TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
DOCUMENTS = st.lists(st.tuples(TEXTS, st.sampled_from(ENDINGS), st.sampled_from(DATES)), min_size=1, max_size=12)


class TestSearching:
    @settings(max_examples=25, deadline=None)
    @given(DOCUMENTS, st.sets(st.sampled_from(["html", "pdf", "md"]), min_size=1), TEXTS, st.integers(1, 5))
    def test_some_documents_finds_them_as_a_search_of_all_ranks_them(
        self, documents: list[tuple[str, str, str | None]], types: set[str], question: str, k: int
    ) -> None:
        rows = [row(n, f"{text} n{n}", ending, day) for n, (text, ending, day) in enumerate(documents)]
        with TemporaryDirectory() as folder:
            index, vectors = opened(rows, Path(folder)), stored(rows)
            wanted = {chunk.chunk_id for chunk in rows if type_of(chunk.url) in types}
            known = {type_of(chunk.url) for chunk in rows}
            part = narrowed(index, Filter(types=tuple(types & known))) if types & known else index.within(frozenset())
            assert {chunk_id for slug in part.essays for chunk_id in part.order[slug]} == set(part.rows) == wanted
            everything = index.keyword_search(question, len(rows))
            assert part.keyword_search(question, k) == [hit for hit in everything if hit[0] in wanted][:k]
            vector = WordCounts().embed([question], kind="query")[0][0]
            nearest = vectors.search(index.collection, vector, len(rows), among=index.rows)
            assert (
                vectors.search(part.collection, vector, k, among=part.rows)
                == [hit for hit in nearest if hit[0] in wanted][:k]
            )
            found = retrieve(part, vectors, WordCounts(), question, k=k)
            assert {hit.chunk.chunk_id for hit in found} <= wanted
            assert len(found) == min(k, len(wanted))
            assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)

    def test_all_documents_is_never_changed_by_a_search_of_some(self, index: IndexFiles) -> None:
        before = retrieve(index, stored(ROWS), WordCounts(), "harbour lamp")
        retrieve(narrowed(index, Filter(types=("md",))), stored(ROWS), WordCounts(), "harbour lamp")
        assert retrieve(index, stored(ROWS), WordCounts(), "harbour lamp") == before
        assert len(before) == len(ROWS)

    def test_the_same_documents_again_finds_the_same_part(self, index: IndexFiles) -> None:
        where = Filter(types=("pdf",))
        assert narrowed(index, where) is narrowed(index, where)
        ranked = index.ranked(Ranking(keyword_weight=1.0))
        assert narrowed(ranked, where).ranking.keyword_weight == 1.0

    def test_a_part_of_a_part_is_in_both(self, index: IndexFiles) -> None:
        part = narrowed(narrowed(index, Filter(types=("pdf",))), Filter(since=date(2020, 1, 1)))
        assert list(part.essays) == ["doc-1"]
        assert np.count_nonzero([score for _, score in part.keyword_search("harbour tide", 9)]) == 1
