"""The worker as a process: its command, its end, and its start."""

from __future__ import annotations

import base64
import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.model import TextEvent, Turn
from contextual_rag.conversation.progress import fold
from contextual_rag.conversation.store import Store
from contextual_rag.qa.filters import Filter
from contextual_rag.settings import Settings
from tests.conversation.conftest import Office
from tests.conversing import PATIENCE_S, until
from tests.forked import Forked
from tests.servers.together import TogetherServer


def environment(settings: Settings) -> dict[str, str]:
    """The settings in the environment of a command."""
    assert settings.aws_access_key_id
    assert settings.aws_secret_access_key
    return {
        "RAG_DATA_DIR": str(settings.data_dir),
        "RAG_BUCKET": settings.bucket,
        "AWS_ENDPOINT_URL": settings.aws_endpoint_url or "",
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id.get_secret_value(),
        "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key.get_secret_value(),
        "MILVUS_URI": settings.milvus_uri,
        "TOGETHER_BASE_URL": settings.together_base_url or "",
        "TOGETHER_API_KEY": settings.together_api_key.get_secret_value() if settings.together_api_key else "",
        "RAG_WEATHER_URL": "none",
    }


@contextmanager
def working(office: Office, **more: str) -> Iterator[Forked]:
    """Run `rag worker` until the block ends, then kill it."""
    since = office.conversations.worker_seen_at()
    worker = Forked(["worker"], environment(office.settings) | more)
    try:
        until(lambda: worker.returncode is not None or office.conversations.worker_seen_at() != since, "a sign of life")
        yield worker
    finally:
        if worker.returncode is None:
            worker.send_signal(signal.SIGKILL)
            worker.communicate(PATIENCE_S)


def set_records(office: Office, **values: str) -> None:
    """Change DBOS's records, like its own tools."""
    engine = create_engine(database_url(office.settings))
    with engine.begin() as connection:
        table = sa.table("workflow_status", *map(sa.column, values))
        connection.execute(sa.update(table).values(values))
    engine.dispose()


def delete_records(office: Office) -> None:
    engine = create_engine(database_url(office.settings))
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM workflow_status"))
    engine.dispose()


class TestTheCommand:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_ends_on_a_signal_and_the_next_one_continues(
        self, closed_office: Office, model: TogetherServer, number: int
    ) -> None:
        office = closed_office
        model.tokens_per_second = 20
        with working(office, RAG_TURN_TIMEOUT_S="60") as worker:
            turn = office.post("By whom was the lamp kept?")
            next(event for event in office.events(turn) if isinstance(event, TextEvent))
            worker.send_signal(number)
            worker.communicate(timeout=20)
            assert worker.returncode == 0
        assert office.conversations.turn(turn.id, None).answer is None
        model.tokens_per_second = None
        with working(office):
            seen = fold(office.events(turn))
            answer = office.answer(turn)
        assert (answer.status, answer.said) == ("answered", model.calls("chat")[-1].said)
        assert (seen.text, seen.restarted) == (answer.said, 1)
        assert len(model.calls("chat")) == 2

    def test_refuses_to_start_beside_a_running_one(self, closed_office: Office) -> None:
        with working(closed_office), working(closed_office) as second:
            _, err = second.communicate(PATIENCE_S)
            assert second.returncode == 1
            assert err.splitlines()[-1].startswith("Setting: ")
            assert "RAG_WORKER_ID" in err

    def test_ends_when_another_one_has_started_under_its_name(self, closed_office: Office) -> None:
        engine = create_engine(database_url(closed_office.settings))
        with working(closed_office) as worker:
            Store(engine).sign_on("worker")
            _, err = worker.communicate(PATIENCE_S)
            assert worker.returncode == 4
            assert err.splitlines()[-1].startswith("Conflict: ")
        engine.dispose()

    def test_answers_with_quotations_without_a_model(self, closed_office: Office, model: TogetherServer) -> None:
        office = closed_office
        with working(office, RAG_CHAT_MODEL="offline/quotes", RAG_RERANK_MODEL="none"):
            turn = office.post("By whom was the harbour kept?")
            seen = fold(office.events(turn))
            answer = office.answer(turn)
        assert (answer.status, answer.model) == ("answered", "offline/quotes")
        assert "“" in answer.text
        assert seen.text == answer.said
        assert all(citation.verified for citation in answer.citations)
        assert model.calls("chat") == []


def forget_steps(office: Office, turn: Turn, *names: str, was_asked_again: bool = True) -> None:
    """Make a turn as if its worker had died before it recorded these steps; or, as an earlier release began it."""
    engine = create_engine(database_url(office.settings))
    with engine.begin() as connection:
        for name in names:
            step = {"turn": turn.id, "name": name}
            connection.execute(
                sa.text("DELETE FROM operation_outputs WHERE workflow_uuid = :turn AND function_name = :name"), step
            )
        begun = {"turn": turn.id}
        where = "WHERE workflow_uuid = :turn AND function_name = 'begin'"
        if not was_asked_again:
            output = connection.execute(sa.text(f"SELECT output FROM operation_outputs {where}"), begun).scalar_one()
            before = pickle.loads(base64.b64decode(output))._replace(asks_again=False)
            begun["output"] = base64.b64encode(pickle.dumps(before)).decode()
            connection.execute(sa.text(f"UPDATE operation_outputs SET output = :output {where}"), begun)
        connection.execute(
            sa.text("UPDATE workflow_status SET status = 'PENDING', output = NULL WHERE workflow_uuid = :turn"), begun
        )
        connection.execute(sa.text("UPDATE turn SET answer = NULL, ended_at = NULL WHERE id = :turn"), begun)
    engine.dispose()


