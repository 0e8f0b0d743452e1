"""Quoted answers can be checked for any essays, and the sentences that answer best come first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contextual_rag.model import IndexedChunk
from contextual_rag.ports import Matrix, Usage
from contextual_rag.qa.citations import check
from contextual_rag.qa.quotes import Quotes, quote
from contextual_rag.qa.retrieve import Hit
from tests.small_world import SmallIndex, WordCounts, passage

MODEL = WordCounts()

# Words, and characters that could open or close a quotation, or look like a mark.
tokens = st.sampled_from([
    "log", "I", "The", "kept.", "it,", "sea?", '"said', 'so."', "“no", "way!”", "’tis", "wasn't", "‘ay’", "—", "…",
    "...", "[1]", "why[2]", "[3].", "[1, 2]", "(a", "b).", "3.5", "Ünïcode", "日本語", "x" * 400, "\n\n", "\n",
    "\u00a0", "from:", "漢字。",
])  # fmt: skip
texts = st.lists(tokens, min_size=1, max_size=60).map(" ".join)
LONG = "and that the quay was old and that the wall was new, " * 8


def chosen(question: str, passages: Sequence[IndexedChunk]) -> Quotes:
    return quote(SmallIndex(passages), question, [Hit(one, 1.0, 1, 1, 0.5) for one in passages], MODEL)


SAME = {"sea": "ocean", "tides": "ocean", "chronicle": "log", "kept": "log"}


class Meanings(WordCounts):
    """An embedding model to which some words mean the same."""

    def embed(self, texts: Sequence[str], *, kind: Literal["passage", "query"]) -> tuple[Matrix, Usage]:
        plain = [" ".join(SAME.get(word, word) for word in text.lower().strip(".?").split()) for text in texts]
        return super().embed(plain, kind=kind)


def quoted(question: str, passages: Sequence[IndexedChunk]) -> str:
    return chosen(question, passages).text


def first(question: str, *texts: str) -> str:
    """The first quotation of these passages."""
    return quoted(question, [passage(text, f"e{n}") for n, text in enumerate(texts)]).partition("” [")[0][1:]


class TestQuotations:
    @example(["log wasn't \n\n log"], "log")
    @example(["log [3]. wasn't \n\n log"], "log")
    @given(st.lists(texts, min_size=1, max_size=4), texts)
    def test_are_always_verified(self, texts: list[str], question: str) -> None:
        passages = [passage(text, f"essay{n}", start=7 * n) for n, text in enumerate(texts)]
        answer = quoted(question, passages)
        text, citations = check(answer, passages)
        assert text == answer
        assert bool(citations) == bool(answer)
        assert [citation for citation in citations if not citation.verified] == []

    def test_are_the_sentences_nearest_to_the_question(self) -> None:
        assert first("Who kept a log of tides?", "The sea was grey. Ann Moss kept a log of tides daily.").endswith(
            "Ann Moss kept a log of tides daily."
        )

    def test_are_of_the_first_passage_if_sentences_are_equally_near(self) -> None:
        passages = [passage("Nobody knew why he kept it."), passage("Nobody knew how he kept it.")]
        assert quoted("Who kept it?", passages).startswith("“Nobody knew why he kept it.” [1]")
        assert quoted("Who kept it?", passages[::-1]).startswith("“Nobody knew how he kept it.” [1]")

    def test_are_at_most_four_different_ones(self) -> None:
        passages = [passage(f"He kept a log of tides, tides{n}.", f"e{n}") for n in range(6)]
        passages += [passages[0].model_copy(update={"chunk_id": "again"})]
        answer = quoted("Who kept a log of tides?", passages)
        assert answer.count("“") == 4
        assert answer.count("tides0") <= 1

    def test_are_one_if_nothing_else_comes_near(self) -> None:
        passages = [passage("He kept a log of tides daily.")] + [
            passage(f"No{n} ever did whistle here.", f"e{n}") for n in range(4)
        ]
        assert quoted("Who kept a log of tides?", passages).count("“") == 1

    def test_leave_out_sentences_far_less_near_than_the_best(self) -> None:
        passages = [passage("He kept a log of tides."), passage("Nobody in town ever whistled.", "b")]
        assert quoted("He kept a log of tides", passages) == "“He kept a log of tides.” [1]"

    def test_are_not_questions_unless_there_is_nothing_else(self) -> None:
        asked = "Who kept the log of the tides?"
        assert "Ann wrote the log herself" in first(asked, f"{asked} Ann wrote the log herself.")
        assert first(asked, asked) == asked

    def test_keep_the_quotation_marks_of_the_essay_as_single_ones(self) -> None:
        answer = quoted("toad", [passage('He called the jug “a toad” and "a frog" at once.')])
        assert answer == "“He called the jug 'a toad' and 'a frog' at once.” [1]"

    @pytest.mark.parametrize("text", ["He kept a log [1] of all[2] the tides.", "It reads argv[1] and logs argv[0]."])
    def test_keep_the_brackets_of_the_essay(self, text: str) -> None:
        answer = quoted("log", [passage(text)])
        assert answer == f"“{text}” [1]"
        assert check(answer, [passage(text)])[0] == answer

    def test_are_none_if_there_is_nothing_to_quote(self) -> None:
        assert quoted("why?", []) == ""
        assert quoted("why?", [passage("Oh no.")]) == ""


class TestRuns:
    def test_of_sentences_give_what_the_first_one_announces(self) -> None:
        text = "There are two reasons why the wall fell. It was old, and the storm of May was strong."
        assert first("Why did the wall fall?", text) == text

    def test_go_on_over_a_colon_into_the_next_paragraph(self) -> None:
        text = "Here is the pledge of the keepers:\n\nNo lamp goes out before the morning."
        assert "No lamp goes out" in first("What is the pledge of the keepers?", text)

    def test_that_hold_no_other_quotation(self) -> None:
        gap = "Nobody else in town whistled. " * 30
        text = f"Ann kept a log of tides. {gap}Bo kept a log of tides too. {gap}"
        answer = quoted("Who kept a log of tides?", [passage(text)])
        assert answer.count("Bo kept a log") == answer.count("Ann kept a log") == 1

    def test_are_short(self) -> None:
        text = " ".join(f"He kept a log of the tides and of the wind for year {n} of his life." for n in range(40))
        answer = quoted("Who kept a log of tides?", [passage(text)])
        assert all(len(part) <= 405 for part in answer.split("“"))

    def test_do_not_cross_a_heading(self) -> None:
        text = "The log of the tides was kept by Ann.\n\nOn Salt\n\nSalt was carried by the boats in barrels."
        assert "On Salt" not in quoted("Who kept the log of the tides?", [passage(text)])

    def test_that_begin_within_a_sentence_have_what_stands_before_it(self) -> None:
        text = f"It was agreed {LONG}that the lens, which Pym had carried up the hill, should be insured in Amsterdam."
        assert "the lens, which Pym" in first("What should be insured in Amsterdam?", text)

    @pytest.mark.parametrize("answer", ["the lens was insured for four thousand guilders", "Ann Moss lost her compass"])
    def test_reach_whatever_stands_in_a_long_sentence(self, answer: str) -> None:
        found = quoted(answer, [passage(f"It was agreed {LONG}{answer}, {LONG}and that was all.")])
        assert answer in found
        assert len(found) < 1200


class TestWhatIsAsked:
    @pytest.mark.parametrize(
        ("question", "answer", "other"),
        [
            ("Who built the quay?", "The quay was built by Amos Fell.", "The quay was built by somebody."),
            ("When was the quay built?", "The quay was built in 1902.", "The quay was built in haste."),
            (
                "How many men built the quay?",
                "Men, forty of them, built the quay.",
                "Men, lots of them, built the quay.",
            ),
        ],
    )
    def test_is_preferred_wherever_it_stands(self, question: str, answer: str, other: str) -> None:
        gap = "Nobody ever whistled. " * 30
        assert answer in first(question, f"{other} {gap}{answer} {gap}")
        assert answer in first(question, f"{answer} {gap}{other} {gap}")


class TestMeaning:
    SAID = "Ann kept tides with Bo"
    REPEATED = "The chronicle is old and thick and nobody has opened it since the sea was near"

    @pytest.mark.parametrize("hits", [[SAID, REPEATED], [REPEATED, SAID]])
    def test_counts_more_than_repeated_words(self, hits: list[str]) -> None:
        passages = [passage(f"{text}.", f"e{n}") for n, text in enumerate(hits)]
        found = quote(SmallIndex(passages), "chronicle sea", [Hit(one, 1.0, 1, 1, 0.5) for one in passages], Meanings())
        assert found.text.startswith(f"“{self.SAID}.”")

    def test_does_not_count_more_where_it_is_the_same(self) -> None:
        passages = [passage("He logged the dull hour.", "a"), passage("He logged the calm hour.", "b")]
        assert quoted("the calm hour", passages).startswith("“He logged the calm hour.”")


class Reads:
    """A model that reads quotations, and finds those best that have a word."""

    name, most = "reads", 10

    def __init__(self, word: str) -> None:
        self.word = word
        self.read: list[str] = []

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        self.read += texts
        return [0.999 if self.word in text else 0.001 for text in texts], Usage()


class TestAReader:
    TEXTS = ("He logged the dull hour.", "She logged the calm hour.")

    def answer(self, question: str, reader: Reads, *texts: str) -> str:
        passages = [passage(text, f"e{n}") for n, text in enumerate(texts)]
        hits = [Hit(one, 1.0, 1, 1, 0.5) for one in passages]
        return quote(SmallIndex(passages), question, hits, MODEL, reader).text

    @pytest.mark.parametrize("word", ["dull", "calm"])
    def test_has_a_say_in_which_comes_first(self, word: str) -> None:
        answer = self.answer("the hour", Reads(word), *self.TEXTS)
        assert word in answer.partition("” [")[0]
        assert all(text in answer for text in self.TEXTS)

    def test_never_cuts_off_what_would_be_said_without_it(self) -> None:
        long = f"He logged the hour{' and the hour again' * 12}."
        text = f"{long} Boats came and went in the bay below. It was calm{' as the sea was' * 10}."
        quoted_, _, others = self.answer("the hour", Reads("calm"), text).partition("” [")
        assert quoted_ == f"“{text}"
        assert "calm" not in others

    def test_never_outdoes_what_is_much_nearer(self) -> None:
        texts = ("Ann kept the log of the tides.", "Boats are blue and old.")
        assert self.answer("Who kept the log of the tides?", Reads("blue"), *texts).startswith(f"“{texts[0]}")

    def test_never_reads_more_than_it_says(self) -> None:
        reader = Reads("calm")
        self.answer("the hour", reader, *(f"He logged the hour of day {n}." for n in range(30)))
        assert len(reader.read) == reader.most

    def test_never_reads_another_language(self) -> None:
        reader = Reads("calm")
        self.answer("Wer hat das Logbuch geschrieben?", reader, *self.TEXTS)
        assert reader.read == []


class TestWordsOfAKind:
    def test_count_as_the_word_of_the_question(self) -> None:
        assert chosen("uncertainty", [passage("He was uncertain of the tide.")]).evidence.near == 1

    @pytest.mark.parametrize("word", ["certain", "uncle", "tidelands"])
    def test_do_not_include_others(self, word: str) -> None:
        assert chosen(word, [passage("He was uncertain of the tide.")]).evidence.near == 0


class TestEvidence:
    def test_is_that_of_the_nearest_sentences_and_passage(self) -> None:
        found = chosen("He kept a log of tides", [passage("He kept a log of tides.")]).evidence
        assert found.sentence == pytest.approx(1)
        assert (found.passage, found.near, found.words) == (0.5, 1, 6)

    def test_is_less_where_words_and_what_is_asked_are_missing(self) -> None:
        found = chosen("When did he paint the boats of Corran?", [passage("He kept a log of tides.")]).evidence
        assert found.near < 0.5
        assert found.sentence == 0

    def test_is_none_if_nothing_can_be_quoted(self) -> None:
        assert chosen("why?", []).evidence.sentence == 0
