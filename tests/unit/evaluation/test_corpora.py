"""Corpora of public benchmarks: references are checked, and faults are named with their place."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.errors import CorruptObjectError
from contextual_rag.evaluation.corpora import (
    ByChunks,
    BySpans,
    GoldenQuestion,
    SpanQuestion,
    TextFile,
    read_chunked,
    read_golden_questions,
    read_span_questions,
    read_text_file,
)
from contextual_rag.evaluation.metrics import Span
from tests.raising import raising

TEXT = "The lamp burns for seven hours.\nThe “keeper” sleeps.\n"
FILES = {"lamp": TextFile("lamp.md", TEXT, marked=False), "tide": TextFile("tide.txt", "High at noon.", marked=False)}


def reference(content: str, start: int, text: str = TEXT) -> dict[str, Any]:
    return {"content": content, "start_index": start, "end_index": start + len(content)}


def table(*rows: tuple[str, Any, str]) -> bytes:
    """Return a CSV of questions; references that are not strings are written as JSON."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["question", "references", "corpus_id"])
    for question, references, corpus in rows:
        written = references if isinstance(references, str) else json.dumps(references)
        writer.writerow([question, written, corpus])
    return out.getvalue().encode()


def read(*rows: tuple[str, Any, str], files: dict[str, TextFile] = FILES) -> BySpans:
    return read_span_questions(table(*rows), "q.csv", files)


SEVEN = reference("seven hours", 19)
GOOD = ("How long?", [SEVEN], "lamp")


class TestTexts:
    @given(st.text(st.sampled_from("a\r\n é🎉\ufeff"), max_size=12))
    def test_are_read_as_python_reads_them(self, text: str) -> None:
        body = text.encode()
        expected = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8").read()
        file = read_text_file(body, "a.md")
        assert ("\ufeff" if file.marked else "") + file.text == expected

    def test_that_are_not_utf_8_are_refused_with_the_line(self) -> None:
        with raising(CorruptObjectError, "corrupt_object_encoding", "a.md", "line 2"):
            read_text_file(b"one\ntwo \xff", "a.md")