class TestWhatAWorkerFinds:
    def test_asks_a_model_that_cited_nothing_once_more_and_never_twice(
        self, closed_office: Office, model: TogetherServer
    ) -> None:
        office = closed_office
        model.fault("uncited", path="chat")
        with working(office):
            turn = office.post("By whom was the mill kept?")
            answer = office.answer(turn)
            until(lambda: records(office) == ["SUCCESS"], "the end of the workflow")
        first, second = model.calls("chat")
        assert (answer.said, first.said) == (second.said, "It is as you say.")

        forget_steps(office, turn, "save")
        with working(office):
            assert office.answer(turn).said == second.said
            until(lambda: records(office) == ["SUCCESS"], "the end of the workflow")
        assert len(model.calls("chat")) == 2

        # What an earlier release began is ended as that release would have.
        forget_steps(office, turn, "cite", "save", was_asked_again=False)
        with working(office):
            assert office.answer(turn).said == first.said
        assert len(model.calls("chat")) == 2

    def test_searches_again_by_the_filter_that_was_recorded(self, closed_office: Office) -> None:
        office, where = closed_office, Filter(documents=("mill",))
        with working(office):
            turn = office.post("By whom was the bell kept?", where=where)
            before = office.answer(turn)
            until(lambda: records(office) == ["SUCCESS"], "the end of the workflow")
        forget_steps(office, turn, "search", "save")
        with working(office):
            after = office.answer(turn)
        assert before.where == after.where == where
        assert {source.chunk.slug for source in after.sources} == {"mill"}
        assert after.sources == before.sources

    def test_answers_earlier_questions_in_order(self, closed_office: Office, model: TogetherServer) -> None:
        office = closed_office
        thread = office.thread()
        turns = [office.post(f"By whom was the {noun} kept?", thread) for noun in ("mill", "well", "bell", "kiln")]
        with working(office):
            answers = [office.answer(turn) for turn in turns]
        assert [answer.status for answer in answers] == ["answered"] * 4
        said = [call.said for call in model.calls("chat") if "Question:" in call.text]
        assert said == [answer.said for answer in answers]

    def test_ends_turns_that_were_stopped_before_its_start(self, closed_office: Office, model: TogetherServer) -> None:
        office = closed_office
        turn = office.post("By whom was the mill kept?")
        office.conversations.stop(turn.id, None)
        with working(office):
            assert office.answer(turn).status == "stopped"
        assert model.calls("chat") == []

    def test_gives_up_turns_of_deleted_threads(self, closed_office: Office, model: TogetherServer) -> None:
        office = closed_office
        thread = office.thread()
        office.post("By whom was the mill kept?", thread)
        office.conversations.delete(thread, None)
        with working(office):
            assert office.ask("By whom was the well kept?").status == "answered"
        assert not any("mill kept" in call.text for call in model.calls("chat"))

    def test_answers_turns_without_records(self, closed_office: Office) -> None:
        office = closed_office
        turn = office.post("By whom was the mill kept?")
        delete_records(office)
        with working(office):
            assert office.answer(turn).status == "answered"

    @pytest.mark.parametrize("status", ["CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
    def test_turns_that_ended_without_an_answer_are_explained_by_a_follower(
        self, closed_office: Office, status: str
    ) -> None:
        office = closed_office
        followed = office.post("By whom was the mill kept?")
        set_records(office, status=status)
        answer = office.answer(followed)  # no worker is there
        assert (answer.status, answer.text) == ("failed", "")
        assert "Ask again" in (answer.explanation or "")

    def test_turns_that_ended_without_an_answer_are_explained_by_the_worker(self, closed_office: Office) -> None:
        office = closed_office
        turn = office.post("By whom was the mill kept?")
        set_records(office, status="CANCELLED")
        with working(office):
            until(lambda: office.conversations.turn(turn.id, None).answer is not None, "an end")
        answer = office.conversations.turn(turn.id, None).answer
        assert answer is not None
        assert answer.status == "failed"

    def test_removes_records_of_finished_turns_but_keeps_answers(self, closed_office: Office) -> None:
        office = closed_office
        with working(office):
            turn = office.post("By whom was the mill kept?")
            answer = office.answer(turn)
            until(lambda: records(office) == ["SUCCESS"], "the end of the workflow")
        with working(office, RAG_TURN_RECORDS_HOURS="0"):
            until(lambda: records(office) == [], "removal")
        assert office.conversations.turn(turn.id, None).answer == answer


def records(office: Office) -> list[str]:
    """Return the states of DBOS's recorded workflows."""
    engine = create_engine(database_url(office.settings))
    with engine.connect() as connection:
        states = list(connection.execute(sa.text("SELECT status FROM workflow_status")).scalars())
    engine.dispose()
    return states
