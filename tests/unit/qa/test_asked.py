"""What a question asks for, and which texts supply it."""

from __future__ import annotations

import pytest

from contextual_rag.qa.asked import Kind, kind_of, plain, supplies


class TestKinds:
    @pytest.mark.parametrize(
        ("question", "kind"),
        [
            ("Who built the quay?", "who"),
            ("Which architect designed it?", "who"),
            ("When did she leave?", "when"),
            ("In which year was it built?", "when"),
            ("How many boats were there?", "amount"),
            ("What did they pay for the lens?", "amount"),
            ("Where was he born?", "where"),
            ("Why was the wall raised?", "why"),
            ("What are the advantages of ink?", "list"),
            ("What is a tide gauge?", "definition"),
            ("What did he say when she arrived?", "other"),
        ],
    )
    def test_are_told_by_how_a_question_asks(self, question: str, kind: Kind) -> None:
        assert kind_of(question) == kind

    @pytest.mark.parametrize(
        ("language", "question", "kind"),
        [
            ("de", "Wer hat den Kai gebaut?", "who"),
            ("de", "Wie alt war der Turm?", "amount"),
            ("de", "Was werden die Boote tragen?", "other"),
            ("es", "¿Cuántos barcos había?", "amount"),
            ("fr", "En quelle année est-elle partie ?", "when"),
            ("it", "Perché fu alzato il muro?", "why"),
            ("pt", "Onde nasceu ele?", "where"),
            ("ru", "Сколько было лодок?", "amount"),
            ("zh", "敲钟人是谁？", "who"),
            ("ja", "彼女はいつ出発しましたか", "when"),
            ("ar", "متى غادرت؟", "when"),
        ],
    )
    def test_are_told_in_other_languages_too(self, language: str, question: str, kind: Kind) -> None:
        assert kind_of(question, language) == kind

    @pytest.mark.parametrize(
        ("language", "kind", "has", "has_not"),
        [
            ("de", "amount", "Es waren vierzig Boote.", "Es waren viele Boote."),
            ("fr", "when", "Elle partit en août.", "Elle partit en hâte."),
            ("es", "why", "Lo alzaron porque hubo tormenta.", "Lo alzaron."),
            ("ru", "amount", "Было двадцать лодок.", "Было много лодок."),
            ("zh", "when", "她在三月离开。", "她匆忙离开。"),
        ],
    )
    def test_are_supplied_in_other_languages_too(self, language: str, kind: Kind, has: str, has_not: str) -> None:
        assert supplies(kind, has, "?", language)
        assert not supplies(kind, has_not, "?", language)

    @pytest.mark.parametrize(
        ("kind", "has", "has_not"),
        [
            ("who", "The quay was built by Amos Fell.", "The quay was built by somebody."),
            ("when", "She left in March 1902.", "She left in a hurry."),
            ("amount", "There were forty boats.", "There were a lot of boats."),
            ("where", "He was born in Corran.", "He was born early."),
            ("why", "It was raised because of the storm.", "It was raised."),
        ],
    )
    def test_are_supplied_by_texts_that_have_it(self, kind: Kind, has: str, has_not: str) -> None:
        assert supplies(kind, has, "What is asked?")
        assert not supplies(kind, has_not, "What is asked?")

    def test_are_not_supplied_by_what_the_question_has_itself(self) -> None:
        assert not supplies("who", "In time Amos Fell was forgotten.", "Who taught Amos Fell?")
        assert supplies("who", "In time Amos Fell learned it from Bo Lind.", "Who taught Amos Fell?")

    def test_a_definition_says_what_the_thing_is(self) -> None:
        asked = "What is a tide gauge?"
        assert supplies("definition", "They use what is called a tide gauge.", asked)
        assert supplies("definition", "A tide gauge is a post with marks.", asked)
        assert not supplies("definition", "The tide gauge broke in the storm.", asked)


class TestFiller:
    @pytest.mark.parametrize(
        ("question", "short"),
        [
            ("According to the text, why was it raised?", "why was it raised?"),
            ("What did the author do growing up?", "What did do growing up?"),
            ("Can you tell me who built the quay?", "who built the quay?"),
            ("What is in the essay about ink?", "What is about ink?"),
            ("What to do in the face of a storm?", "What to do about a storm?"),
        ],
    )
    def test_counts_nothing(self, question: str, short: str) -> None:
        assert plain(question) == short

    @pytest.mark.parametrize(
        "question",
        [
            "Who is the author of On Ink?",
            "How do you write an essay?",
            "Who built the quay?",
            "the essay",
            "Whose face was it?",
        ],
    )
    def test_is_not_what_a_question_is_about(self, question: str) -> None:
        assert plain(question) == question
