"""An answer needs more evidence than unrelated questions find in the same version."""

from __future__ import annotations

import pytest

from contextual_rag.qa.evidence import Evidence, Scale, names_known, scale
from contextual_rag.qa.retrieve import Hit
from tests.small_world import SmallIndex, SmallVectors, WordCounts, passage

GOOD = Evidence(sentence=0.55, passage=0.45, near=0.8, words=4)
POOR = Evidence(sentence=0.3, passage=0.25, near=0.2, words=4)


class Rare(SmallIndex):
    """An index that knows the words of its chunks."""

    def rarity(self, word: str) -> float:
        return 1.0 if word and any(word in self.words(self.chunk(id_).text) for id_ in self.rows) else 2.0


HITS = [Hit(passage("Amos Fell built the quay of Corran."), 1.0, 1, 1, 0.2)]
INDEX = Rare([hit.chunk for hit in HITS])


class TestScale:
    def test_tells_good_evidence_from_poor(self) -> None:
        assert Scale(0.0, 0.2).answers(GOOD)
        assert not Scale(0.0, 0.2).answers(POOR)

    def test_asks_for_more_in_a_version_that_unrelated_questions_are_near_to(self) -> None:
        assert not Scale(0.0, 0.6).answers(GOOD)

    @pytest.mark.parametrize("zero", [0.3, 0.6])
    def test_does_not_depend_on_how_near_a_model_places_unrelated_texts(self, zero: float) -> None:
        def raised(found: Evidence) -> Evidence:
            return found._replace(
                sentence=zero + (1 - zero) * found.sentence, passage=zero + (1 - zero) * found.passage
            )

        raised_scale = Scale(zero, zero + (1 - zero) * 0.2)
        assert raised_scale.answers(raised(GOOD))
        assert not raised_scale.answers(raised(POOR))

    def test_a_word_alone_is_answered_where_it_stands(self) -> None:
        word = Evidence(sentence=0.2, passage=0.2, near=1.0, words=1, is_short=True)
        assert Scale(0.0, 0.2).answers(word)
        assert not Scale(0.0, 0.2).answers(word._replace(near=0.0))

    def test_words_alone_decide_in_other_languages_than_english(self) -> None:
        alike = Evidence(sentence=0.95, passage=0.9, near=0.1, words=3, only_words=True)
        assert not Scale(0.0, 0.2).answers(alike)
        assert Scale(0.0, 0.2).answers(alike._replace(near=0.3))
        assert Scale(0.0, 0.2).answers(alike._replace(only_words=False))

    def test_a_strange_name_speaks_against_an_answer(self) -> None:
        just = GOOD._replace(sentence=0.38, passage=0.3)
        assert Scale(0.0, 0.2).answers(just)
        assert not Scale(0.0, 0.2).answers(just._replace(is_strange=True))

    def test_is_that_of_the_version_and_its_model(self) -> None:
        chunks = [passage("Pandas eat bamboo, and knit a scarf of wool."), passage("Nothing.", "other")]
        empty, full = SmallIndex([]), SmallIndex(chunks)
        assert scale(empty, SmallVectors(), WordCounts()).background == 0
        assert scale(full, SmallVectors(chunks), WordCounts()).background > 0


class TestQuestionsInOtherLanguages:
    def test_are_answered_where_their_names_are(self) -> None:
        assert names_known(INDEX, "Wann hat Amos Fell den alten Kai von Corran gebaut?", HITS)

    def test_are_not_by_names_alone_if_an_essay_is_in_their_language(self) -> None:
        chunks = [hit.chunk.model_copy(update={"language": "de"}) for hit in HITS]
        question = "Wann hat Amos Fell den alten Kai von Corran gebaut?"
        assert not names_known(Rare(chunks), question, HITS)

    @pytest.mark.parametrize("question", ["Wie backe ich Brot mit Hefe?", "Who built the quay of Corran?", "Как дела?"])
    def test_are_not_without_names_nor_in_english_for_names_alone(self, question: str) -> None:
        assert not names_known(INDEX, question, HITS)