class TestSpanQuestions:
    def test_are_located_in_the_file_that_they_name(self) -> None:
        noon = ("When?", [reference("noon", 8)], "tide")
        found = read(GOOD, noon)
        assert found.questions == (
            SpanQuestion("How long?", (Span("lamp", 19, 30),)),
            SpanQuestion("When?", (Span("tide", 8, 12),)),
        )
        assert found.notes == ()

    def test_about_other_corpora_are_skipped_with_a_note(self) -> None:
        found = read(("Why?", "not even JSON", "finance"), GOOD, ("Who?", "[]", "chatlogs"))
        assert [question.question for question in found.questions] == ["How long?"]
        (note,) = found.notes
        assert "2 questions" in note
        assert "chatlogs, finance" in note

    def test_may_have_other_columns_blank_rows_and_a_byte_order_mark(self) -> None:
        quoted = '"' + json.dumps([SEVEN]).replace('"', '""') + '"'
        body = f'\ufeffid,corpus_id,references,question\r\n1,lamp,{quoted},"How\nlong?"\r\n\r\n'.encode()
        assert read_span_questions(body, "q.csv", FILES).questions[0].question == "How\nlong?"

    @pytest.mark.parametrize("counted", [0, 1], ids=["mark not counted", "mark counted"])
    def test_may_count_a_byte_order_mark_or_not(self, counted: int) -> None:
        file = read_text_file(b"\xef\xbb\xbf" + TEXT.encode(), "lamp.md")
        found = read(("How long?", [reference("seven hours", 19 + counted)], "lamp"), files={"lamp": file})
        assert found.questions[0].references == (Span("lamp", 19, 30),)

    def test_may_count_a_line_end_as_one_character_whatever_it_is_in_the_file(self) -> None:
        file = read_text_file(TEXT.replace("\n", "\r\n").encode(), "lamp.md")
        found = read(("Who?", [reference("The “keeper” sleeps.", 32)], "lamp"), files={"lamp": file})
        assert found.questions[0].references == (Span("lamp", 32, 52),)
        assert found.notes == ()

    def test_with_different_quotes_or_letter_case_get_a_note(self) -> None:
        found = read(("Who?", [reference('the "keeper" sleeps.', 32)], "lamp"))
        assert found.questions[0].references == (Span("lamp", 32, 52),)
        (note,) = found.notes
        assert note.startswith("q.csv, row 2 (line 2), reference 1: lamp.md has these words at 32:52")

    @pytest.mark.parametrize(
        ("references", "named"),
        [
            ("not JSON", ["JSON"]),
            ([], ["references", "at least 1"]),
            ([{"content": "a", "start_index": 0}], ["0.end_index"]),
            ([{"content": "a", "start_index": -1, "end_index": 2}], ["0.start_index"]),
            ([{"content": "a", "start_index": "0", "end_index": 1}], ["0.start_index"]),
        ],
    )
    def test_of_another_form_are_named_by_row(self, references: Any, named: list[str]) -> None:
        with raising(CorruptObjectError, "corrupt_object", "q.csv", "row 3", *named):
            read(GOOD, ("Why?", references, "lamp"))

    @pytest.mark.parametrize(
        ("references", "named"),
        [
            ([{"content": "", "start_index": 4, "end_index": 4}], ["reference 1", "end_index 4"]),
            ([SEVEN, reference("sleeps.", 60)], ["reference 2", "60:67", "lamp.md", "53"]),
            ([reference("eight hours", 19)], ["reference 1", "'seven hours'", "19:30", "'eight hours'"]),
            ([reference("even hours.", 19)], ["reference 1", "'seven hours'"]),
        ],
    )
    def test_that_do_not_stand_there_are_named_by_row(self, references: Any, named: list[str]) -> None:
        with raising(CorruptObjectError, "corrupt_object_reference", "q.csv", "row 3", *named):
            read(GOOD, ("Why?", references, "lamp"))

    def test_that_are_empty_are_named_by_row(self) -> None:
        with raising(CorruptObjectError, "corrupt_object", "q.csv", "row 2", "question"):
            read((" ", [SEVEN], "lamp"))

    @pytest.mark.parametrize(
        ("body", "code", "named"),
        [
            (b"", "corrupt_object_empty", "question, references, corpus_id"),
            (b"question,corpus_id\nWhy?,lamp\n", "corrupt_object", "references"),
            (b"question,references,corpus_id\nWhy?,[]\n", "corrupt_object", "row 2 (line 2)"),
            (b'question,references,corpus_id\n"Why?" now,[],lamp\n', "corrupt_object", "row 2 (line 2)"),
            (b'question,references,corpus_id\n\n"Why?,[],lamp\n', "corrupt_object", "row 3 (line 3)"),
            (b"question,references,corpus_id\nWhy\xff,[],lamp\n", "corrupt_object_encoding", "line 2"),
            (b"question,references,corpus_id\nWhy?,[],other\n", "corrupt_object_empty", "lamp, tide"),
        ],
    )
    def test_in_a_file_with_another_form_are_refused(self, body: bytes, code: str, named: str) -> None:
        with raising(CorruptObjectError, code, "q.csv", named):
            read_span_questions(body, "q.csv", FILES)

    def test_cannot_ask_about_a_file_with_an_invalid_name(self) -> None:
        with raising(CorruptObjectError, "corrupt_object", "my notes"):
            read(GOOD, files={"my notes": FILES["lamp"]})


def document(n: int = 1, *contents: str, text: str | None = None) -> dict[str, Any]:
    chunks = [
        {"chunk_id": f"doc_{n}_chunk_{i}", "original_index": i, "content": content}
        for i, content in enumerate(contents)
    ]
    return {"doc_id": f"doc_{n}", "original_uuid": f"u{n}", "content": text or "".join(contents), "chunks": chunks}


def chunked(*documents: Any) -> ByChunks:
    return read_chunked(json.dumps(documents).encode(), "c.json")


class TestChunks:
    def test_are_spans_of_their_documents_without_white_space_at_the_ends(self) -> None:
        (read_,) = chunked(document(1, "fn one() {}\n\n", "  fn two() {}")).documents
        assert [read_.text[chunk.start : chunk.end] for chunk in read_.chunks] == ["fn one() {}", "fn two() {}"]
        assert read_.by_index == {0: "fn one() {}\n\n", 1: "  fn two() {}"}

    def test_of_the_same_text_are_different_places_and_may_overlap(self) -> None:
        (read_,) = chunked(document(1, "ab ab", "ab", "ab c", text="ab ab ab c")).documents
        assert [(chunk.start, chunk.end) for chunk in read_.chunks] == [(0, 5), (3, 5), (6, 10)]

    def test_that_are_empty_are_skipped_with_a_note(self) -> None:
        read_ = chunked(document(1, "one", " \n"))
        assert len(read_.documents[0].chunks) == 1
        assert "'doc_1_chunk_1' is empty" in read_.notes[0]

    @pytest.mark.parametrize(
        ("documents", "named"),
        [
            ([], "at least 1"),
            ([{"doc_id": "a"}], "0.original_uuid"),
            ([document(1, "one") | {"doc_id": "../a"}], "0.doc_id"),
            ([document(1, "one"), document(1, "two")], "doc_id 'doc_1'"),
            ([document(1, "one"), document(2, "two") | {"original_uuid": "u1"}], "original_uuid 'u1'"),
        ],
    )
    def test_that_are_wrong_are_named(self, documents: list[Any], named: str) -> None:
        with raising(CorruptObjectError, "corrupt_object", "c.json", named):
            chunked(*documents)

    def test_that_do_not_stand_in_their_document_are_named(self) -> None:
        with raising(CorruptObjectError, "corrupt_object_reference", "c.json", "'doc_1_chunk_1'", "'two'", "doc_1"):
            chunked(document(1, "one", "two", text="only one"))

    def test_with_one_index_twice_are_refused(self) -> None:
        twice = document(1, "one", "two")
        twice["chunks"][1]["original_index"] = 0
        with raising(CorruptObjectError, "corrupt_object", "c.json", "doc_1", "original_index 0"):
            chunked(twice)

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"doc_id": 1}'])
    def test_of_a_file_without_a_list_are_refused(self, body: bytes) -> None:
        with raising(CorruptObjectError, "corrupt_object", "c.json"):
            read_chunked(body, "c.json")


