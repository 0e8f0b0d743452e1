"""Chunks: spans of a document, cut where an edit elsewhere does not move them."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextual_rag.model import Document, Paragraph
from contextual_rag.pipeline.chunks import split
from contextual_rag.recipe import Recipe

Kind = Literal["paragraph", "heading", "quote", "code", "note", "table"]
Piece = tuple[Kind, str]

SIZE = 60
LEFT_OVER = SIZE / 5
RECURSIVE = Recipe(chunk_size=SIZE)
SEEDS = Recipe(chunker="fixed", chunk_size=250, chunk_overlap=30)


def document(*pieces: Piece | str) -> Document:
    spans: list[Paragraph] = []
    text = ""
    for piece in pieces:
        kind, words = ("paragraph", piece) if isinstance(piece, str) else piece
        text += "\n\n" if spans else ""
        spans.append(Paragraph(start=len(text), end=len(text) + len(words), kind=kind))
        text += words
    return Document(
        slug="essay", url="http://essays.example/essay.html", title="T", date=None, text=text, paragraphs=tuple(spans)
    )


def spans(document: Document, recipe: Recipe) -> list[tuple[int, int]]:
    return [(chunk.start, chunk.end) for chunk in split(document, recipe)]


def texts(document: Document, recipe: Recipe = RECURSIVE) -> list[str]:
    return [chunk.text for chunk in split(document, recipe)]


def is_full(paragraph: Paragraph) -> bool:
    """Whether a paragraph ends a chunk whatever stands before it."""
    length = paragraph.end - paragraph.start
    return length > SIZE or (length >= SIZE // 2 and paragraph.kind != "heading")


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=300).map(str.strip).filter(bool)
# A word is drawn as one number, since what it is spelled of decides nothing: a list of letters takes ten times as long.
word = st.integers(0, 80).map(lambda n: ("abcdefghé" * 2)[n % 9 : n % 9 + n // 9 + 1])
words = st.lists(word, min_size=1, max_size=8).map(" ".join)
# Six of the longest words are one letter too long, so that hardly any has to be drawn again.
short = st.lists(word, min_size=1, max_size=6).map(" ".join).filter(lambda text: len(text) < SIZE)
sentences = short.map(lambda text: f"{text.capitalize()}.")
prose = st.lists(sentences, min_size=1, max_size=4).map(" ".join)
odd_documents = st.lists(anything, max_size=6).map(lambda pieces: document(*pieces))
pieces_ = st.one_of(
    st.tuples(st.sampled_from(["paragraph", "quote", "note", "code"]), prose),
    st.tuples(st.just("heading"), words),
)
essays = st.lists(pieces_, max_size=10)
recipes = st.builds(
    lambda chunker, size, share: Recipe(
        chunker=chunker, chunk_size=size, chunk_overlap=int(size * share) if chunker == "fixed" else 0
    ),
    st.sampled_from(["fixed", "recursive"]),
    st.integers(50, 200),
    st.floats(0, 0.99),
)


class TestBothChunkers:
    @given(odd_documents, recipes)
    def test_a_chunk_is_the_text_at_its_own_span(self, document: Document, recipe: Recipe) -> None:
        for chunk in split(document, recipe):
            assert document.text[chunk.start : chunk.end] == chunk.text

    @given(odd_documents, recipes)
    def test_no_chunk_is_empty_or_longer_than_the_size_or_has_white_space_at_an_end(
        self, document: Document, recipe: Recipe
    ) -> None:
        for text in texts(document, recipe):
            assert 0 < len(text) <= recipe.chunk_size
            assert text == text.strip()

    @given(odd_documents, recipes)
    def test_every_character_that_is_not_white_space_stands_in_a_chunk(
        self, document: Document, recipe: Recipe
    ) -> None:
        covered = {i for start, end in spans(document, recipe) for i in range(start, end)}
        assert [i for i, c in enumerate(document.text) if not c.isspace() and i not in covered] == []

    @given(odd_documents, recipes)
    def test_chunks_come_in_the_order_of_the_text_and_none_twice(self, document: Document, recipe: Recipe) -> None:
        found = spans(document, recipe)
        assert found == sorted(set(found))

    @given(st.lists(pieces_, min_size=1, max_size=6), recipes)
    def test_the_same_document_gives_the_same_chunks(self, pieces: list[Piece], recipe: Recipe) -> None:
        assert split(document(*pieces), recipe) == split(document(*pieces), recipe)

    @pytest.mark.parametrize("recipe", [RECURSIVE, SEEDS])
    def test_a_document_without_text_has_no_chunks(self, recipe: Recipe) -> None:
        assert split(document(), recipe) == ()


class TestFixed:
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.integers(0, 60))
    def test_windows_are_those_of_the_workflow_before_this_one(self, piece: str, times: int) -> None:
        text = piece * times
        windows = [(i, text[i : i + 250]) for i in range(0, len(text), 220)]
        # A last window that lies within the one before it says nothing new and is left out.
        if len(windows) > 1 and len(windows[-1][1]) <= 30:
            windows.pop()
        assert texts(document(text), SEEDS) == [window.strip() for _, window in windows if window.strip()]

    def test_neighbours_share_their_overlap(self) -> None:
        text = "".join(chr(0x4E00 + i) for i in range(700))
        first, second, third, *rest = texts(document(text), SEEDS)
        assert first[-30:] == second[:30]
        assert second[-30:] == third[:30]
        assert (len(first), len(second), len(third), rest) == (250, 250, 250, [text[660:]])


class TestRecursive:
    @given(st.lists(st.lists(sentences, min_size=1, max_size=6), min_size=1, max_size=5))
    def test_never_splits_a_sentence_that_fits(self, paragraphs: list[list[str]]) -> None:
        essay = document(*map(" ".join, paragraphs))
        found = spans(essay, RECURSIVE)
        for paragraph, span in zip(paragraphs, essay.paragraphs, strict=True):
            start = span.start
            for sentence in paragraph:
                end = start + len(sentence)
                assert essay.text[start:end] == sentence
                assert any(first <= start and end <= last for first, last in found)
                start = end + 1

    @given(st.lists(words, min_size=8, max_size=20).map(" ".join))
    def test_cuts_a_sentence_that_does_not_fit_between_words(self, sentence: str) -> None:
        assert " ".join(texts(document(sentence))).split() == sentence.split()

    @given(essays)
    def test_a_paragraph_that_fits_stands_whole_in_one_chunk(self, pieces: list[Piece]) -> None:
        essay = document(*pieces)
        found = spans(essay, RECURSIVE)
        for paragraph in essay.paragraphs:
            if paragraph.end - paragraph.start <= SIZE:
                assert any(first <= paragraph.start and paragraph.end <= last for first, last in found)

    @given(essays)
    def test_after_a_paragraph_of_half_the_size_or_more_comes_nothing_but_what_is_left_over(
        self, pieces: list[Piece]
    ) -> None:
        essay = document(*pieces)
        found = spans(essay, RECURSIVE)
        for paragraph in filter(is_full, essay.paragraphs):
            end = next(end for start, end in found if start < paragraph.end <= end)
            after = [min(p.end, end) - p.start for p in essay.paragraphs if paragraph.end < p.start < end]
            assert all(length < LEFT_OVER for length in after)

    def test_a_short_paragraph_joins_what_follows_while_there_is_room(self) -> None:
        short, half = "short one", "h" * 30
        assert texts(document(short, short, half, short, short)) == [
            f"{short}\n\n{short}\n\n{half}",
            f"{short}\n\n{short}",
        ]
        assert texts(document(short, "f" * 50)) == [short, "f" * 50]
        assert texts(document(half[1:], "thirteen long")) == [f"{half[1:]}\n\nthirteen long"]
        assert texts(document(half, "thirteen long")) == [half, "thirteen long"]

    def test_what_is_left_over_joins_what_stands_before_it_while_there_is_room(self) -> None:
        half, over, long = "h" * 30, "eleven long", "twelve long."
        assert texts(document(half, over)) == [f"{half}\n\n{over}"]
        assert texts(document(half, long)) == [half, long]
        assert texts(document("f" * 47, over)) == [f"{'f' * 47}\n\n{over}"]
        assert texts(document("f" * 48, over)) == ["f" * 48, over]
        assert texts(document(half, ("heading", "A"), "note", ("heading", "B"), "b")) == [
            f"{half}\n\nA\n\nnote\n\nB\n\nb"
        ]

    @pytest.mark.parametrize(("length", "chunks"), [(SIZE - 1, 1), (SIZE, 1), (SIZE + 1, 2)])
    def test_cuts_a_paragraph_just_where_it_is_longer_than_the_size(self, length: int, chunks: int) -> None:
        assert len(texts(document(("ab " * 30)[: length - 1] + "c"))) == chunks

    @given(essays)
    def test_a_heading_begins_a_chunk_or_what_is_left_over(self, pieces: list[Piece]) -> None:
        essay = document(*pieces)
        starts = {start for start, _ in spans(essay, RECURSIVE)}
        before: Kind = "paragraph"
        for paragraph in essay.paragraphs:
            if paragraph.kind == "heading" and before != "heading":
                assert paragraph.start in starts or paragraph.end - paragraph.start < LEFT_OVER
            before = paragraph.kind

    @given(st.lists(pieces_, min_size=2, max_size=10))
    def test_a_heading_stands_with_what_follows_it_if_both_fit(self, pieces: list[Piece]) -> None:
        essay = document(*pieces)
        found = spans(essay, RECURSIVE)
        before, first = "paragraph", 0
        for paragraph, after in zip(essay.paragraphs, essay.paragraphs[1:], strict=False):
            if paragraph.kind == "heading" and before != "heading":
                first = paragraph.start  # of several headings in a row
            if paragraph.kind == "heading" and after.end - first <= SIZE:
                assert any(start <= paragraph.start and after.end <= end for start, end in found)
            before = paragraph.kind

    def test_a_heading_is_no_end_of_the_section_before_it(self) -> None:
        essay = document("A last remark of thirty letters", ("heading", "Notes"), "[1] A note.")
        assert texts(essay) == ["A last remark of thirty letters", "Notes\n\n[1] A note."]
        essay = document("A short remark.", ("heading", "Notes"), "[1] A note.")
        assert texts(essay) == ["A short remark.", "Notes\n\n[1] A note."]


class TestRows:
    """A table, and code: lines that belong together."""

    @pytest.mark.parametrize("kind", ["table", "code", "paragraph"])
    def test_are_never_cut_if_one_fits(self, kind: Kind) -> None:
        rows = [f"lamp {n} | It rang. It burned." for n in range(12)]
        chunks = texts(document((kind, "\n".join(rows))))
        assert len(chunks) > 1
        assert [row for chunk in chunks for row in chunk.split("\n")] == rows

    def test_of_a_record_each_stay_together_if_they_fit(self) -> None:
        records = [f"lamp: {'Ostrey' * n}\nkeeper: Pym" for n in (1, 5, 3)]
        chunks = texts(document(*records))
        assert all(any(record in chunk for chunk in chunks) for record in records)


class TestEdits:
    """An edit changes only the chunks from the full paragraph before it to the second full one after it."""

    @given(essays, essays, essays, essays)
    def test_change_no_chunk_beyond_the_full_paragraph_after_the_next(
        self, head: list[Piece], old: list[Piece], new: list[Piece], tail: list[Piece]
    ) -> None:
        before, after = document(*head, *old, *tail), document(*head, *new, *tail)
        stable_until = max((p.start for p in before.paragraphs[: len(head)] if is_full(p)), default=0)
        assert [c for c in split(before, RECURSIVE) if c.end <= stable_until] == [
            c for c in split(after, RECURSIVE) if c.end <= stable_until
        ]
        full = [n for n, p in enumerate(before.paragraphs[len(head) + len(old) :], 1) if is_full(p)]
        if len(full) > 1:
            rest = len(tail) - full[1]
            assert ends_with(before, rest) == ends_with(after, rest)

    def test_keep_the_text_of_all_other_chunks(self) -> None:
        full = [f"Paragraph number {n} is about something else." for n in range(20)]
        edited = [*full[:7], "Now it says quite another thing, twice. And so on.", *full[8:]]
        kept = set(texts(document(*full))) & set(texts(document(*edited)))
        assert kept == {*full[:7], *full[8:]}


def ends_with(document: Document, paragraphs: int) -> list[str]:
    """The chunks that begin in the last so many paragraphs."""
    if not paragraphs:
        return []
    start = document.paragraphs[-paragraphs].start
    return [chunk.text for chunk in split(document, RECURSIVE) if chunk.start >= start]
