"""The index: its rows, and the name that says what it contains."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag import keys
from contextual_rag.model import Chunk, Document, Paragraph
from contextual_rag.pipeline.contexts import chunk_ids
from contextual_rag.pipeline.index import content_digest, rows, version_id
from contextual_rag.recipe import Recipe

IDS = ["b" * 32, "a" * 32]
# Slug, address, title and embeddings' key of each.
ESSAYS: list[tuple[str, ...]] = [
    (slug, f"http://essays.example/{slug}.html", slug.title(), f"e-{slug}") for slug in ("jug", "log", "sea", "gauge")
]


class TestRows:
    essay = Document(
        slug="log",
        url="http://essays.example/log.html",
        title="The Log",
        date="March 2019",
        text="One here.\n\nTwo here.",
        paragraphs=(Paragraph(start=0, end=9), Paragraph(start=11, end=20)),
    )
    chunks = (Chunk(start=0, end=9, text="One here."), Chunk(start=11, end=20, text="Two here."))

    def test_hold_all_that_an_answer_needs_to_cite_them(self) -> None:
        first, second = rows(self.essay, self.chunks, ["the first", ""], Recipe())
        assert first.model_dump(exclude={"chunk_id"}) == {
            "slug": "log",
            "title": "The Log",
            "url": "http://essays.example/log.html",
            "date": "March 2019",
            "start": 0,
            "end": 9,
            "text": "One here.",
            "context": "the first",
            "places": (),
            "where": None,
            "language": "en",
        }
        assert (second.start, second.end, second.text) == (11, 20, "Two here.")

    def test_keep_context_and_text_apart_and_join_them_for_searching(self) -> None:
        first, second = rows(self.essay, self.chunks, ["the first", ""], Recipe())
        assert first.contextual_text == "the first\n\nOne here."
        assert second.contextual_text == "Two here."

    def test_say_the_language_of_the_essay_or_the_one_that_the_recipe_says(self) -> None:
        text = "Der Fährmann hat die Laterne jeden Abend angezündet und über den Fluss gehalten."
        essay = self.essay.model_copy(update={"text": text})
        chunks = (Chunk(start=0, end=len(text), text=text),)
        assert [row.language for row in rows(essay, chunks, [""], Recipe())] == ["de"]
        assert [row.language for row in rows(essay, chunks, [""], Recipe(language="nl"))] == ["nl"]

    def test_are_named_by_their_chunk_ids(self) -> None:
        contexts = ["the first", "the second"]
        ids = [row.chunk_id for row in rows(self.essay, self.chunks, contexts, Recipe())]
        assert ids == chunk_ids(self.essay.url, self.chunks, contexts)

    def test_say_where_each_part_is_as_its_reader_does_or_else_below_which_heading(self) -> None:
        text = "# The Log\n\nOne.\n\n## At sea ##\n\nTwo.\n\nThree.\n\nFour."
        kinds = {"# The Log": "heading", "## At sea ##": "heading"}
        wheres = {"Three.": "page 2", "Four.": "page 3"}
        parts = [(text.index(part), part) for part in text.split("\n\n")]
        paragraphs = tuple(
            Paragraph.model_validate(
                {"start": at, "end": at + len(part), "kind": kinds.get(part, "paragraph"), "where": wheres.get(part)}
            )
            for at, part in parts
        )
        essay = self.essay.model_copy(update={"text": text, "paragraphs": paragraphs})
        two, three, four = (text.index(word) for word in ("Two.", "Three.", "Four."))
        spans = [(0, 16), (two, two + 4), (two, len(text)), (four, len(text))]
        chunks = tuple(Chunk(start=start, end=end, text=text[start:end]) for start, end in spans)
        found = rows(essay, chunks, [""] * len(chunks), Recipe())
        assert [row.where for row in found] == [None, "At sea", "At sea – page 3", "page 3"]
        whole = found[2]
        assert [whole.where_in(at, at + 4) for at in (two, three, four)] == ["At sea", "page 2", "page 3"]

    def test_say_on_which_lines_a_text_is_that_is_kept_as_it_was_written(self) -> None:
        text = "\nOne.\nMore.\n\n\nTwo.\n"
        spans = [(1, 11), (14, 18)]
        paragraphs = tuple(Paragraph(start=start, end=end) for start, end in spans)
        essay = self.essay.model_copy(update={"text": text, "paragraphs": paragraphs, "as_written": True})
        chunks = [Chunk(start=start, end=end, text=text[start:end]) for start, end in spans]
        assert [row.where for row in rows(essay, chunks, ["", ""], Recipe())] == ["lines 2–3", "line 6"]
        unlike = essay.model_copy(update={"as_written": False})
        assert [row.where for row in rows(unlike, chunks, ["", ""], Recipe())] == [None, None]
        assert essay.digest("") == unlike.digest("")

    def test_come_from_a_document_whose_key_a_place_changes_and_no_place_leaves(self) -> None:
        said = self.essay.model_dump(exclude={"as_written"})
        said["paragraphs"] = [{"start": p.start, "end": p.end, "kind": p.kind} for p in self.essay.paragraphs]
        assert self.essay.digest("p") == keys.digest("p", said)
        placed = tuple(p.model_copy(update={"where": "page 2"}) for p in self.essay.paragraphs)
        assert self.essay.model_copy(update={"paragraphs": placed}).digest("p") != self.essay.digest("p")

    def test_ask_for_a_context_for_each_chunk(self) -> None:
        with pytest.raises(ValueError, match="shorter"):
            rows(self.essay, self.chunks, ["only one"], Recipe())


class TestContentDigest:
    @given(st.permutations(ESSAYS))
    def test_does_not_depend_on_the_order_of_the_essays(self, essays: list[tuple[str, ...]]) -> None:
        assert content_digest(essays, IDS, "recipe") == content_digest(ESSAYS, IDS, "recipe")

    @pytest.mark.parametrize("place", range(4), ids=["slug", "url", "title", "embeddings"])
    def test_changes_with_what_the_rows_hold(self, place: int) -> None:
        changed = [(*ESSAYS[0][:place], "other", *ESSAYS[0][place + 1 :]), *ESSAYS[1:]]
        assert content_digest(changed, IDS, "recipe") != content_digest(ESSAYS, IDS, "recipe")

    def test_changes_when_an_essay_comes_or_goes(self) -> None:
        digests = {content_digest(ESSAYS[:n], IDS, "recipe") for n in range(len(ESSAYS) + 1)}
        assert len(digests) == len(ESSAYS) + 1

    def test_changes_with_the_recipe(self) -> None:
        assert content_digest(ESSAYS, IDS, "other") != content_digest(ESSAYS, IDS, "recipe")

    def test_changes_with_the_chunks_and_not_with_their_order(self) -> None:
        assert content_digest(ESSAYS, IDS[::-1], "recipe") == content_digest(ESSAYS, IDS, "recipe")
        assert content_digest(ESSAYS, IDS[:1], "recipe") != content_digest(ESSAYS, IDS, "recipe")

    def test_is_eight_hex_digits(self) -> None:
        assert re.fullmatch(r"[0-9a-f]{8}", content_digest(ESSAYS, IDS, "recipe"))


class TestVersionId:
    def test_is_the_logical_date_and_the_content(self) -> None:
        assert version_id(date(2026, 3, 1), "0123abcd") == "2026-03-01-0123abcd"

    @given(st.dates(), st.dates())
    def test_sorts_by_logical_date(self, one: date, other: date) -> None:
        if one < other:
            assert version_id(one, "ffffffff") < version_id(other, "00000000")
