"""Patterns over foreign text whose parts can match the same characters: a short text must not take for ever."""

from __future__ import annotations

import pytest

from contextual_rag.model import Entry
from contextual_rag.qa.notes import without_note_marks
from contextual_rag.readers.authors import names_in
from contextual_rag.readers.text import read_markdown

MANY = 2000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["lit" + "¹" * MANY + "a", "lit" + "¹⁻" * MANY + "¹a", f"x ({'a' * 70}1)² b"])
def test_marks_of_notes_are_looked_for_in_time(text: str) -> None:
    assert without_note_marks(text) == text


@pytest.mark.timeout(20)
def test_names_are_told_apart_in_time() -> None:
    assert names_in(["and " * 40 + "!"]) == ("and " * 40 + "!",)
    assert names_in(["Agnes Quill, Ann B. Thole and Obadiah Pym"]) == ("Agnes Quill", "Ann B. Thole", "Obadiah Pym")
    assert names_in(["Quill, Agnes"]) == ("Quill, Agnes",)


@pytest.mark.timeout(20)
def test_a_text_between_rules_is_told_from_front_matter_in_time() -> None:
    entry = Entry(slug="a", url="file:a.md", title="A")
    said = "# " * 40 + "!\nIt burned all night."
    assert said in read_markdown(f"---\n{said}\n---\nIt rang.\n".encode(), entry).text
    assert read_markdown(b"---\n# by hand\ntitle: Lamps\n---\nIt rang.\n", entry).title == "Lamps"
