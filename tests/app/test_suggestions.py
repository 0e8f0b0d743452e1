"""Which questions the page offers after an answer."""

from __future__ import annotations

from contextual_rag.evaluation.datasets import Question, Reference
from streamlit_app.suggestions import answerable, related


def about(question: str, *slugs: str, after: str | None = None) -> Question:
    return Question(
        question=question, after=after, references=tuple(Reference(slug=s, content="It is.") for s in slugs)
    )


QUESTIONS = [about("Who kept a log?", "log"), about("What is the jug?", "jug"), about("Why a log?", "log")]


class TestAnswerable:
    def test_are_those_whose_essays_are_all_there(self) -> None:
        assert answerable(QUESTIONS, {"log"}) == [QUESTIONS[0], QUESTIONS[2]]

    def test_never_those_of_which_an_essay_lacks_or_that_follow_another(self) -> None:
        assert answerable([about("Both?", "log", "jug"), about("And he?", "log", after="Who?")], {"log"}) == []
        assert answerable([Question(question="Is it foreign?", kind="foreign")], {"log"}) == []


class TestRelated:
    def test_are_of_the_essays_that_are_cited_the_first_of_them_first(self) -> None:
        assert related(QUESTIONS, [], ["jug", "log"], 3) == ["What is the jug?", "Who kept a log?", "Why a log?"]

    def test_are_at_most_so_many(self) -> None:
        assert related(QUESTIONS, [], ["jug", "log"], 1) == ["What is the jug?"]

    def test_never_ask_again_what_was_asked_nor_of_other_essays(self) -> None:
        assert related(QUESTIONS, ["who kept  a LOG?"], ["log"], 3) == ["Why a log?"]
        assert related(QUESTIONS, [], ["nowrite"], 3) == []
