"""Questions about the collection are answered from its list of essays, and only those."""

from __future__ import annotations

import pytest

from contextual_rag.model import IndexedChunk
from contextual_rag.qa.collection import about_collection
from tests.small_world import SmallIndex, passage

SCHEMES = ("file", "upload", "s3")


def essay(title: str, date: str | None) -> IndexedChunk:
    return passage(f"About {title}.", title.lower()).model_copy(update={"title": title, "date": date})


ESSAYS = SmallIndex(
    [
        essay("On Ink", "March 2019"),
        essay("Fish Street", "May 2021, corrected June 2022"),
        essay("Small Tools", "2021-11-03"),
        essay("Plot Thirty-One", "12 May 2021"),
        essay("Untold", None),
    ]
)


def answered(question: str) -> str:
    return about_collection(ESSAYS, question) or ""


class TestCollection:
    @pytest.mark.parametrize(
        "question", ["How many essays are there?", "how many documents do you have", "List the texts"]
    )
    def test_its_size_and_span_are_told(self, question: str) -> None:
        assert "5 essays, from March 2019 to 2021-11-03" in answered(question)

    @pytest.mark.parametrize("question", ["What is the newest essay?", "What was written last?", "the latest article"])
    def test_its_newest_is_the_last_by_date(self, question: str) -> None:
        assert "Small Tools" in answered(question)

    def test_its_oldest_is_the_first_by_date(self) -> None:
        assert "On Ink" in answered("Which is the oldest essay?")

    def test_the_essays_of_a_month_or_a_year_are_named(self) -> None:
        assert answered("Which essays were written in May 2021?").count(";") == 1
        assert answered("How many essays were published in 2021?").startswith("3 essays")
        assert answered("What was written in 1999?") == "No essay is from 1999."

    def test_the_date_of_an_essay_is_told_by_its_title(self) -> None:
        assert answered("When was Plot Thirty-One written?") == "Plot Thirty-One: 12 May 2021."
        assert "no date" in answered("When was “Untold” published?")

    def test_its_author_is_not_made_up(self) -> None:
        assert "essays.example" in answered("Who wrote these essays?")
        files = [passage("It rains.", "rain").model_copy(update={"url": f"{kind}:rain.md"}) for kind in SCHEMES]
        for one in files:
            said = about_collection(SmallIndex([one]), "Who wrote it?") or ""
            assert said
            assert one.url not in said

    def test_its_authors_are_told_with_how_many_each_wrote(self) -> None:
        index = SmallIndex([essay("On Ink", None), essay("Fish Street", None), essay("Untold", None)])
        index.authors = {"on ink": ("Ann Lee",), "fish street": ("Bo Ray", "Ann Lee")}
        said = about_collection(index, "Who are the authors?") or ""
        assert "Ann Lee (2 essays); Bo Ray (1 essay)" in said
        assert "Without an author: 1 essay" in said
        # Many are counted, not listed.
        index.authors = {"untold": tuple(f"Writer {n}" for n in range(9))}
        said = about_collection(index, "Who wrote these essays?") or ""
        assert ("Writer 4" in said, "Writer 5" in said, "4 more" in said) == (True, False, True)

    @pytest.mark.parametrize(
        "question",
        [
            "What is an essay?",
            "How do you write an essay?",
            "Who wrote the essay on hackers?",
            "How many fish are there?",
            "When was the ink made?",
            "What was the last thing she wrote about boats?",
            "Who invented the essay?",
            "When did he buy ink on Fish Street?",
            "Why does she write essays?",
            "",
        ],
    )
    def test_other_questions_are_left_alone(self, question: str) -> None:
        assert about_collection(ESSAYS, question) is None

    def test_there_is_nothing_to_tell_of_no_essays(self) -> None:
        assert about_collection(SmallIndex([]), "How many essays are there?") is None
