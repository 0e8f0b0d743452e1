"""What `rag ask` prints of an answer: its sources, and where each stands."""

from __future__ import annotations

import pytest

from contextual_rag.commands import ask as command
from contextual_rag.model import IndexedChunk, Place
from contextual_rag.qa.answer import Answer
from contextual_rag.qa.citations import check
from contextual_rag.qa.retrieve import Hit
from tests.small_world import passage

TEXT = "The sea rises twice a day.\n\nThe lamp burns all night."


def printed(chunk: IndexedChunk, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    text, citations = check(text, [chunk])
    hit = Hit(chunk, 1.0, 1, None, None)
    command.print_answer(Answer(text, False, citations, [hit], "v", {}))
    return capsys.readouterr().out


PLACED = passage(TEXT, "tide").model_copy(
    update={"places": (Place(start=0, where="page 3"), Place(start=28, where="page 4"))}
)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("“The sea rises” [1].", "page 3"),
        ("“The lamp burns” [1].", "page 4"),
        ("“The sea rises” [1]; “The lamp burns” [1].", "page 3, page 4"),
        ("It rises [1].", "page 3 – page 4"),
    ],
)
def test_a_source_names_the_places_of_what_is_cited(text: str, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"[1] Tide, {where}, March 2019" in printed(PLACED, text, capsys)


def test_a_source_of_an_unknown_place_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "[1] Tide, March 2019" in printed(passage(TEXT, "tide"), "“The sea rises” [1].", capsys)
