"""Which measure a question asks for, and which texts have one."""

from __future__ import annotations

import pytest

from contextual_rag.qa.measured import Measure, has_measure, measure_of
from contextual_rag.qa.quotes import quote
from contextual_rag.qa.retrieve import Hit
from tests.small_world import SmallIndex, WordCounts, passage


class TestMeasures:
    @pytest.mark.parametrize(
        ("question", "measure"),
        [
            ("How many boats did the town have?", "count"),
            ("How much did they pay for the lens?", "money"),
            ("What did the lens cost?", "money"),
            ("How old was the keeper?", "age"),
            ("How long did the storm last?", "span"),
            ("Which share of the boats sank?", "share"),
            ("When did the tower fall?", "date"),
            ("In which village was she born?", "place"),
            ("What is the name of the harbour master?", "name"),
            ("What was the oldest boat called?", "name"),
        ],
    )
    def test_are_asked_for(self, question: str, measure: Measure) -> None:
        assert measure_of(question) == measure

    @pytest.mark.parametrize(
        "question",
        [
            "Why do people pay for old boats?",
            "When should a log be written?",
            "How do many boats leave the quay?",
            "What did she say about the village?",
            "How many boats were there, and who built them?",
        ],
    )
    def test_are_not_what_other_questions_ask_for(self, question: str) -> None:
        assert measure_of(question) is None

    @pytest.mark.parametrize(
        ("question", "has", "has_not"),
        [
            ("How many boats were there?", "The town had forty old boats.", "In 1902 the boats came back."),
            ("How many keepers worked there?", "There were 3 keepers.", "The second keeper left."),
            ("How much did the lens cost?", "It took all of $300.", "It took all of 300 men."),
            ("How much did they earn?", "They got two hundred pounds.", "They got two hundred letters."),
            ("How old was she?", "She was twelve when it fell.", "She was tired when it fell."),
            ("How long did it last?", "It blew for three whole days.", "It blew from the north."),
            ("What share was lost?", "A third of it was gone.", "Much of it was gone."),
            ("When did it fall?", "It fell in the winter of the war.", "It fell when nobody looked."),
            ("In which town was she born?", "She was born in Corran.", "She was born in the morning."),
            ("What is the name of her son?", "Her son, little Piet, can swim.", "Her son can swim like Piet."),
            ("What was the firm called?", "We hired a firm called Moss.", "We hired a good firm in May."),
        ],
    )
    def test_stand_in_some_texts(self, question: str, has: str, has_not: str) -> None:
        measure = measure_of(question)
        assert measure
        assert has_measure(measure, has, question)
        assert not has_measure(measure, has_not, question)

    def test_are_not_those_of_the_question_itself(self) -> None:
        asked = "When did the tower of 1902 fall?"
        assert not has_measure("date", "The tower was built in 1902.", asked)
        assert has_measure("date", "The tower was built in 1902 and fell in 1931.", asked)


class TestEvidence:
    def near(self, question: str, *texts: str) -> float:
        passages = [passage(text, f"e{n}") for n, text in enumerate(texts)]
        hits = [Hit(one, 1.0, 1, 1, 0.5) for one in passages]
        return quote(SmallIndex(passages), question, hits, WordCounts()).evidence.near

    def test_of_a_measure_is_where_the_measure_stands(self) -> None:
        asked = "How much did the lens cost?"
        told = self.near(asked, "The lens cost them $300.", "He walked for days.")
        untold = self.near(asked, "The lens cost them dearly.", "He walked for days, and lost $300.")
        assert untold < told

    def test_of_anything_else_is_where_its_words_stand(self) -> None:
        asked = "Why did the lens break?"
        assert self.near(asked, "The lens did break in the frost.", "He lost $300.") > 0.6

    def test_of_two_questions_is_where_the_words_of_either_stand(self) -> None:
        asked = "How much did the lens cost, and why did it break?"
        assert self.near(asked, "The lens did break in the frost, and it cost them dearly.") > 0.6
