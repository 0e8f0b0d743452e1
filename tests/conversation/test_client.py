"""Threads and turns for readers, without a worker."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from contextual_rag.conversation.client import Conversations
from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.export import as_markdown
from contextual_rag.conversation.model import Answer, Citation, Source, Thread, ToolUse, Turn
from contextual_rag.conversation.store import Store
from contextual_rag.errors import (
    QuestionError,
    ServiceUnavailableError,
    SettingError,
    UnknownThreadError,
    UnknownTurnError,
)
from contextual_rag.qa.filters import Filter
from contextual_rag.qa.query import LONGEST_QUESTION
from contextual_rag.qa.verdicts import CUT_OFF
from contextual_rag.settings import read_settings
from tests.raising import raising
from tests.small_world import passage


@pytest.fixture
def store(tmp_path: Path, conversations: Conversations) -> Iterator[Store]:
    """The same tables, seen by the worker."""
    engine = create_engine(database_url(read_settings(data_dir=tmp_path)))
    yield Store(engine)
    engine.dispose()


def ask(conversations: Conversations, thread: str, question: str = "Who kept a log?", owner: str | None = None) -> Turn:
    return conversations.ask(thread, owner, question, turn_id=uuid.uuid4().hex)


def said(text: str, **more: object) -> Answer:
    source = Source(
        n=1, chunk=passage("He kept a log of <b>tides</b>.", "log"), score=1.0, bm25_rank=1, vector_rank=1, cosine=0.5
    )
    citation = Citation(n=1, quote="kept a log of", start=3, end=16, verified=True)
    given = {"status": "answered", "text": text, "said": text, "sources": (source,), "citations": (citation,)}
    return Answer.model_validate(given | more)


def exported(answer: Answer) -> str:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    thread = Thread(id="t", owner=None, title="Tides", city=None, created_at=now, asked_at=now, turns=1)
    asked = {"id": "a", "thread_id": "t", "n": 1, "question": "Why?", "version": None, "created_at": now}
    turn = Turn.model_validate({**asked, "stopping": False, "answer": answer, "feedback": None, "comment": ""})
    return as_markdown(thread, [turn])


class TestThreads:
    def test_have_ids_that_cannot_be_guessed_and_titles_of_what_was_asked_first(
        self, conversations: Conversations
    ) -> None:
        threads = [conversations.start_thread(None) for _ in range(20)]
        assert len({thread.id for thread in threads}) == 20
        assert all(len(thread.id) >= 20 for thread in threads)
        ask(conversations, threads[0].id, "Who kept\n a log of " + "tides " * 40)
        ask(conversations, threads[0].id, "And why?")
        thread = conversations.thread(threads[0].id, None)
        assert thread.title.startswith("Who kept a log of tides")
        assert len(thread.title) <= 80
        assert thread.turns == 2

    def test_are_listed_from_the_newest_asked_without_those_where_nothing_was(
        self, conversations: Conversations
    ) -> None:
        first, second, _ = (conversations.start_thread(None) for _ in range(3))
        ask(conversations, second.id)
        ask(conversations, first.id)
        assert [thread.id for thread in conversations.threads(None)] == [first.id, second.id]
        ask(conversations, second.id)
        assert [thread.id for thread in conversations.threads(None, limit=1)] == [second.id]

    def test_are_found_by_words_of_titles_questions_and_answers(
        self, conversations: Conversations, store: Store
    ) -> None:
        named, asked, answered = (conversations.start_thread(None) for _ in range(3))
        for thread in (named, asked, answered):
            ask(conversations, thread.id, "Anything?")
        conversations.rename(named.id, None, "Éclairs, 100% of them")
        ask(conversations, asked.id, "What is a gauge_plate?")
        store.end(ask(conversations, answered.id).id, said("It is a Lighthouse."))

        def found(search: str) -> list[str]:
            return [thread.id for thread in conversations.threads(None, search=search)]

        assert found("éclairs") == [named.id]
        assert found("gauge_PLATE") == found("plate what") == [asked.id]
        assert found("lighthouse") == [answered.id]
        assert found("%") == [named.id]
        assert found("lighthouse gauge") == []

    def test_can_be_renamed_and_deleted_with_all_that_is_in_them(self, conversations: Conversations) -> None:
        thread = conversations.start_thread(None)
        turn = ask(conversations, thread.id)
        conversations.rename(thread.id, None, " Tides\nand ebbs ")
        assert conversations.thread(thread.id, None).title == "Tides and ebbs"
        conversations.delete(thread.id, None)
        with raising(UnknownThreadError, "unknown_thread"):
            conversations.thread(thread.id, None)
        with raising(UnknownTurnError, "unknown_turn"):
            conversations.turn(turn.id, None)
        with raising(UnknownThreadError, "unknown_thread"):
            ask(conversations, thread.id)

    def test_of_others_are_not_there(self, conversations: Conversations) -> None:
        thread = conversations.start_thread("ann")
        turn = ask(conversations, thread.id, owner="ann")
        for owner in ("bob", None, ""):
            assert conversations.threads(owner) == []
            for denied in (
                lambda owner=owner: conversations.thread(thread.id, owner),
                lambda owner=owner: conversations.turns(thread.id, owner),
                lambda owner=owner: ask(conversations, thread.id, owner=owner),
                lambda owner=owner: conversations.rename(thread.id, owner, "Mine"),
                lambda owner=owner: conversations.delete(thread.id, owner),
                lambda owner=owner: conversations.export(thread.id, owner, "json"),
            ):
                with raising(UnknownThreadError, "unknown_thread"):
                    denied()
            for denied_turn in (
                lambda owner=owner: conversations.turn(turn.id, owner),
                lambda owner=owner: list(conversations.follow(turn.id, owner)),
                lambda owner=owner: conversations.stop(turn.id, owner),
                lambda owner=owner: conversations.rate(turn.id, owner, 1),
            ):
                with raising(UnknownTurnError, "unknown_turn"):
                    denied_turn()
        assert [turn.question for turn in conversations.turns(thread.id, "ann")] == ["Who kept a log?"]

    def test_of_nobody_are_open_to_whoever_knows_their_id(self, conversations: Conversations) -> None:
        thread = conversations.start_thread(None)
        assert conversations.thread(thread.id, "ann").id == thread.id
        assert conversations.threads("ann") == []


class TestQuestions:
    @pytest.mark.parametrize("question", ["", " \n\t", "\x00", "x" * (LONGEST_QUESTION + 1)])
    def test_that_are_empty_or_too_long_are_refused(self, conversations: Conversations, question: str) -> None:
        thread = conversations.start_thread(None)
        with raising(QuestionError, "question_long" if len(question) > LONGEST_QUESTION else "question_empty"):
            ask(conversations, thread.id, question)
        assert conversations.turns(thread.id, None) == []

    def test_are_stored_without_what_no_database_takes(self, conversations: Conversations) -> None:
        thread = conversations.start_thread(None)
        turn = ask(conversations, thread.id, "Who \x00kept\ud83d a 🦊 log?")
        conversations.rename(thread.id, None, "T\x00ide\udc00s")
        conversations.rate(turn.id, None, 1, "\ud800")
        assert conversations.turn(turn.id, None).question == "Who kept a 🦊 log?"
        assert conversations.thread(thread.id, None).title == "Tides"
        assert [thread.title for thread in conversations.threads(None, search="kept\x00 \udc00")] == ["Tides"]
        with raising(UnknownThreadError, "unknown_thread"):
            conversations.thread("\x00\ud800", None)

    def test_cannot_be_asked_by_an_id_of_another_conversation(self, conversations: Conversations) -> None:
        one, other = (conversations.start_thread(None) for _ in range(2))
        turn = ask(conversations, one.id)
        with raising(QuestionError, "question_id"):
            conversations.ask(other.id, None, "And?", turn_id=turn.id)
        with raising(QuestionError, "question_id"):
            conversations.ask(one.id, None, "And?", turn_id="x' OR 1")

    def test_keeps_the_filter_it_was_asked_with(self, conversations: Conversations) -> None:
        where = Filter(documents=("jug",), types=("pdf",), since=date(2020, 1, 2))
        turn = conversations.ask(None, None, "Who?", turn_id="asked-of-some", where=where)
        assert conversations.turn(turn.id, None) == turn
        assert turn.where == where
        [asked] = conversations.turns(turn.thread_id, None)
        assert asked.where == where
        plain = conversations.ask(turn.thread_id, None, "And?", turn_id="asked-of-all", where=Filter())
        assert conversations.turn(plain.id, None).where is None

    @pytest.mark.parametrize(
        "how", [{"question": "And?"}, {"version": "2026-01-01-00000000"}, {"where": Filter(types=("pdf",))}]
    )
    def test_cannot_be_asked_by_an_id_of_another_question(
        self, conversations: Conversations, how: dict[str, Any]
    ) -> None:
        thread = conversations.start_thread(None).id
        turn = ask(conversations, thread)
        same: dict[str, Any] = {"question": f" {turn.question}\n", "turn_id": turn.id}
        assert conversations.ask(thread, None, **same) == conversations.ask(None, None, **same) == turn
        with raising(QuestionError, "question_reused"):
            conversations.ask(thread, None, **same | how)
        assert conversations.turns(thread, None) == [turn]

    @pytest.mark.parametrize("question", ["Who kept a log?", "And?"])
    def test_with_an_id_of_somebody_else_are_refused_like_an_id_of_nobody(
        self, conversations: Conversations, question: str
    ) -> None:
        turn = ask(conversations, conversations.start_thread("ann").id, owner="ann")
        for owner in ("bob", None):
            with raising(UnknownTurnError, "unknown_turn"):
                conversations.ask(None, owner, question, turn_id=turn.id)
            assert conversations.threads(owner) == []

    def test_without_a_conversation_that_are_asked_all_at_once_with_one_id_start_one(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(6) as pool:
            doors = list(pool.map(lambda _: Conversations(read_settings(data_dir=tmp_path)), range(6)))
            ids = [uuid.uuid4().hex for _ in range(4)] * 6
            turns = list(
                pool.map(lambda n: doors[n % 6].ask(None, None, "Who?", turn_id=ids[n], city="Oslo"), range(len(ids)))
            )
        assert {(turn.id, turn.n) for turn in turns} == {(turn_id, 1) for turn_id in ids}
        assert len({turn.thread_id for turn in turns}) == len(doors[0].threads(None)) == 4
        assert {thread.city for thread in doors[0].threads(None)} == {"Oslo"}
        with sqlite3.connect(tmp_path / "conversations.db") as database:
            assert database.execute("select count(*) from thread").fetchone() == (4,)
        for door in doors:
            door.close()

    def test_that_are_asked_all_at_once_get_a_number_each(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(6) as pool:
            doors = list(pool.map(lambda _: Conversations(read_settings(data_dir=tmp_path)), range(6)))
            thread = doors[0].start_thread(None)
            ids = [uuid.uuid4().hex for _ in range(8)] * 3

            def post(n: int) -> Turn:
                return doors[n % 6].ask(thread.id, None, "Who kept a log?", turn_id=ids[n])

            turns = list(pool.map(post, range(len(ids))))
        assert sorted({turn.n for turn in turns}) == list(range(1, 9))
        assert len(doors[0].turns(thread.id, None)) == 8
        for door in doors:
            door.close()

    def test_are_followed_without_an_end_while_nobody_answers(self, conversations: Conversations) -> None:
        turn = ask(conversations, conversations.start_thread(None).id)
        following = conversations.follow(turn.id, None, wait_s=0.01)
        assert [next(following), next(following)] == [None, None]
        assert conversations.worker_seen_at() is None

    def test_keep_what_the_reader_thinks_of_the_answer(self, conversations: Conversations) -> None:
        turn = ask(conversations, conversations.start_thread(None).id)
        conversations.rate(turn.id, None, -1, "It is not so.")
        rated = conversations.turn(turn.id, None)
        assert (rated.feedback, rated.comment) == (-1, "It is not so.")
        conversations.rate(turn.id, None, None)
        assert conversations.turn(turn.id, None).feedback is None
        with raising(QuestionError, "question_feedback"):
            conversations.rate(turn.id, None, 5)


class TestExports:
    @pytest.fixture
    def thread(self, conversations: Conversations, store: Store) -> str:
        thread = conversations.start_thread(None)
        tool = ToolUse(id="0.0", name="get_weather", arguments={"city": "Oslo"}, result="Rain.")
        answer = said("He “kept a log of” it [1].", tools=(tool,), version="2026-01-01-00000000", model="a-model")
        store.end(ask(conversations, thread.id, "Who <script>alert(1)</script> kept a *log*?").id, answer)
        ask(conversations, thread.id, "And why?")
        return thread.id

    def test_in_json_hold_all_that_is_stored(self, conversations: Conversations, thread: str) -> None:
        whole = json.loads(conversations.export(thread, None, "json"))
        turns = [Turn.model_validate(turn) for turn in whole["turns"]]
        assert turns == conversations.turns(thread, None)
        assert whole["thread"]["id"] == thread

    def test_in_markdown_are_to_be_read_and_hold_no_markup_of_others(
        self, conversations: Conversations, thread: str
    ) -> None:
        text = conversations.export(thread, None, "markdown")
        for part in ("He “kept a log of” it", "get_weather", "Rain.", "https://essays.example/log.html", "2026-01-01"):
            assert part in text
        assert "Not answered yet." in text
        assert "<script>" not in text.replace("\\<", "")
        assert "<b>" not in text.replace("\\<", "")

    @pytest.mark.parametrize(
        "name", ["a` ![x](https://elsewhere.example/p.png) `b", "![x][1]\n\n[1]: //elsewhere.example"]
    )
    def test_in_markdown_show_the_name_of_a_tool_and_an_address_as_text(self, name: str) -> None:
        tool = ToolUse(id="0", name=name, arguments={}, error="There is no such tool.")
        answer = said("So [1].", tools=(tool,), version=name, model=name)
        source = answer.sources[0]
        strange = source.model_copy(update={"chunk": source.chunk.model_copy(update={"url": f"javascript:{name}"})})
        text = exported(answer.model_copy(update={"sources": (strange,)}))
        html = MarkdownIt("gfm-like", {"linkify": False}).render(text)
        assert "<img" not in html
        assert "<a " not in html
        assert "There is no such tool." in html

    def test_in_markdown_say_the_state_of_each_citation(self) -> None:
        found = said("“kept a log of” [1]")
        lost = Citation(n=None, quote="of solid gold", start=None, end=None, verified=False)
        wrong = Citation(n=1, quote="kept a *diary*", start=0, end=9, verified=False)
        bare = Citation(n=1, quote="", start=0, end=9, verified=False)
        assert "Words found in the essay: “kept a log of”" in exported(found)
        text = exported(found.model_copy(update={"citations": (lost, wrong)}))
        assert "Words not found in any passage: “of solid gold”" in text
        assert "Words not found in the passage: “kept a \\*diary\\*”" in text
        assert "Words found" not in text
        assert "Cited, nothing quoted." in exported(found.model_copy(update={"citations": (bare,)}))
        assert "nothing quoted" not in exported(found)

    def test_in_markdown_say_that_an_answer_was_cut_off(self) -> None:
        assert CUT_OFF in exported(said("So", explanation=CUT_OFF, cut_off=True))

    @pytest.mark.parametrize(
        "text",
        [
            "x` ![p](https://elsewhere.example/p.png) `",
            "``x` ![p](https://elsewhere.example/p.png)",
            "x`\n\n<img src=https://elsewhere.example/p.png>\n\n`",
            "![p][1]\n\n[1]: https://elsewhere.example/p.png",
            "<https://elsewhere.example>",
        ],
    )
    def test_in_markdown_hold_no_image_and_no_link_of_others(
        self, conversations: Conversations, store: Store, text: str
    ) -> None:
        thread = conversations.start_thread(None)
        tools = [ToolUse(id="0", name=text, arguments={}, result=text), ToolUse(id="1", name="`", arguments={})]
        store.end(ask(conversations, thread.id, text).id, said(text, tools=tools, model=text, explanation=text))
        shown = MarkdownIt("commonmark").render(conversations.export(thread.id, None, "markdown"))
        assert "<img" not in shown
        assert set(re.findall(r"<a [^>]*>", shown)) == {'<a href="https://essays.example/log.html">'}


@pytest.mark.parametrize("url", ["mysql://somebody:secret@host/db", "sqlite://", "secret nonsense"])
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(url: str, tmp_path: Path) -> None:
    with raising(SettingError, "setting", "RAG_CONVERSATIONS_URL") as refused:
        database_url(read_settings(data_dir=tmp_path, conversations_url=url))
    assert "secret" not in str(refused.value)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://reader:secret@127.0.0.1:{nobody.getsockname()[1]}/chat"
        settings = read_settings(data_dir=tmp_path, conversations_url=url)
        with raising(ServiceUnavailableError, "service_unavailable", "RAG_CONVERSATIONS_URL") as refused:
            Conversations(settings)
    assert "secret" not in str(refused.value)
