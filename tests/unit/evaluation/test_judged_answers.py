"""What answers come to: right, cited, rightly none; and how two results compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from contextual_rag.adapters.together import Together
from contextual_rag.adapters.together_chat import TogetherChat
from contextual_rag.evaluation.answers import AnswerReport, Judged, Outcome, answer_question, compared, judge
from contextual_rag.evaluation.datasets import Question
from contextual_rag.evaluation.statements import supported_by_model
from contextual_rag.qa.answer import Answer, checked
from contextual_rag.qa.prompt import nothing_found
from contextual_rag.qa.retrieve import Hit
from tests.servers.together import DEFAULT_KEY, TogetherServer
from tests.small_world import Says, SmallIndex, SmallVectors, WordCounts, passage

JUG = passage("We drew that jug for eleven weeks. Each drawing was thrown away.", "jug")
BOAT = passage("The boat was painted blue by Sim Pallister.", "boat", chunk_id="b0")
PASSAGES = [JUG, BOAT]
WEEKS = Question(question="How many weeks was the jug drawn?", holds=("eleven|11",))
UNTOLD = Question(question="Who bought the jug?", kind="untold")


def answered(text: str) -> Answer:
    """Return an answer from both passages, as the project checks it."""
    found = checked(text, PASSAGES)
    hits = [Hit(one, 1.0, 1, 1, 0.5) for one in PASSAGES]
    return Answer(found.text, found.abstained, found.citations, hits, "v", {"retrieve": 2.0, "answer": 3.0})


def outcome(question: Question, text: str) -> Outcome:
    return Outcome.of(question, answered(text), judge(question, answered(text)))


ask = partial(answer_question, SmallIndex(PASSAGES, [JUG.chunk_id]), SmallVectors(PASSAGES), WordCounts())


class TestAnAnswer:
    def test_is_right_if_it_holds_the_words_wherever_they_stand(self) -> None:
        found = judge(WEEKS, answered("“The boat was painted blue” [2]. “We drew that jug for eleven weeks.” [1]"))
        assert found.figures == {
            "answered": 1,
            "answered_first": 0,
            "replied": 1,
            "citation_recall_by_words": 1,
            "citation_precision_by_words": 1,
            "grounded_by_words": 1,
        }
        assert found.wrong is None

    def test_is_right_at_once_if_the_first_quotation_holds_them_or_without_one_the_first_statement(self) -> None:
        for text in (
            "“We drew that jug for eleven weeks.” [1] “The boat was painted blue” [2]",
            "For eleven weeks [1].",
        ):
            assert judge(WEEKS, answered(text)).figures["answered_first"] == 1

    def test_is_not_right_by_the_number_of_a_citation(self) -> None:
        two = Question(question="How many boats?", holds=("2",))
        found = judge(two, answered("“The boat was painted blue” [2]"))
        assert [found.figures[name] for name in ("answered", "answered_first", "replied")] == [0, 0, 1]
        assert found.wrong == "lacks 2"

    def test_that_is_none_counts_as_no_reply_and_says_nothing_about_citations(self) -> None:
        assert judge(WEEKS, answered(nothing_found())) == Judged(
            {"answered": 0, "answered_first": 0, "replied": 0}, "no answer"
        )

    def test_that_is_none_is_right_for_what_is_untold_and_any_other_is_not(self) -> None:
        assert judge(UNTOLD, answered(nothing_found())) == Judged({"silent": 1}, None)
        loud = judge(UNTOLD, answered("“The boat was painted blue” [2]"))
        assert loud.figures["silent"] == 0
        assert loud.wrong


class TestAsking:
    def test_a_follow_up_comes_after_the_answer_before_it(self) -> None:
        chat = Says('It took "eleven weeks" [1].')
        question = Question(question="And who painted it?", holds=("Sim",), after="What was drawn?")
        ask(question, chat=chat)
        before, rewriting, asked = chat.asked
        assert "What was drawn?" in before[1].content
        assert all(
            words in rewriting[1].content for words in ("What was drawn?", "eleven weeks", "And who painted it?")
        )
        assert chat.text in asked[1].content, "the rewritten question, which this model makes of everything"

    def test_that_is_refused_counts_as_no_answer(self) -> None:
        with TogetherServer() as server:
            server.fault("refusal", times=9)
            with closing(Together(DEFAULT_KEY, base_url=server.url)) as provider:
                assert ask(WEEKS, chat=TogetherChat(provider, "thinking-field")).abstained


class TestModels:
    """A good one, one that cites carelessly, and one that invents."""

    FIGURES = ("answered", "citation_recall", "citation_precision", "grounded")

    @pytest.fixture
    def provider(self) -> Iterator[Together]:
        with TogetherServer() as server, closing(Together(DEFAULT_KEY, base_url=server.url)) as provider:
            yield provider

    @pytest.mark.parametrize(
        ("model", "figures"),
        [
            ("meta-llama/Llama-3.3-70B-Instruct-Turbo", (1, 1, 1, 1)),
            ("careless-test", (1, 0, 0, 1)),
            ("lying-test", (0, 0, 0, 0)),
        ],
    )
    def test_are_told_apart_by_rule_and_by_a_judge(
        self, provider: Together, model: str, figures: tuple[float, ...]
    ) -> None:
        question = Question(question="How many weeks was the jug drawn, and who painted the boat?", holds=("eleven",))
        judging = supported_by_model(TogetherChat(provider, "meta-llama/Llama-3.2-3B-Instruct-Turbo"))
        found = judge(question, ask(question, chat=TogetherChat(provider, model)), judging)
        for by in ("words", "model"):
            names = [name if name == "answered" else f"{name}_by_{by}" for name in self.FIGURES]
            assert tuple(found.figures[name] for name in names) == figures
        assert (found.wrong is None) is (model not in {"careless-test", "lying-test"})


class TestAReport:
    REPORT = AnswerReport(
        version="v",
        chat="offline/quotes",
        answers=(
            outcome(WEEKS, "“We drew that jug for eleven weeks.” [1]"),
            outcome(WEEKS.model_copy(update={"question": "How long?", "kind": "short"}), nothing_found()),
            outcome(UNTOLD, nothing_found()),
        ),
    )

    def test_means_each_figure_over_the_questions_that_have_it(self) -> None:
        shown = self.REPORT.as_json()
        assert (shown["questions"], shown["answered"], shown["silent"]) == (3, 0.5, 1)
        assert shown["citation_recall_by_words"] == 1, "of the only reply"
        assert shown["intervals"]["answered"] == [0, 1]
        assert {kind: one["questions"] for kind, one in shown["kinds"].items()} == {"fact": 1, "short": 1, "untold": 1}
        assert "silent" not in shown["kinds"]["fact"]
        assert (shown["words"], shown["milliseconds"], shown["cost_usd"]) == (7, 5, 0)

    def test_is_read_again_as_it_was_stored(self) -> None:
        assert AnswerReport.model_validate(self.REPORT.as_json()) == self.REPORT

    def test_compares_question_by_question_what_both_have(self) -> None:
        one, two, three = self.REPORT.answers
        worse = self.REPORT.model_copy(
            update={"answers": (outcome(UNTOLD, "“The boat was painted blue” [2]"), outcome(WEEKS, "Ten [1]."))}
        )
        found, changed = compared(self.REPORT, worse)
        assert (found["answered"].won, found["answered"].mean) == (1, 1)
        assert (found["silent"].won, found["silent"].tied) == (1, 0)
        assert [a for a, _ in changed] == [one, three]
        assert compared(self.REPORT, self.REPORT)[1] == []
        assert compared(self.REPORT, self.REPORT.model_copy(update={"answers": ()})) == ({}, [])
        assert two.wrong == "no answer"
