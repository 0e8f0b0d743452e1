"""Citations: the cited passage must contain the quoted words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.qa.citations import check, locate, without_notes
from contextual_rag.qa.tokens import tokens
from tests.small_world import passage

LOG = passage("So I kept a log: date, hour, printed height. I kept it every day that I wasn’t ill.", "log", start=100)
JUG = passage("The jug is ugly — “a toad”, he said [2]. I drink from it\n\nall the same.", "jug", start=40)
PASSAGES = [LOG, JUG]

words = st.lists(st.text("abcé.,;'", max_size=6).map("b{}".format), min_size=1, max_size=20)


def plain(text: str) -> list[str]:
    return [token.plain for token in tokens(text)]


class TestLocate:
    @given(words, st.data())
    def test_finds_any_run_of_words_at_its_position(self, words: list[str], data: st.DataObject) -> None:
        first = data.draw(st.integers(0, len(words) - 1))
        last = data.draw(st.integers(first, len(words) - 1))
        text, quote = " ".join(words), " ".join(words[first : last + 1])
        span = locate(quote, text)
        assert span is not None
        assert plain(text[slice(*span)]) == plain(quote)

    @pytest.mark.parametrize(
        "quote",
        [
            "i kept it EVERY day",
            "I  kept\nit every day",
            "I kept it every day that I wasn't ill",
            "I kept it every day that I wasn‘t ill",
        ],
    )
    def test_ignores_white_space_case_and_the_shape_of_quotes(self, quote: str) -> None:
        span = locate(quote, LOG.text)
        assert span is not None
        assert LOG.text[slice(*span)].startswith("I kept it every day")

    def test_ignores_the_shape_of_dashes_and_the_end_of_a_paragraph(self) -> None:
        assert locate('The jug is ugly - "a toad"', JUG.text) == (0, 26)
        assert locate("I drink from it all the same.", JUG.text) == (41, len(JUG.text))

    def test_ignores_note_marks_that_the_quotation_leaves_out(self) -> None:
        span = locate("he said. I drink from it", JUG.text)
        assert span is not None
        assert JUG.text[slice(*span)] == "he said [2]. I drink from it"
        assert locate("and one two", "Here [1] and one [2] two [3].") == (9, 24)

    @pytest.mark.parametrize("quote", ["", "  ", "kept a diary", "I kept it every night", "he said [3]", "kept.*log"])
    def test_finds_no_words_that_are_missing(self, quote: str) -> None:
        assert locate(quote, LOG.text) is None
        assert locate(quote, JUG.text) is None

    @given(st.text(), st.text())
    def test_takes_any_text(self, quote: str, text: str) -> None:
        span = locate(quote, text)
        assert span is None or 0 <= span[0] < span[1] <= len(text)


class TestVerification:
    def test_of_found_words_gives_their_position_in_the_essay(self) -> None:
        text, (citation,) = check("He wrote it down “every day that I wasn't ill” [1].", PASSAGES)
        assert text == "He wrote it down “every day that I wasn't ill” [1]."
        assert citation.verified
        assert citation.n == 1
        assert citation.chunk is LOG
        assert citation.quote == "every day that I wasn’t ill"
        assert citation.start
        assert citation.end
        assert LOG.text[citation.start - 100 : citation.end - 100] == citation.quote

    def test_of_missing_words_fails_and_shows_the_whole_passage(self) -> None:
        _, (citation,) = check('He wrote it down "every single night" [1].', PASSAGES)
        assert not citation.verified
        assert citation.quote == "every single night"
        assert (citation.start, citation.end) == (LOG.start, LOG.end)

    def test_of_words_in_another_passage_fails(self) -> None:
        _, (citation,) = check("“So I kept a log” [2]", PASSAGES)
        assert not citation.verified

    @pytest.mark.parametrize("claim", ["He kept a log [1].", "He kept a “log” [1]."])
    def test_of_a_claim_without_a_quotation_fails(self, claim: str) -> None:
        _, (citation,) = check(claim, PASSAGES)
        assert (citation.verified, citation.quote) == (False, "")

    @pytest.mark.parametrize(
        "quote", ["I kept a log.", "I kept a log,", "I kept a log…", "…I kept a log...", " I kept a log "]
    )
    def test_ignores_the_answers_punctuation_at_the_ends_of_a_quotation(self, quote: str) -> None:
        _, (citation,) = check(f"“{quote}” [1]", PASSAGES)
        assert (citation.verified, citation.quote) == (True, "I kept a log")

    def test_keeps_the_full_stop_that_the_essay_has(self) -> None:
        _, (citation,) = check("“all the same.” [2]", PASSAGES)
        assert citation.quote == "all the same."

    def test_uses_each_quotation_since_the_previous_mark(self) -> None:
        _, citations = check("“So I kept a log” and “date, hour, printed height” [1]; “The jug is ugly” [2]", PASSAGES)
        assert [(c.n, c.quote, c.verified) for c in citations] == [
            (1, "So I kept a log", True),
            (1, "date, hour, printed height", True),
            (2, "The jug is ugly", True),
        ]

    def test_ignores_text_between_two_quotations(self) -> None:
        _, citations = check('"So I kept a log" which I think "date, hour, printed height" [1]', PASSAGES)
        assert [c.quote for c in citations] == ["So I kept a log", "date, hour, printed height"]
        _, (citation,) = check('A 5" and a 6" nail and "So I kept a log" [1]', PASSAGES)
        assert citation.verified


class TestMarks:
    def test_that_are_invalid_are_removed(self) -> None:
        assert check("One [3], two [0], three [1, 7].", PASSAGES)[0] == "One , two , three [1]."

    def test_may_name_several_passages(self) -> None:
        _, citations = check("“So I kept a log” [1, 2]", PASSAGES)
        assert [(c.n, c.verified) for c in citations] == [(1, True), (2, False)]

    def test_that_are_repeated_count_once(self) -> None:
        _, citations = check("“So I kept a log” [1]. Again: “so I kept a log” [1]. Both [2], both [2].", PASSAGES)
        assert [(c.n, c.quote) for c in citations] == [(1, "So I kept a log"), (2, "")]

    def test_within_a_quotation_belong_to_the_essay_and_cite_nothing(self) -> None:
        text, (citation,) = check("He says: “he said [2]. I drink from it” [2]", PASSAGES)
        assert text == "He says: “he said [2]. I drink from it” [2]"
        assert (citation.n, citation.verified) == (2, True)
        assert citation.quote == "he said [2]. I drink from it"

    def test_within_a_quotation_belong_to_the_answer_if_the_essay_has_none(self) -> None:
        text, (citation,) = check("He says: “So I kept a log [1]”", PASSAGES)
        assert text == "He says: “So I kept a log [1]”"
        assert citation.n == 1

    @given(st.text(st.sampled_from('ab “”"[]12, .'), max_size=60))
    def test_that_remain_all_name_a_passage_and_have_a_citation(self, answer: str) -> None:
        text, citations = check(answer, PASSAGES)
        for n in range(10):
            assert (f"[{n}]" not in text) or n in {citation.n for citation in citations}
        assert all(PASSAGES[citation.n - 1] is citation.chunk for citation in citations if citation.n)


class TestWithoutNotes:
    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("It was so [1]. Or not[2], he said.", "It was so. Or not, he said."),
            ("[12] The note.", "The note."),
            ("[1, 2] None [at all] here [1234].", "None [at all] here [1234]."),
        ],
    )
    def test_removes_only_the_marks(self, text: str, left: str) -> None:
        assert without_notes(text) == left
