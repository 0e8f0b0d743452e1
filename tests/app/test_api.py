"""The API over a real socket, for clients with keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from bench.days import SOURCE
from contextual_rag.conversation.model import Answer, Turn
from contextual_rag.model import Source
from contextual_rag.qa.filters import Filter
from tests.app.conftest import KEYS
from tests.conversing import ATTACK, Conversing, until

NAME = Source.at(SOURCE).name


class Event(NamedTuple):
    """A server-sent event."""

    kind: str
    id: str | None
    data: Any


def events(response: httpx.Response) -> Iterator[Event]:
    """Yield the events of a stream as they arrive."""
    fields: dict[str, str] = {}
    # This also ends lines at U+2028 and the like, as some clients do.
    for line in response.iter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
            fields = {}


@pytest.fixture
def anna(running: Conversing) -> Iterator[httpx.Client]:
    """A client with a key."""
    running.model.tokens_per_second = 400
    with running.api(authorization=f"Bearer {KEYS[0]}") as client:
        yield client


@pytest.fixture
def boris(running: Conversing) -> Iterator[httpx.Client]:
    """A client with another key."""
    with running.api(authorization=f"Bearer {KEYS[1]}") as client:
        yield client


def ask(client: httpx.Client, question: str, **more: str) -> list[Event]:
    """Ask, and return all events."""
    with client.stream("POST", "/ask", json={"question": question, **more}) as response:
        assert response.status_code == 200, response.read()
        return list(events(response))


class TestAsking:
    def test_the_answer_arrives_as_events_and_then_whole(self, anna: httpx.Client, running: Conversing) -> None:
        received = ask(anna, "When does the harbour freeze?")
        assert received[0].kind == "turn"
        assert received[-1].kind == "answer"
        answer = Answer.model_validate(received[-1].data)
        assert (answer.status, answer.version) == ("answered", running.versions[1])
        assert "April" in answer.text
        assert "".join(event.data["text"] for event in received if event.kind == "text").strip() == answer.said.strip()
        assert [event.id for event in received[1:-1]] == [str(n) for n in range(1, len(received) - 1)]

    def test_a_version_can_be_asked_by_name(self, anna: httpx.Client, running: Conversing) -> None:
        answer = ask(anna, "When does the harbour freeze?", version=running.versions[0])[-1].data
        assert "March" in answer["text"]

    def test_some_documents_can_be_asked_and_the_turn_keeps_the_filter(self, anna: httpx.Client) -> None:
        where = {"documents": ["KEEPER"], "types": ["html"]}
        question = {"question": "When does the harbour freeze?", "where": where, "stream": False}
        turn = Turn.model_validate(anna.post("/ask", json={**question, "turn": "of-some-documents"}).json())
        assert turn.answer
        assert turn.where == turn.answer.where == Filter.model_validate(where)
        assert {source.chunk.slug for source in turn.answer.sources} == {"keeper"}
        assert turn.where.summary in anna.get(f"/threads/{turn.thread_id}/export").text.replace("\\", "")
        other = anna.post("/ask", json={"question": question["question"], "turn": "of-some-documents"})
        assert (other.status_code, other.json()["code"]) == (409, "question_reused")

    @pytest.mark.parametrize(
        ("where", "matching"),
        [
            ({"authors": ["ann lee", "Bo Ray"]}, {"orchard", "keeper"}),
            ({"authors": ["Bo Ray"], "documents": ["orchard"]}, set()),
            ({"sources": [NAME], "documents": ["harbour"], "until": "2026-03-01"}, {"harbour"}),
            ({"since": "2026-04-01"}, set()),
        ],
    )
    def test_a_question_is_asked_of_what_matches_alone(
        self, anna: httpx.Client, where: dict[str, Any], matching: set[str]
    ) -> None:
        asked = {"question": "Who planted the orchard?", "where": where, "stream": False}
        turn = Turn.model_validate(anna.post("/ask", json=asked).json())
        assert turn.answer
        assert {source.chunk.slug for source in turn.answer.sources} == matching
        assert turn.where == Filter.model_validate(where)

    def test_after_a_lost_connection_the_client_gets_the_rest(self, anna: httpx.Client, running: Conversing) -> None:
        running.model.tokens_per_second = 2
        with anna.stream("POST", "/ask", json={"question": "When does the harbour freeze?"}) as response:
            first = []
            for event in events(response):
                first.append(event)
                if event.kind == "text":
                    break
        running.model.tokens_per_second = 400
        turn = first[0].data["id"]
        with anna.stream("GET", f"/turns/{turn}/events", headers={"Last-Event-ID": first[-1].id or ""}) as response:
            rest = list(events(response))
        assert int(rest[1].id or 0) == int(first[-1].id or 0) + 1
        text = "".join(event.data["text"] for event in [*first, *rest] if event.kind == "text")
        assert text.strip() == rest[-1].data["said"].strip()

    def test_asking_twice_with_one_id_asks_once(self, anna: httpx.Client, running: Conversing) -> None:
        once = ask(anna, "Who kept the lighthouse?", turn="chosen-by-the-client")
        calls = len(running.model.calls("chat"))
        again = ask(anna, "Who kept the lighthouse?", turn="chosen-by-the-client")
        assert again[-1].data == once[-1].data
        assert len(running.model.calls("chat")) == calls

    def test_asking_at_once_with_one_id_asks_once(self, anna: httpx.Client) -> None:
        with ThreadPoolExecutor(4) as pool:
            turns = list(
                pool.map(lambda _: ask(anna, "Who kept the lighthouse?", turn="asked-at-once")[0].data, range(4))
            )
        assert len({turn["thread_id"] for turn in turns}) == 1
        assert len(anna.get(f"/threads/{turns[0]['thread_id']}").json()["turns"]) == 1

    def test_asking_something_else_with_the_same_id_is_refused(self, anna: httpx.Client) -> None:
        ask(anna, "Who kept the lighthouse?", turn="asked-something")
        for other in ({"question": "Who planted the orchard?"}, {"version": "2020-01-01-00000000"}):
            body = {"question": "Who kept the lighthouse?", "turn": "asked-something", **other}
            refused = anna.post("/ask", json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, "question_reused")

    def test_the_answer_can_arrive_as_a_whole(self, anna: httpx.Client) -> None:
        whole = anna.post("/ask", json={"question": "When does the harbour freeze?", "stream": False})
        assert whole.headers["content-type"] == "application/json"
        turn = Turn.model_validate_json(whole.content)
        assert turn.answer is not None
        assert "April" in turn.answer.text
        assert anna.get(f"/turns/{turn.id}").json() == whole.json()

    def test_events_are_one_json_text_on_one_line_as_described(self, anna: httpx.Client) -> None:
        schemas = anna.get("/openapi.json").json()["components"]["schemas"]
        kinds = {one["title"]: one["properties"]["data"] for one in schemas["StreamEvent"]["oneOf"]}
        question = "harbour\u2028freeze\u2029or\x85not?"
        received = ask(anna, question)
        assert received[0].data["question"] == question
        assert {"turn", "stage", "sources", "text", "answer"} <= {event.kind for event in received} <= kinds.keys()
        for event in received:
            described = schemas[kinds[event.kind]["contentSchema"]["$ref"].rpartition("/")[2]]
            assert set(described["required"]) <= event.data.keys() <= described["properties"].keys()

    def test_stop_keeps_the_text_so_far(self, anna: httpx.Client, running: Conversing) -> None:
        running.model.tokens_per_second = 2
        with anna.stream("POST", "/ask", json={"question": "Who planted the orchard?"}) as response:
            following = events(response)
            turn = next(following).data["id"]
            text = next(event.data["text"] for event in following if event.kind == "text")
            assert anna.post(f"/turns/{turn}/stop").status_code == 202
            answer = list(following)[-1].data
        assert answer["status"] == "stopped"
        assert answer["said"].startswith(text)

    def test_a_models_text_is_data(self, anna: httpx.Client) -> None:
        answer = ask(anna, "Where is the trapdoor under the rug by the stove?")[-1].data
        assert "<script>" in answer["text"]
        assert answer["tools"] == []
        assert ATTACK[:20] in json.dumps(answer)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"question": ""}, 422),
            ({"question": "x" * 5000}, 422),
            ({"question": "Who?", "thread": "no-such-thread"}, 404),
            ({"question": "Who?", "version": "2020-01-01-00000000"}, 404),
            ({"question": "Who?", "version": "../CURRENT"}, 404),
            ({"question": "Who?", "version": "\x00"}, 404),
            ({"question": "Who?", "version": "\u2028" * 100}, 404),
            ({"question": "Who?", "turn": "short"}, 422),
            ({"question": "Who?", "where": {"documents": ["harbor"]}}, 404),
            ({"question": "Who?", "where": {"document": ["harbour"]}}, 422),
            ({"question": "Who?", "where": {"authors": ["Ann"]}}, 404),
            ({"question": "Who?", "where": {"since": "2020-01-02", "until": "2020-01-01"}}, 422),
            ({"question": "Who?", "where": {"types": ["\x00"]}}, 404),
        ],
    )
    def test_invalid_questions_are_refused(self, anna: httpx.Client, body: dict[str, Any], status: int) -> None:
        refused = anna.post("/ask", json=body)
        assert refused.status_code == status
        assert "Traceback" not in refused.text


class TestAuthorisation:
    @pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer other"}, {"authorization": f"Basic {KEYS[0]}"}])
    def test_a_key_is_required(self, running: Conversing, headers: dict[str, str]) -> None:
        with running.api(**headers) as stranger:
            for path in ("/threads", "/versions", "/search?q=harbour", "/turns/some-turn-id", "/metrics"):
                refused = stranger.get(path)
                assert refused.status_code == 401
                assert KEYS[0] not in refused.text
            assert stranger.post("/ask", json={"question": "Who?"}).status_code == 401
            assert stranger.get("/health").json() == {"status": "ok"}

    def test_only_the_owner_sees_a_conversation(self, anna: httpx.Client, boris: httpx.Client) -> None:
        turn = ask(anna, "Who kept the lighthouse?")[0].data
        thread = turn["thread_id"]
        assert thread in {one["id"] for one in anna.get("/threads").json()}
        assert thread not in {one["id"] for one in boris.get("/threads").json()}
        for method, path in (
            ("GET", f"/threads/{thread}"),
            ("GET", f"/threads/{thread}/export"),
            ("DELETE", f"/threads/{thread}"),
            ("GET", f"/turns/{turn['id']}"),
            ("GET", f"/turns/{turn['id']}/events"),
            ("POST", f"/turns/{turn['id']}/stop"),
        ):
            assert boris.request(method, path).status_code == 404
        for body in ({"thread": thread}, {"turn": turn["id"]}, {"thread": thread, "turn": turn["id"]}):
            for question in ("And she?", "Who kept the lighthouse?"):
                assert boris.post("/ask", json={"question": question, **body}).status_code == 404
        unknown = boris.get("/turns/never-asked-by-anyone").json()
        assert boris.get(f"/turns/{turn['id']}").json()["code"] == unknown["code"] == "unknown_turn"
        assert anna.get(f"/threads/{thread}").status_code == 200


class TestConversations:
    def test_they_are_named_searched_exported_rated_and_deleted(self, anna: httpx.Client) -> None:
        turn = ask(anna, "How many pear trees were planted?")[0].data
        path = f"/threads/{turn['thread_id']}"
        assert anna.patch(path, json={"title": "Pears"}).json()["title"] == "Pears"
        found = anna.get("/threads", params={"search": "pear trees"}).json()
        assert turn["thread_id"] in {one["id"] for one in found}
        assert "How many pear trees" in anna.get(f"{path}/export").text
        assert anna.get(f"{path}/export", params={"form": "json"}).json()
        rated = anna.put(f"/turns/{turn['id']}/feedback", json={"feedback": 1, "comment": "Yes."})
        assert rated.status_code == 204
        [kept] = anna.get(path).json()["turns"]
        assert (kept["feedback"], kept["comment"]) == (1, "Yes.")
        assert anna.delete(path).status_code == 204
        assert anna.get(path).status_code == 404


class TestTheRest:
    def test_search_returns_passages_and_scores(self, anna: httpx.Client, running: Conversing) -> None:
        found = anna.get("/search", params={"q": "When does the harbour freeze?", "k": 2}).json()
        assert found["version"] == running.versions[1]
        assert found["hits"][0]["chunk"]["slug"] == "harbour"
        assert [hit["n"] for hit in found["hits"]] == [1, 2]

    def test_search_finds_some_documents_alone(self, anna: httpx.Client, running: Conversing) -> None:
        asked: dict[str, Any] = {"q": "When does the harbour freeze?", "k": 9}
        for where, matching in (
            ({"document": ["orchard", "Keeper"], "type": "html"}, {"orchard", "keeper"}),
            ({"author": ["ann lee", "Bo Ray"]}, {"orchard", "keeper"}),
            ({"author": "Bo Ray", "document": "orchard"}, set()),
            ({"source": NAME, "since": "2026-03-31"}, {"harbour", "keeper", "orchard", "trapdoor"}),
            ({"until": "2026-02-28"}, set()),
        ):
            found = anna.get("/search", params={**asked, **where}).json()
            assert {hit["chunk"]["slug"] for hit in found["hits"]} == matching
        for wrong, status, code in (
            ({"source": "nowhere"}, 404, "unknown_document_source"),
            ({"document": "habrour"}, 404, "unknown_document"),
            ({"author": "Ann"}, 404, "unknown_document_author"),
            ({"type": "pdf"}, 404, "unknown_document_type"),
            ({"since": "2020-01-02", "until": "2020-01-01"}, 422, "question_range"),
            ({"since": "soon"}, 422, "request_invalid"),
            ({"document": ""}, 422, "request_invalid"),
        ):
            refused = anna.get("/search", params={**asked, **wrong})
            assert (refused.status_code, refused.json()["code"]) == (status, code)

    def test_versions_are_listed_and_compared(self, anna: httpx.Client, running: Conversing) -> None:
        listed = anna.get("/versions").json()
        assert [(one["version"], one["current"]) for one in listed] == [
            (running.versions[1], True),
            (running.versions[0], False),
        ]
        compared = anna.get(f"/versions/{running.versions[0]}/diff/{running.versions[1]}").json()
        assert compared["changed"] == ["harbour"]

    def test_it_is_ready_while_a_worker_runs(self, anna: httpx.Client, running: Conversing) -> None:
        assert anna.get("/ready").json()["ready"] is True
        assert "rag_worker_up 1.0" in anna.get("/metrics").text
        running.worker.kill()
        try:
            until(lambda: anna.get("/ready").status_code == 503, "the end of its heartbeats")
            assert "rag worker" in anna.get("/ready").json()["problem"]
            assert "rag_worker_up 0.0" in anna.get("/metrics").text
        finally:
            running.start_worker()
        assert anna.get("/ready").status_code == 200

    def test_its_documentation_loads_no_scripts(self, anna: httpx.Client) -> None:
        described = anna.get("/docs")
        assert "/turns/{turn}/events" in described.text
        assert "<script" not in described.text
        assert "default-src 'self'" in described.headers["content-security-policy"]
        assert "/ask" in anna.get("/openapi.json").json()["paths"]
