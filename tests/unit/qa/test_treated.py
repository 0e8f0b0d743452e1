"""What an answer says that abstains: which essays treat of something that was asked, and of nothing else."""

from __future__ import annotations

import pytest

from contextual_rag.model import IndexedChunk
from contextual_rag.qa.answer import answer
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.prompt import nothing_found
from contextual_rag.qa.retrieve import Hit
from contextual_rag.qa.silence import silence
from tests.small_world import Says, SmallIndex, SmallVectors, WordCounts, passage


def titled(title: str, text: str, slug: str) -> IndexedChunk:
    return passage(text, slug).model_copy(update={"title": title})


CHUNKS = [
    titled("On Lamps", "He trimmed it at nine.", "lamps"),
    titled("The Ferry", "The lamp of the ferry. A lamp is a lamp. The ferry sank.", "ferry"),
    titled("Red Sails", "A ferry was seen once.", "sails"),
]


class Known(SmallIndex):
    """A version that knows the words of its chunks, without the endings of several and without small words."""

    def words(self, text: str, language: str = "en") -> list[str]:
        return [word.removesuffix("s") for word in super().words(text) if len(word) > 3]

    def rarity(self, word: str) -> float:
        said = [word in self.words(f"{one.title} {one.text}") for one in self._chunks.values()]
        return 1 / (1 + sum(said))


INDEX = Known(CHUNKS)
HITS = [Hit(chunk, 1.0, 1, None, None) for chunk in CHUNKS]


def said(question: str) -> str:
    text = silence(INDEX, question, HITS)
    assert text.startswith(nothing_found())
    return text.removeprefix(nothing_found()).strip()


class TestWhatIsTreated:
    @pytest.mark.parametrize(
        ("question", "word"),
        [
            ("What did the lamps cost?", "lamps"),
            ("Who lit the lamp in Lisbon?", "lamp"),
            ("How many lamps are there in Peru?", "lamps"),
            ("Lamps in Peru", "lamps"),
        ],
    )
    def test_is_named_by_a_word_of_the_question_with_those_first_whose_titles_have_it(
        self, question: str, word: str
    ) -> None:
        assert said(question) == f"About “{word}” there is: On Lamps; The Ferry."

    def test_of_several_words_is_that_of_a_title(self) -> None:
        assert said("Was there a lamp on the ferry?").startswith("About “ferry”")

    @pytest.mark.parametrize(
        "question",
        [
            "Who won the final in Lisbon?",
            "Wer gewann das Endspiel in Lissabon?",
            "東京の人口は？",
            "Did he trimmed it?",  # known, but no thing
            "What was the time in Peru?",  # a thing that is none
            "Who painted the Red Sea?",  # a part of a name
            "What is a nine?",  # stands there, and is not treated of
            "",
        ],
    )
    def test_is_never_named_if_no_essay_treats_of_a_thing_that_was_asked(self, question: str) -> None:
        assert not said(question)

    def test_is_never_that_of_essays_that_were_not_found(self) -> None:
        assert silence(INDEX, "What did the lamps cost?", HITS[2:]) == nothing_found()


class TestAnAnswer:
    def test_that_abstains_names_it_and_one_that_answers_does_not(self) -> None:
        def asked(reply: str, where: Filter | None = None) -> str:
            vectors = SmallVectors(CHUNKS)
            return answer(INDEX, vectors, WordCounts(), "What did the lamps cost?", chat=Says(reply), where=where).text

        assert asked(nothing_found()).endswith("About “lamps” there is: On Lamps; The Ferry.")
        assert asked("“A lamp is a lamp” [1].") == "“A lamp is a lamp” [1]."
        filtered = asked(nothing_found(), Filter(documents=("ferry",)))
        assert nothing_found() not in filtered
        assert filtered.endswith("About “lamps” there is: The Ferry.")
