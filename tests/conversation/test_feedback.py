"""What readers said about answers: listed without names, and turned into questions that judge later answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contextual_rag.cli import app
from contextual_rag.conversation.client import Conversations
from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.feedback import question_of
from contextual_rag.conversation.model import Answer, Citation, Source, Turn
from contextual_rag.conversation.store import Store
from contextual_rag.evaluation.datasets import read_questions
from contextual_rag.settings import read_settings
from tests.small_world import passage

LOG = passage("She kept a log every day until 1977. It had 2,480 entries.", "skerrow")
QUOTES = ("kept a log every day", "It had 2,480 entries.")
Rate = Callable[..., Turn]


def answer(*quotes: str, **given: Any) -> Answer:
    """An answer that quotes, and that each of its quotations was found."""
    sources = (Source(n=1, chunk=LOG, score=1.0, bm25_rank=1, vector_rank=1, cosine=0.5),)
    found = tuple(Citation(n=1, quote=quote, start=0, end=9, verified=True, found_in=1) for quote in quotes)
    text = " ".join(f"“{quote}” [1]" for quote in quotes) or "The essays do not say."
    fields = {"status": "answered" if quotes else "abstained", "text": text, "sources": sources, "citations": found}
    return Answer.model_validate(fields | given)


@pytest.fixture
def rated(tmp_path: Path, conversations: Conversations) -> Iterator[Rate]:
    engine = create_engine(database_url(read_settings(data_dir=tmp_path)))

    def rate(question: str, said: Answer | None, feedback: int | None, comment: str = "", owner: str = "ada") -> Turn:
        turn = conversations.ask(None, owner, question, turn_id=uuid.uuid4().hex)
        if said:
            Store(engine).end(turn.id, said)
        if feedback or comment:
            conversations.rate(turn.id, owner, feedback, comment)
        return conversations.turn(turn.id, owner)

    yield rate
    engine.dispose()


@pytest.fixture
def rag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path))

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["feedback", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


class TestTheList:
    def test_has_every_readers_ratings_and_remarks_newest_first_without_their_names(
        self, rated: Rate, rag: Callable[..., str]
    ) -> None:
        rated("What did she keep?", answer(*QUOTES), 1)
        rated("Who was she?", answer(), -1, "It says so in the first line.", owner="grace")
        rated("And why?", answer(*QUOTES), None)
        rated("Not answered yet?", None, 1)
        said = json.loads(rag("--json"))
        assert [(one["rating"], one["question"], one["comment"]) for one in said] == [
            ("down", "Who was she?", "It says so in the first line."),
            ("up", "What did she keep?", ""),
        ]
        assert not any(name in rag("--json") for name in ("ada", "grace"))
        assert [one["question"] for one in json.loads(rag("--json", "--rating", "up"))] == ["What did she keep?"]
        assert "Who was she?" in rag()

    def test_says_that_there_is_nothing(self, conversations: Conversations, rag: Callable[..., str]) -> None:
        assert "No reader" in rag()
        assert json.loads(rag("--json")) == []


class TestTheQuestions:
    def test_are_those_of_thumbs_up_and_the_later_one_of_two(
        self, rated: Rate, rag: Callable[..., str], tmp_path: Path
    ) -> None:
        rated("What did she keep?", answer("every day until 1977"), 1)
        rated("And how long?", answer(*QUOTES, asked="log: How long did she keep it?"), 1)
        rated("What did she keep?", answer(*QUOTES), 1)
        rated("Who was she?", answer(*QUOTES), -1)
        rated("What did it cost?", answer(), 1)
        file = tmp_path / "questions.jsonl"
        rag("--questions", str(file))
        made = {one.question: one for one in read_questions(file.read_bytes(), "made")}
        assert list(made) == ["What did she keep?", "log: How long did she keep it?", "What did it cost?"]
        kept = made["What did she keep?"]
        assert (kept.holds, kept.kind) == (("|".join(QUOTES),), "liked")
        assert [(one.slug, one.content) for one in kept.references] == [("skerrow", QUOTES[0])]
        assert made["What did it cost?"].kind == "untold"

    @pytest.mark.parametrize(
        "said",
        [
            answer("a|b"),
            answer(*QUOTES, status="stopped", citations=()),
            answer("made up", citations=(Citation(n=1, quote="made up", start=0, end=9, verified=False),)),
        ],
        ids=["a sign that means or", "nothing quoted", "not found"],
    )
    def test_are_none_where_nothing_says_what_is_right(self, rated: Rate, said: Answer) -> None:
        assert question_of(rated("What did she keep?", said, 1)) is None
