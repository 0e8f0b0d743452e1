"""Sentences end where they end, and what is no sentence is not taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.qa.prose import units


def said(text: str, kind: str = "sentence") -> list[str]:
    """The texts of this kind; a later part of a long sentence counts as one."""
    return [
        text[unit.start : unit.end] for unit in units(text) if {"part": "sentence"}.get(unit.kind, unit.kind) == kind
    ]


class TestSentences:
    @pytest.mark.parametrize(
        "sentences",
        [
            ["The quay was built by Dr. Amos T. Fell of St. Ives in 1902.", "Nobody remembers it."],
            ["He uses e.g. Lisp, i.e. a language by J. McCarthy.", "It costs $3.5 million.", "See p. 12 and Fig. 3."],
            ["we came in late.", "nobody thought much of it.", "she lost her compass in the lock."],
            ["It was 5 p.m. on Monday.", "What now?!", "Well... maybe."],
            ["Он считал ступени вслух.", "Осенью 1904 г. колокол треснул.", "Новый привезли на шхуне."],
        ],
    )
    def test_end_where_they_end(self, sentences: list[str]) -> None:
        assert said(" ".join(sentences)) == sentences

    @pytest.mark.parametrize(
        "sentences",
        [
            ["渔港的铜钟铸于一八八五年，重三百斤。", "敲钟人林阿福就整夜敲钟。", "真的吗？"],
            ["これは文です。", "これも文です！"],
            ["यह पहला वाक्य है।", " क्या यह तीसरा है?"],
            ["هل هذا سؤال؟", " نعم."],
        ],
    )
    def test_end_by_the_signs_of_other_scripts(self, sentences: list[str]) -> None:
        assert said("".join(sentences)) == [sentence.strip() for sentence in sentences]

    def test_do_not_run_from_one_paragraph_into_the_next(self) -> None:
        assert said("He wrote it down:\n\nhe closed the book.") == ["He wrote it down:", "he closed the book."]

    def test_that_are_long_are_cut_after_clauses_and_lose_nothing(self) -> None:
        clause = "that the lower quay should be raised by the two men who had kept the sluice,"
        parts = said(" ".join([clause] * 9) + " and that was all.")
        assert all(len(part) <= 320 for part in parts)
        assert all(part.endswith(",") for part in parts[:-1])
        assert " ".join(parts) == " ".join([clause] * 9) + " and that was all."


class TestOthers:
    def test_mail_headers_are_apart_but_not_the_message(self) -> None:
        text = "from: Ann Moss\nto: Bo Lind\nsubject: the tide gauge\n\nThe gauge was stopped at noon on Friday."
        assert said(text) == ["The gauge was stopped at noon on Friday."]
        assert len(said(text, "apart")) == 3

    def test_a_sentence_with_one_such_word_is_none(self) -> None:
        text = "He had one rule from: nobody, and kept it all the same."
        assert said(text) == [text]

    def test_code_is_apart_but_not_a_sentence_that_names_some(self) -> None:
        assert said("def f(x):\n    return g[x] + (h(x) * 2)\n") == []
        assert said("It reads argv[1] and calls main() with it.") == ["It reads argv[1] and calls main() with it."]

    def test_headings_are_apart_and_rows_of_lists_are_rows(self) -> None:
        text = "What It Costs\n\nEach rate takes so much.\n\n0.1% 6%\n\n0.5% 26%"
        assert said(text) == ["Each rate takes so much."]
        assert (said(text, "apart"), said(text, "row")) == (["What It Costs"], ["0.1% 6%", "0.5% 26%"])


tokens = st.sampled_from(["Log", "kept.", "Mr.", "so,", "1904", "x" * 400, "漢字。", "from:", "\n", "\n\n", "(", "é"])


@given(st.lists(tokens, max_size=60).map(" ".join))
def test_units_follow_each_other_and_leave_out_only_white_space(text: str) -> None:
    end = 0
    for unit in units(text):
        assert text[end : unit.start].strip() == ""
        assert text[unit.start : unit.end].strip() == text[unit.start : unit.end] != ""
        end = unit.end
    assert text[end:].strip() == ""