class TestGoldenQuestions:
    DOCUMENTS = chunked(document(1, "one\n", "two"), document(2, "three")).documents
    GOOD = b'{"query": "Which?", "golden_chunk_uuids": [["u1", 0]]}\n'

    def read(self, body: bytes) -> tuple[GoldenQuestion, ...]:
        return read_golden_questions(body, "q.jsonl", self.DOCUMENTS)

    def test_have_the_texts_of_their_golden_chunks(self) -> None:
        body = b'{"query": "Which?", "answer": "This.", "golden_chunk_uuids": [["u1", 0], ["u2", 0]]}\n\n'
        assert self.read(body) == (GoldenQuestion("Which?", ("one\n", "three")),)

    @pytest.mark.parametrize(
        ("line", "named"),
        [
            (b"nothing", "JSON"),
            (b'{"query": "Which?"}', "golden_chunk_uuids"),
            (b'{"query": "Which?", "golden_chunk_uuids": []}', "golden_chunk_uuids"),
            (b'{"query": " ", "golden_chunk_uuids": [["u1", 0]]}', "query"),
            (b'{"query": "Which?", "golden_chunk_uuids": [["u1"]]}', "golden_chunk_uuids.0"),
        ],
    )
    def test_of_another_form_are_named_by_line(self, line: bytes, named: str) -> None:
        with raising(CorruptObjectError, "corrupt_object", "q.jsonl", "line 3", named):
            self.read(self.GOOD + b"\n" + line)

    @pytest.mark.parametrize(
        ("line", "named"),
        [
            (b'{"query": "Which?", "golden_chunk_uuids": [["u9", 0]]}', ["['u9', 0]"]),
            (b'{"query": "Which?", "golden_chunk_uuids": [["u1", 2]]}', ["['u1', 2]", "chunk 2", "doc_1"]),
            (b'{"query": "Which?", "golden_chunk_uuids": [["u1", "0"]]}', ["['u1', '0']"]),
        ],
    )
    def test_for_chunks_that_do_not_exist_are_named_by_line(self, line: bytes, named: list[str]) -> None:
        with raising(CorruptObjectError, "corrupt_object_reference", "q.jsonl", "line 3", *named):
            self.read(self.GOOD + b"\n" + line)

    def test_are_needed(self) -> None:
        with raising(CorruptObjectError, "corrupt_object_empty", "q.jsonl"):
            self.read(b"\n")


class TestDamagedFiles:
    """Any file is either read, or refused by name."""

    BODIES = (
        table(GOOD, ("When?", [reference("burns", 9)], "lamp")),
        json.dumps([document(1, "one\n", "two")]).encode(),
        b'{"query": "Which?", "golden_chunk_uuids": [["u1", 0], ["u2", 0]]}\n',
    )

    @given(
        st.sampled_from(range(3)),
        st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 40)), min_size=1, max_size=4),
    )
    def test_are_refused_by_name(self, which: int, edits: list[tuple[int, bytes, int]]) -> None:
        body = self.BODIES[which]
        for start, new, gone in edits:
            body = body[:start] + new + body[start + gone :]
        try:
            if which == 0:
                read_span_questions(body, "a file", FILES)
            elif which == 1:
                read_chunked(body, "a file")
            else:
                read_golden_questions(body, "a file", TestGoldenQuestions.DOCUMENTS)
        except CorruptObjectError as error:
            assert str(error).startswith("a file")  # noqa: PT017 - it need not be raised
