"""Answers have checked citations, or abstain."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.errors import RefusalError
from contextual_rag.model import IndexedChunk
from contextual_rag.ports import ChatModel, Completion, Message, Usage
from contextual_rag.qa.answer import Answer, answer
from contextual_rag.qa.prompt import nothing_found
from tests.small_world import Says, SmallIndex, SmallVectors, WordCounts, passage

CHUNKS = [
    passage("He kept a log of tides. It came to 2,480 entries [1] in all.", "log"),
    passage("The jug on the shelf is ugly. I drink from it.", "jug", start=30),
    passage("Nobody in the town would write anything down.", "nowrite"),
]


def ask(question: str, chat: ChatModel | None = None, chunks: Sequence[IndexedChunk] = CHUNKS) -> Answer:
    return answer(SmallIndex(chunks), SmallVectors(chunks), WordCounts(), question, chat=chat)


class TestAbstaining:
    def test_if_there_is_nothing_to_search(self) -> None:
        chat = Says("Anything.")
        said = ask("Who kept a log?", chat, [])
        assert (said.text, said.abstained, said.citations, said.hits) == (nothing_found(), True, [], [])
        assert chat.asked == []

    def test_offline_if_nothing_is_near_the_question(self) -> None:
        said = ask("Quantum chromodynamics lattice?")
        assert (said.text, said.abstained, said.citations) == (nothing_found(), True, [])

    @pytest.mark.parametrize(
        "text", ["The essays do not say.", "The essays do not say", " The essays do not say who [1]. Sorry."]
    )
    def test_if_the_model_says_so(self, text: str) -> None:
        said = ask("Who kept a log?", Says(text))
        assert (said.text, said.abstained, said.citations) == (nothing_found(), True, [])

    def test_keeps_what_a_model_still_quotes(self) -> None:
        text = "The essays do not say who, but “He kept a log of tides” [1]."
        said = ask("Who kept a log of tides?", Says(text))
        assert (said.text, said.abstained) == (text, False)
        assert said.citations[0].verified


class Hesitates(Says):
    """A model that cites nothing until it is asked again; its answers are cut off."""

    def complete(self, messages: Sequence[Message], *, max_tokens: int, temperature: float = 0.0) -> Completion:
        self.asked.append(messages)
        if len(self.asked) > 1 and not self.text:
            raise RefusalError("It refuses.")
        return Completion(self.text if len(self.asked) > 1 else "He kept a log.", Usage(cut_off=1))


class TestAModelThatCitesNothing:
    def test_is_asked_once_more(self) -> None:
        chat = Hesitates("“He kept a log of tides” [1].")
        said = ask("Who kept a log of tides?", chat)
        assert (said.text, len(chat.asked)) == (chat.text, 2)
        assert [message.role for message in chat.asked[1]] == ["system", "user", "assistant", "user"]

    @pytest.mark.parametrize("again", ["He kept it.", ""])
    def test_is_asked_no_third_time(self, again: str) -> None:
        chat = Hesitates(again)
        said = ask("Who kept a log of tides?", chat)
        assert (said.text, said.citations, len(chat.asked)) == (again or "He kept a log.", [], 2)

    @pytest.mark.parametrize("text", ["It is so [1].", "“He kept a log of tides”", nothing_found()])
    def test_is_no_model_that_cites_quotes_or_abstains(self, text: str) -> None:
        chat = Says(text)
        ask("Who kept a log of tides?", chat)
        assert len(chat.asked) == 1


class TestALongAnswer:
    def test_says_that_it_was_cut_off(self) -> None:
        assert ask("Who kept a log of tides?", Hesitates("It is so [1].")).cut_off

    def test_does_not_say_so_if_it_was_not(self) -> None:
        assert not ask("Who kept a log of tides?", Says("It is so [1].")).cut_off
        assert not ask("Who kept a log of tides?", Hesitates(nothing_found())).cut_off


class TestOffline:
    def test_quotes_a_sentence_that_is_verified(self) -> None:
        said = ask("Who kept a log of tides?")
        words = "He kept a log of tides. It came to 2,480 entries [1] in all."
        assert said.text == f"“{words}” [1]"
        assert [(c.quote, c.verified, c.chunk and c.chunk.slug) for c in said.citations] == [(words, True, "log")]
        assert not said.abstained

    def test_tells_of_the_collection_without_a_citation(self) -> None:
        said = ask("How many essays are there?")
        assert said.text.startswith("3 essays")
        assert (said.abstained, said.citations, said.nearest) == (False, [], ())

    def test_offers_the_nearest_passages_if_it_abstains(self) -> None:
        said = ask("Quantum chromodynamics lattice?")
        assert said.abstained
        assert said.nearest == tuple(said.hits[:3]) != ()

    def test_offers_none_if_it_answers(self) -> None:
        assert ask("Who kept a log of tides?").nearest == ()


class Spells(SmallIndex):
    """An index that knows what one misspelt word means."""

    def respelled(self, word: str) -> str | None:
        return {"tydes": "tides"}.get(word.lower())


class TestAMisspeltQuestion:
    def test_is_answered_as_it_is_meant_and_says_so(self) -> None:
        said = answer(Spells(CHUNKS), SmallVectors(CHUNKS), WordCounts(), "Who kept a log of Tydes?", chat=None)
        assert said.corrected == "Who kept a log of Tides?"
        assert "He kept a log of tides." in said.text

    def test_reaches_a_model_as_it_was_asked(self) -> None:
        chat = Says("“He kept a log of tides” [1].")
        said = answer(Spells(CHUNKS), SmallVectors(CHUNKS), WordCounts(), "Who kept a log of tydes?", chat=chat)
        assert said.corrected == "Who kept a log of tides?"
        assert "Question: Who kept a log of tydes?" in chat.asked[0][1].content

    def test_is_none_if_it_is_spelt_well(self) -> None:
        said = answer(Spells(CHUNKS), SmallVectors(CHUNKS), WordCounts(), "Who kept a log of tides?", chat=None)
        assert said.corrected is None

    @given(st.sets(st.sampled_from(["kept", "log", "tides", "jug", "shelf", "drink", "nobody", "write"]), min_size=1))
    def test_cites_nothing_unverified_for_any_question(self, words: set[str]) -> None:
        said = ask(" ".join(sorted(words)))
        assert all(citation.verified for citation in said.citations)
        assert said.abstained == (said.citations == [])


class TestAQuestionInAnotherLanguage:
    GERMAN = "Wer hat den alten Kai gebaut?"

    def test_is_named_offline_and_gets_the_nearest_passages(self) -> None:
        said = ask(self.GERMAN)
        assert said.abstained
        assert said.nearest
        assert said.note
        assert "in German; the essays are in English" in said.note

    def test_is_not_named_if_an_essay_is_in_it_or_it_is_english(self) -> None:
        chunks = [*CHUNKS, passage("Der Kai ist alt.", "kai").model_copy(update={"language": "de"})]
        assert ask(self.GERMAN, chunks=chunks).note is None
        assert ask("Who kept a log of tides?").note is None

    def test_is_translated_for_the_search_and_reaches_the_model_as_it_was_asked(self) -> None:
        chat = Says("Who kept a log of tides?")
        said = ask(self.GERMAN, chat)
        assert said.corrected == "Who kept a log of tides?"
        assert said.note is None
        assert said.hits[0].chunk.slug == "log"
        assert f"Question: {self.GERMAN}" in chat.asked[1][1].content

    def test_is_taken_for_misspelt_in_english_alone(self) -> None:
        spells = Spells(CHUNKS)
        said = answer(spells, SmallVectors(CHUNKS), WordCounts(), "Wer schrieb die Tydes ins Heft?", chat=None)
        assert said.corrected is None


class TestCitations:
    def test_are_numbered_like_the_hits_and_the_sources_of_the_prompt(self) -> None:
        chat = Says("“I drink from it” [1], “He kept a log of tides” [2], “would write anything down” [3].")
        said = ask("drink from the ugly jug on the shelf", chat)
        sources = re.findall(r'<source n="(\d)" essay="(\w+)"', chat.asked[0][1].content)
        assert sources == [(str(n), hit.chunk.title) for n, hit in enumerate(said.hits, 1)]
        assert [citation.n for citation in said.citations] == [1, 2, 3]
        assert [citation.chunk for citation in said.citations] == [hit.chunk for hit in said.hits]
        there = [citation.quote in hit.chunk.text for citation, hit in zip(said.citations, said.hits, strict=True)]
        assert [citation.verified for citation in said.citations] == there

    def test_that_are_invalid_are_removed_from_the_answer(self) -> None:
        assert ask("log", Says("So it is [9].")).text == "So it is ."

    def test_are_not_verified_if_the_model_made_up_the_words(self) -> None:
        (citation,) = ask("log of tides", Says("“He kept a diary of storms” [1].")).citations
        assert not citation.verified

    def test_name_the_place_in_the_essay(self) -> None:
        (citation,) = ask("the ugly jug", Says("“I drink from it” [1]")).citations
        assert (citation.start, citation.end) == (60, 75)


class TestAnswer:
    def test_names_its_version_and_the_time_of_each_step(self) -> None:
        said = ask("Who kept a log of tides?")
        assert said.version == SmallIndex.version
        assert set(said.milliseconds) == {"retrieve", "answer", "check"}
        assert all(spent >= 0 for spent in said.milliseconds.values())

    def test_draws_on_ten_passages(self) -> None:
        chunks = [passage(f"log number {n}", f"essay{n}") for n in range(11)]
        assert len(ask("log", Says("So."), chunks).hits) == 10
