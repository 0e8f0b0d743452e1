"""What programs read from `rag`, and what people see."""

from __future__ import annotations

import json
import re

import pytest

from contextual_rag.building.build import Built
from contextual_rag.keys import document
from contextual_rag.model import Document
from contextual_rag.objects import require
from contextual_rag.wiring import World
from tests.conftest import Rag
from tests.servers.airflow import AirflowServer

QUESTION = "What to do in the face of uncertainty?"


class TestJson:
    def test_of_ask_cites_words_that_stand_in_the_essay(self, built: Built, rag: Rag, world: World) -> None:
        answered = rag.json("ask", QUESTION)
        spent = {name: answered.pop(name) for name in ("prompt_tokens", "completion_tokens", "cost_usd")}
        said = {"answer", "abstained", "cut_off", "citations", "corrected", "nearest", "note"}
        assert set(answered) == said | {"version", "timings_ms", "where"}
        assert answered["where"] is None
        assert (answered["corrected"], answered["nearest"], answered["note"]) == (None, [], None)
        assert not any(spent.values()), "nothing costs anything offline"
        assert answered["version"] == built.version
        assert answered["citations"]
        essays = {essay.slug: essay for essay in world.registry.resolve().essays}
        for citation in answered["citations"]:
            assert set(citation) == {
                "n", "found_in", "chunk_id", "slug", "title", "url", "quote", "start", "end", "verified", "state",
                "where",
            }  # fmt: skip
            assert citation["verified"]
            assert f"[{citation['n']}]" in answered["answer"]
            text = require(world.store, document(essays[citation["slug"]].document), Document).text
            assert text[citation["start"] : citation["end"]] == citation["quote"]

    def test_of_ask_abstains_from_what_no_essay_treats(self, built: Built, rag: Rag, world: World) -> None:
        answered = rag.json("ask", "Which enzyme unwinds the DNA double helix?")
        assert answered["abstained"]
        assert answered["citations"] == []
        essays = {essay.slug for essay in world.registry.resolve().essays}
        assert len(answered["nearest"]) == 3
        assert {chunk["slug"] for chunk in answered["nearest"]} <= essays

    def test_of_search_has_ranks_of_both_searches(self, built: Built, rag: Rag) -> None:
        found = rag.json("search", QUESTION, "-k", "7")
        assert found["version"] == built.version
        assert len(found["hits"]) == 7
        for hit in found["hits"]:
            assert set(hit) == {
                "chunk_id", "slug", "title", "url", "start", "end", "text", "context", "score", "bm25_rank",
                "vector_rank", "where", "language",
            }  # fmt: skip
            assert hit["bm25_rank"] or hit["vector_rank"]
        scores = [hit["score"] for hit in found["hits"]]
        assert scores == sorted(scores, reverse=True)

    def test_of_some_essays_has_these_alone_and_the_filter(self, built: Built, rag: Rag) -> None:
        asked = ("--document", "jug", "--document", "When You Don't Know", "--type", "html", "--since", "1990-01-01")
        found = rag.json("search", QUESTION, *asked)
        assert {hit["slug"] for hit in found["hits"]} == {"jug", "uncertain"}
        answered = rag.json("ask", QUESTION, *asked)
        assert {citation["slug"] for citation in answered["citations"]} == {"uncertain"}
        named = {"documents": ["jug", "When You Don't Know"], "types": ["html"], "sources": [], "authors": []}
        assert answered["where"] == found["where"] == {**named, "since": "1990-01-01", "until": None}

    @pytest.mark.parametrize(
        ("wrong", "exit_code", "code"),
        [
            (("--document", "jugg"), 5, "unknown_document"),
            (("--since", "2020-01-02", "--until", "2020-01-01"), 1, "question_range"),
            (("--since", "soon"), 2, "usage"),
        ],
    )
    def test_of_a_wrong_filter_is_an_error(
        self, built: Built, rag: Rag, wrong: tuple[str, ...], exit_code: int, code: str
    ) -> None:
        done = rag.run("search", QUESTION, "--json", *wrong)
        assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (exit_code, code)

    def test_of_versions_names_the_recipe(self, built: Built, rag: Rag) -> None:
        (listed,) = rag.json("versions")
        assert set(listed) >= {"version", "current", "pinned", "created_at", "essays", "chunks", "recipe"}
        assert (listed["version"], listed["current"], listed["pinned"]) == (built.version, True, False)
        assert listed["recipe"]["chunk_size"] == 1350


