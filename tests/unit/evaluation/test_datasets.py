"""Data sets: questions with answers that occur in the essays."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contextual_rag.errors import CorruptObjectError, FatalError
from contextual_rag.evaluation.datasets import Question, Reference, holds, read_questions
from contextual_rag.model import Document
from contextual_rag.readers.html import parse_document
from contextual_rag.readers.index_page import read_index
from tests.raising import raising

Conversation = dict[str, Any]

SAMPLE_SITE = Path(__file__).parents[3] / "sample_site"
FILE = SAMPLE_SITE / "questions.jsonl"
QUESTIONS = read_questions(FILE.read_bytes(), FILE.name)
REFERENCES = [reference for question in QUESTIONS for reference in question.references]
CONVERSATIONS: list[Conversation] = [
    json.loads(line) for line in (SAMPLE_SITE / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
]
LINE = json.dumps({"question": "Why a jug?", "references": [{"slug": "jug", "content": "It is ugly."}]}).encode()


@cache
def essays(day: int) -> dict[str, Document]:
    """Return the essays of a day's folder that its index page lists."""
    folder = SAMPLE_SITE / f"day{day}"
    listed = read_index((folder / "articles.html").read_bytes(), "http://127.0.0.1/articles.html").entries
    files = {entry: folder / f"{entry.slug}.html" for entry in listed}
    return {entry.slug: parse_document(file.read_bytes(), entry) for entry, file in files.items() if file.exists()}


def paragraphs(document: Document) -> list[str]:
    return [document.text[span.start : span.end] for span in document.paragraphs]


class TestSampleQuestions:
    def test_are_all_read(self) -> None:
        assert len(QUESTIONS) == len(FILE.read_bytes().splitlines()) >= 15
        assert len({question.question for question in QUESTIONS}) == len(QUESTIONS)

    @pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.slug)
    def test_are_answered_by_one_paragraph_of_a_listed_essay(self, reference: Reference) -> None:
        assert any(reference.content in text for text in paragraphs(essays(1)[reference.slug]))

    def test_are_answered_alike_by_the_essays_that_the_second_day_changes(self) -> None:
        changed = {slug: document for slug, document in essays(2).items() if slug in essays(1)}
        asked = [reference for reference in REFERENCES if reference.slug in changed]
        assert asked
        assert [ref.content for ref in asked if ref.content not in changed[ref.slug].text] == []

    def test_hold_words_that_their_references_or_their_essay_has(self) -> None:
        held = [question for question in QUESTIONS if question.holds]
        assert len(held) >= 40
        for question in held:
            text = "\n".join(essays(1)[reference.slug].text for reference in question.references)
            assert [words for words in question.holds if not holds(text, words)] == [], question.question


class TestSampleConversations:
    def test_are_of_two_turns_and_many_kinds(self) -> None:
        assert len(CONVERSATIONS) >= 40
        assert len({conversation["standalone"] for conversation in CONVERSATIONS}) == len(CONVERSATIONS)
        assert all(len(conversation["history"]) == 1 for conversation in CONVERSATIONS)
        assert sum(conversation["question"] == conversation["standalone"] for conversation in CONVERSATIONS) >= 8

    @pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation["standalone"])
    def test_are_answered_by_paragraphs_that_every_edition_has(self, conversation: Conversation) -> None:
        assert conversation["references"]
        for reference in map(Reference.model_validate, conversation["references"]):
            assert reference.slug != "patience"
            assert any(reference.content in text for text in paragraphs(essays(1)[reference.slug]))
            assert reference.slug not in essays(2) or reference.content in essays(2)[reference.slug].text

    @pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation["standalone"])
    def test_quote_the_essays_where_they_quote(self, conversation: Conversation) -> None:
        quoted = [quote for turn in conversation["history"] for quote in re.findall("“(.+)”", turn["answer"])]
        assert quoted
        for quote in quoted:
            assert any(quote.rstrip(".") in essay.text for essay in essays(1).values()), quote


class TestQuestionsWithoutAnAnswer:
    @pytest.mark.parametrize(("kind", "least"), [("foreign", 30), ("untold", 10)])
    def test_are_many_and_name_nothing_that_answers(self, kind: str, least: int) -> None:
        asked = [question for question in QUESTIONS if question.kind == kind]
        assert len(asked) >= least
        assert all(question.question.endswith("?") and not question.references + question.holds for question in asked)


class TestReading:
    def test_returns_the_questions_in_order_and_ignores_empty_lines(self) -> None:
        other = LINE.replace(b"jug", b"log")
        first, second = read_questions(LINE + b"\r\n\n  \n" + other, "q.jsonl")
        assert first == Question(question="Why a jug?", references=(Reference(slug="jug", content="It is ugly."),))
        assert second.references[0].slug == "log"

    def test_takes_what_an_answer_holds_or_that_there_is_none(self) -> None:
        lines = b'{"question": "Why?", "holds": ["a|b"], "after": "Who?"}\n{"question": "How?", "kind": "foreign"}'
        held, foreign = read_questions(lines, "q.jsonl")
        assert (held.holds, held.after, held.judges_answers, held.is_unanswerable) == (("a|b",), "Who?", True, False)
        assert (foreign.judges_answers, foreign.is_unanswerable) == (True, True)
        assert not read_questions(LINE, "q.jsonl")[0].judges_answers

    def test_of_an_empty_file_gives_none(self) -> None:
        assert read_questions(b"", "q.jsonl") == []

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            (b"not json", "JSON"),
            (b"[]", "object"),
            (b'{"question": "Why?", "references": []}', "references"),
            (b'{"question": "Why?"}', "references"),
            (b'{"question": "Why?", "holds": [""]}', "holds"),
            (b'{"question": "", "holds": ["a"]}', "question"),
            (b'{"question": "Why?", "holds": ["a"], "kind": "untold"}', "untold"),
            (b'{"question": "Why?", "holds": ["a"], "kind": "?"}', "kind"),
            (b'{"question": "Why?", "references": [{"slug": "a"}]}', "references.0.content"),
            (b'{"question": "Why?", "references": [{"slug": "a", "content": "b"}], "more": 1}', "more"),
            (b"\xff\xfe", "JSON"),
        ],
    )
    def test_names_file_line_and_fault(self, line: bytes, fault: str) -> None:
        with raising(CorruptObjectError, "corrupt_object", "q.jsonl", "line 3", fault) as raised:
            read_questions(LINE + b"\n\n" + line, "q.jsonl")
        assert isinstance(raised.value, FatalError)


class TestHolding:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("It cost £19 a week.", "£19"),
            ("In 1961 there were forty-two boats.", "42|forty\u2011two"),
            ("“Where did\nyou see that?”", "where did you see that"),
            ("The author's “haven’t”", "haven't"),
            ("Guidebooks were sold", "guidebook*"),
            ("about 20–25% of it", "20-25%"),
            ("彼は1970年に東京で生まれた", "東京"),
            ("Ein Maß Öl", "öl"),
        ],
    )
    def test_is_by_whole_words_in_any_shape(self, text: str, wanted: str) -> None:
        assert holds(text, wanted)

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("It cost £190 a week.", "£19"),
            ("The budget was 1,240 pounds", "240"),
            ("It was 24,000", "24"),
            ("It was 24.5", "24"),
            ("Guidebooks were sold", "guidebook"),
            ("a reunion", "union"),
            ("see that? Where did you", "where did you see that"),
            ("", "a|b"),
        ],
    )
    def test_is_not_by_parts_of_words_or_numbers(self, text: str, wanted: str) -> None:
        assert not holds(text, wanted)
