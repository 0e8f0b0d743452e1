"""The index: its rows, its words, and the name that says what it contains."""

from __future__ import annotations

import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.model import Chunk, Document, EssayKeys, Paragraph
from contextual_rag.pipeline.contexts import chunk_ids
from contextual_rag.pipeline.index import content_digest, rows, tokenise, version_id
from contextual_rag.recipe import Recipe

IDS = ["b" * 32, "a" * 32]
ESSAYS = [
    EssayKeys(
        slug=slug,
        url=f"http://essays.example/{slug}.html",
        title=slug.title(),
        document=f"d-{slug}",
        chunks=f"c-{slug}",
        contexts=f"x-{slug}",
        embeddings=f"e-{slug}",
    )
    for slug in ("jug", "log", "sea", "gauge")
]


class TestTokenise:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Naïve café, ÉLAN", ["naive", "cafe", "elan"]),
            ("ﬁve ½ STRASSE Straße", ["five", "1", "2", "strasse", "strasse"]),
            ("the sea's edge, the sea’s edge", ["the", "sea", "edge", "the", "sea", "edge"]),
            ("a 'sea' and 'some say'", ["a", "sea", "and", "some", "say"]),
            ("the keepers' log; don’t", ["the", "keepers", "log", "don", "t"]),
            ("2,480 entries—e.g. C3PO", ["2", "480", "entries", "e", "g", "c3po"]),
            ("", []),
            ("… — !", []),
        ],
    )
    def test_gives_words_without_accents_case_and_possessive(self, text: str, words: list[str]) -> None:
        assert tokenise(text, "none") == words

    def test_stems_english(self) -> None:
        assert tokenise("Writers were writing; the writer's notes", "english") == [
            "writer", "were", "write", "the", "writer", "note",
        ]  # fmt: skip

    @given(st.lists(st.text("abcdé", min_size=1, max_size=8), max_size=8))
    def test_finds_the_same_words_however_they_are_spelled(self, words: list[str]) -> None:
        text = " ".join(words)
        expected = tokenise(text, "english")
        assert tokenise(text.upper(), "english") == expected
        assert tokenise(unicodedata.normalize("NFD", text), "english") == expected
        assert tokenise(", ".join(words), "english") == expected

    @given(st.text())
    def test_takes_any_text(self, text: str) -> None:
        assert all(re.fullmatch(r"\w+", word) for word in tokenise(text, "none"))

    def test_may_be_asked_from_many_threads(self) -> None:
        texts = [f"writing number{n} of the keepers " * 50 for n in range(40)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda text: tokenise(text, "english"), texts)) == [
                tokenise(text, "english") for text in texts
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
        first, second = rows(self.essay, self.chunks, ["the first", ""])
        assert first.model_dump(exclude={"chunk_id"}) == {
            "slug": "log",
            "title": "The Log",
            "url": "http://essays.example/log.html",
            "date": "March 2019",
            "start": 0,
            "end": 9,
            "text": "One here.",
            "context": "the first",
        }
        assert (second.start, second.end, second.text) == (11, 20, "Two here.")

    def test_keep_context_and_text_apart_and_join_them_for_searching(self) -> None:
        first, second = rows(self.essay, self.chunks, ["the first", ""])
        assert first.contextual_text == "the first\n\nOne here."
        assert second.contextual_text == "Two here."

    def test_are_named_by_their_chunk_ids(self) -> None:
        contexts = ["the first", "the second"]
        ids = [row.chunk_id for row in rows(self.essay, self.chunks, contexts)]
        assert ids == chunk_ids("log", self.chunks, contexts)

    def test_ask_for_a_context_for_each_chunk(self) -> None:
        with pytest.raises(ValueError, match="shorter"):
            rows(self.essay, self.chunks, ["only one"])


class TestContentDigest:
    @given(st.permutations(ESSAYS))
    def test_does_not_depend_on_the_order_of_the_essays(self, essays: list[EssayKeys]) -> None:
        assert content_digest(essays, IDS, Recipe()) == content_digest(ESSAYS, IDS, Recipe())

    @pytest.mark.parametrize("field", ["slug", "url", "title", "embeddings"])
    def test_changes_with_what_the_rows_hold(self, field: str) -> None:
        changed = [ESSAYS[0].model_copy(update={field: "other"}), *ESSAYS[1:]]
        assert content_digest(changed, IDS, Recipe()) != content_digest(ESSAYS, IDS, Recipe())

    def test_changes_when_an_essay_comes_or_goes(self) -> None:
        digests = {content_digest(ESSAYS[:n], IDS, Recipe()) for n in range(len(ESSAYS) + 1)}
        assert len(digests) == len(ESSAYS) + 1

    def test_changes_with_the_recipe(self) -> None:
        assert content_digest(ESSAYS, IDS, Recipe(bm25_b=0.5)) != content_digest(ESSAYS, IDS, Recipe())

    def test_changes_with_the_chunks_and_not_with_their_order(self) -> None:
        assert content_digest(ESSAYS, IDS[::-1], Recipe()) == content_digest(ESSAYS, IDS, Recipe())
        assert content_digest(ESSAYS, IDS[:1], Recipe()) != content_digest(ESSAYS, IDS, Recipe())

    def test_is_eight_hex_digits(self) -> None:
        assert re.fullmatch(r"[0-9a-f]{8}", content_digest(ESSAYS, IDS, Recipe()))


class TestVersionId:
    def test_is_the_logical_date_and_the_content(self) -> None:
        assert version_id(date(2026, 3, 1), "0123abcd") == "2026-03-01-0123abcd"

    @given(st.dates(), st.dates())
    def test_sorts_by_logical_date(self, one: date, other: date) -> None:
        if one < other:
            assert version_id(one, "ffffffff") < version_id(other, "00000000")
