"""The name of the documents: both its forms are given, and questions about the collection understand it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contextual_rag.errors import SettingError
from contextual_rag.noun import Noun, call_documents, noun
from contextual_rag.qa.asked import plain
from contextual_rag.qa.collection import about_collection
from contextual_rag.settings import read_settings
from tests.raising import raising
from tests.small_world import SmallIndex, passage

CASES = SmallIndex([passage("The mill burned down.", "mill"), passage("A case of studies.", "studies")])


@pytest.fixture
def called() -> Iterator[None]:
    call_documents(Noun("case study", "case studies"))
    yield
    call_documents(Noun())


class TestTheSetting:
    def test_is_one_and_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_DOCUMENT_NOUN", " case study , case studies")
        settings = read_settings()
        assert settings.document_noun == Noun("case study", "case studies")
        assert settings.page_title == "Ask the case studies"

    def test_leaves_a_name_of_the_site_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_DOCUMENT_NOUN", "recipe,recipes")
        monkeypatch.setenv("RAG_SITE_NAME", "The Kitchen")
        assert read_settings().page_title == "The Kitchen"

    @pytest.mark.parametrize("value", ["recipe", "recipe,", "a,b,c", "<b>,<i>", "{many},x"])
    def test_is_refused_if_it_is_not_two_names(self, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAG_DOCUMENT_NOUN", value)
        with raising(SettingError, "setting", "RAG_DOCUMENT_NOUN"):
            read_settings()

    def test_is_essays_if_nothing_is_set(self) -> None:
        assert (noun().counted(1), noun().counted(2000)) == ("1 essay", "2,000 essays")


QUESTIONS = ["How many case studies are there?", "how many essays are there", "Which Case Study is about what?"]


@pytest.mark.usefixtures("called")
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_about_the_collection_may_use_the_name(question: str) -> None:
    assert str(about_collection(CASES, question)).startswith("2 case studies")


@pytest.mark.parametrize("question", [QUESTIONS[0], QUESTIONS[2]])
def test_words_that_are_not_their_name_are_what_is_asked_about(question: str) -> None:
    assert about_collection(CASES, question) is None


@pytest.mark.usefixtures("called")
def test_the_name_says_nothing_of_what_is_asked() -> None:
    assert plain("What do the case studies say about mills?") == plain("What do the essays say about mills?")
    assert "case studies" in plain("How are case studies written?")