@pytest.mark.parametrize("question", [QUESTION, "harbour tide gauge log", "Who is Mrs Kowalczyk?"])
def test_a_search_finds_the_same_in_the_same_order_in_every_process(built: Built, rag: Rag, question: str) -> None:
    # Started, not forked: how a process hashes strings is decided at its start, and the others' is another one.
    started = rag.start("search", question, "--json", PYTHONHASHSEED="1")
    forked = rag.json("search", question)
    assert len(forked["hits"]) == 10
    assert json.loads(started.communicate(timeout=100)[0]) == forked


class TestPeople:
    def test_are_told_when_no_key_is_set(self, built: Built, rag: Rag) -> None:
        assert "No TOGETHER_API_KEY" in rag.run("ask", QUESTION).stderr

    def test_see_the_essay_behind_each_citation(self, built: Built, rag: Rag) -> None:
        shown = rag.run("ask", QUESTION).stdout
        assert re.search(r"” \[\d+\]", shown)
        assert "When You Don't Know" in shown
        assert built.version in shown

    def test_are_told_by_the_doctor_what_is_well(
        self, built: Built, rag: Rag, world: World, sample_site: object
    ) -> None:
        source = world.registry.resolve().source.url
        done = rag.run("doctor", RAG_SOURCE_URL=source, COLUMNS="200")
        assert done.returncode == 0, done.stdout
        assert "every file verified" in done.stdout

    def test_are_shown_by_the_status_what_answers_and_when_it_is_stale(self, built: Built, rag: Rag) -> None:
        fresh = rag.json("status")
        assert (fresh["version"], fresh["stale"], fresh["failed"]) == (built.version, False, [])
        stale = rag.run("status", RAG_STALE_AFTER_HOURS="0.000001")
        assert stale.returncode == 6
        assert built.version in stale.stdout

    def test_are_shown_by_the_status_when_airflow_runs_next_if_airflow_can_be_asked(
        self, built: Built, rag: Rag, world: World
    ) -> None:
        with AirflowServer(world.settings.data_dir, world.store.endpoint) as airflow:
            assert rag.json("status")["next_run"] == "2026-03-02T01:00:00Z"
            dag = "/api/v2/dags/build_index"
            run = {"dag_run_id": "r1", "state": "failed", "start_date": "2026-03-01T01:00:00Z"}
            for path, answer in {
                "dagRuns": {"dag_runs": [run | {"end_date": "2026-03-01T21:00:00Z"}]},
                "details": {"dag_run_timeout": "PT20H"},
                "dagRuns/r1/taskInstances/assemble/xcomEntries/failed_essays": {"value": "1 failed (bell: [gone])"},
            }.items():
                airflow.answers[f"{dag}/{path}"] = (200, json.dumps(answer))
            last = " ".join(rag.run("status").stdout.split())
            assert "failed (timed_out): The run took longer than ten times RAG_TASK_HOURS (20 h)" in last
            assert "essays: 1 failed (bell: [gone])" in last
            # Where nothing answers yet, it tells what keeps the first version.
            none = rag.run("status", RAG_BUCKET=f"{world.settings.bucket}-empty")
            assert none.returncode == 5
            assert "The last run of build_index failed (timed_out)" in " ".join(none.stderr.split())
            airflow.answers["/auth/token"] = (200, "<html>another server</html>")
            shown = rag.run("status")
            none = rag.run("status", RAG_BUCKET=f"{world.settings.bucket}-empty")
        assert "last run" not in none.stderr
        assert shown.returncode == 0
        assert built.version in shown.stdout
        assert str(airflow.port) in shown.stderr

    @pytest.mark.parametrize("wrong", ["http://127.0.0.1:9"])
    def test_are_told_by_the_doctor_how_to_mend_the_rest(self, rag: Rag, wrong: str) -> None:
        done = rag.run("doctor", AWS_ENDPOINT_URL=wrong, MILVUS_URI=wrong, RAG_SOURCE_URL=wrong)
        assert done.returncode == 1
        said = " ".join(done.stdout.split())
        assert "set AWS_ENDPOINT_URL" in said
        assert "set MILVUS_URI" in said
