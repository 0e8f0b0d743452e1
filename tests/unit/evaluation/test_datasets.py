"""Data sets: questions with answers that occur in the essays."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contextual_rag.errors import CorruptObjectError, FatalError
from contextual_rag.evaluation.datasets import Question, Reference, read_questions
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
UNANSWERED = {
    name: [json.loads(line) for line in (SAMPLE_SITE / name).read_text(encoding="utf-8").splitlines()]
    for name in ("foreign.jsonl", "untold.jsonl")
}
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
    @pytest.mark.parametrize(("name", "least"), [("foreign.jsonl", 30), ("untold.jsonl", 10)])
    def test_are_questions_and_none_twice(self, name: str, least: int) -> None:
        asked = UNANSWERED[name]
        assert all(set(line) == {"question"} and line["question"].endswith("?") for line in asked)
        assert len({line["question"] for line in asked}) == len(asked) >= least

    def test_are_in_only_one_file(self) -> None:
        files = [*UNANSWERED.values(), [question.model_dump() for question in QUESTIONS]]
        asked = [line["question"] for file in files for line in file]
        assert len(set(asked)) == len(asked)


class TestReading:
    def test_returns_the_questions_in_order_and_ignores_empty_lines(self) -> None:
        other = LINE.replace(b"jug", b"log")
        first, second = read_questions(LINE + b"\r\n\n  \n" + other, "q.jsonl")
        assert first == Question(question="Why a jug?", references=(Reference(slug="jug", content="It is ugly."),))
        assert second.references[0].slug == "log"

    def test_of_an_empty_file_gives_none(self) -> None:
        assert read_questions(b"", "q.jsonl") == []

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            (b"not json", "JSON"),
            (b"[]", "object"),
            (b'{"question": "Why?", "references": []}', "references"),
            (b'{"question": "Why?"}', "references"),
            (b'{"question": "Why?", "references": [{"slug": "a"}]}', "references.0.content"),
            (b'{"question": "Why?", "references": [{"slug": "a", "content": "b"}], "more": 1}', "more"),
            (b"\xff\xfe", "JSON"),
        ],
    )
    def test_names_file_line_and_fault(self, line: bytes, fault: str) -> None:
        with raising(CorruptObjectError, "corrupt_object", "q.jsonl", "line 3", fault) as raised:
            read_questions(LINE + b"\n\n" + line, "q.jsonl")
        assert isinstance(raised.value, FatalError)
