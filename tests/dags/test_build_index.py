"""The DAG, run by Airflow's own scheduler. The runs of a class build on one another, as days do, in this order."""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from typing import Any

import psutil
import pytest

from contextual_rag import keys
from contextual_rag.building.spending import Spending
from contextual_rag.embedded.airflow import DAG
from contextual_rag.objects import require, save
from contextual_rag.qa.answer import answer
from contextual_rag.versions.records import Manifest
from tests.dags.conftest import HOOK, MARKER, METRICS, MISSPELT, QUESTIONS, Finished, Scheduler, is_of

pytestmark = pytest.mark.timeout(600)

HOSTED = {
    "context_model": "meta-llama/Llama-3.2-3B-Instruct-Turbo",
    "embedding_model": "BAAI/bge-large-en-v1.5",
}
# Enough for some contexts of the first essay, and not for all.
SOME_CONTEXTS = 0.0002
# More than a task needs that waits for nobody, on a machine with other work.
SOME_SECONDS = 12


@pytest.fixture(scope="module")
def first(scheduler: Scheduler) -> Finished:
    """The first day."""
    return scheduler.build(1)


@pytest.fixture(scope="module")
def second(scheduler: Scheduler, first: Finished) -> Finished:
    """The second day."""
    return scheduler.build(2)


@pytest.fixture(scope="module")
def third(scheduler: Scheduler, second: Finished) -> Finished:
    """The third day."""
    return scheduler.build(3)


class TestThreeDays:
    def test_the_first_day_is_built_and_published(self, scheduler: Scheduler, first: Finished) -> None:
        assert first.state == "success"
        assert {str(i["state"]) for i in first.instances} == {"success"}
        manifest = scheduler.manifest(first)
        assert scheduler.world.registry.resolve().version == manifest.version
        assert len(manifest.essays) == 17
        assert manifest.work.embedded == manifest.work.model_calls == manifest.chunks
        assert manifest.quality["questions"] == QUESTIONS
        assert manifest.quality["recall@5"] > 0.5
        assert {
            "pages",
            "documents",
            "chunks",
            "contexts",
            "embeddings",
            "index",
            "evaluate",
        } <= manifest.work.seconds.keys()

    def test_rows_carry_the_essays_titles(self, first: Finished) -> None:
        (title,) = first.titles("essays.embed", "success")
        assert title.startswith("17 essays: "), "together they are too little work for two instances"
        assert title.count(", ") > 2

    def test_the_second_day_costs_the_new_essay_and_the_edited_chunks(
        self, scheduler: Scheduler, first: Finished, second: Finished
    ) -> None:
        assert second.state == "success"
        before, after = scheduler.manifest(first), scheduler.manifest(second)
        assert after.parent == before.version
        changed = {essay.slug for essay in after.essays} - {e.slug for e in after.essays if e in before.essays}
        assert changed == {"errata", "thursday"}
        assert after.work.model_calls == after.work.embedded == chunks_that_are_new(scheduler, before, after)
        assert len(second.states("essays.embed")) == 1

    def test_the_third_day_is_green_with_one_red_instance(
        self, scheduler: Scheduler, second: Finished, third: Finished
    ) -> None:
        assert third.state == "success"
        assert [i["task_id"] for i in third.instances if i["state"] == "failed"] == ["fetch"]
        before, after = scheduler.manifest(second), scheduler.manifest(third)
        assert [failure.slug for failure in after.failed] == ["library"]
        assert {e.slug for e in before.essays} - {e.slug for e in after.essays} == {"patience"}
        assert next(e for e in after.essays if e.slug == "library") in before.essays
        assert after.work.model_calls == after.work.embedded == 0

    def test_the_third_day_is_told_with_the_essay_that_failed_by_log_notice_and_status_alike(
        self, scheduler: Scheduler, third: Finished
    ) -> None:
        log = scheduler.log(third, "assemble")
        notice, status = scheduler.webhook.notice(third), scheduler.status()
        assert (notice["task"], notice["code"]) == ("assemble", "essays_failed")
        assert "1 failed (library: " in log
        assert "1 failed (library: " in notice["message"]
        assert "What answers has changed" in notice["message"]
        assert [failure["slug"] for failure in status["failed"]] == ["library"]
        essays = status["last_run"].pop("essays")
        assert essays.startswith("1 failed (library: ")
        assert essays in notice["message"]
        assert status["last_run"] == {"run": third.id, "state": "success", "task": None, "code": None, "message": None}

    def test_a_snapshot_of_the_day_is_kept(self, scheduler: Scheduler, third: Finished) -> None:
        day = scheduler.manifest(third).logical_date
        assert scheduler.world.store.exists(f"1_pages/snapshots/sample_site/{day}.json")


# What the site held on the days before today, and how many essays are built again: the first few differ between the
# first two editions as all do, and take less time.
EDITIONS, BACKFILLED = {3: ((1, 2, 2), 3), 7: ((1, 1, 2, 2, 3, 3, 3), 20)}[int(os.environ.get("BACKFILL_DAYS", "3"))]
ANOTHER_RECIPE: dict[str, Any] = {"embedding_model": HOSTED["embedding_model"], "limit": BACKFILLED}


@pytest.fixture(scope="module")
def days(scheduler: Scheduler, third: Finished) -> list[date]:
    """Days before today, each with the snapshot of an edition."""
    today = scheduler.manifest(third).logical_date
    days = [today - timedelta(days=1 + n) for n in range(len(EDITIONS), 0, -1)]
    for day, edition in zip(days, EDITIONS, strict=True):
        snapshot = scheduler.snapshots[edition].model_copy(update={"date": day})
        save(scheduler.world.store, scheduler.snapshot_key(day), snapshot)
    # Whoever asked the site would find other essays on most of the days. Airflow itself starts today's run beside a
    # backfill where the schedule has not run yet; that one asks the site, and finds nothing new.
    scheduler.show(3)
    return days


@pytest.fixture(scope="module")
def backfilled(scheduler: Scheduler, days: list[date]) -> list[Finished]:
    """Those days, built again by another recipe."""
    return scheduler.backfill(days[0], days[-1], **ANOTHER_RECIPE)


class TestABackfill:
    """Of days that are past, by `airflow backfill create`, with another embedding model.

    BACKFILL_DAYS=7 in the environment takes a week instead of three days.
    """

    def test_makes_a_version_of_each_content_from_the_snapshots(
        self, scheduler: Scheduler, days: list[date], backfilled: list[Finished]
    ) -> None:
        assert [run.state for run in backfilled] == ["success"] * len(days)
        published = [scheduler.manifest(run) for run in backfilled if run.published and run.published["published"]]
        assert len(published) == len(set(EDITIONS))
        for day, run, edition in zip(days, backfilled, EDITIONS, strict=True):
            manifest = scheduler.manifest(run)
            pages = scheduler.snapshots[edition].pages[:BACKFILLED]
            assert {(e.slug, e.document) for e in manifest.essays} == {(p.slug, p.document) for p in pages}
            held = {
                scheduler.world.registry.manifest(one.version).recipe: one
                for one in scheduler.world.registry.as_of(day)
            }
            assert held[manifest.recipe].version == manifest.version

    def test_asks_the_models_only_for_what_the_recipe_changed(
        self, scheduler: Scheduler, backfilled: list[Finished]
    ) -> None:
        versions = {manifest.version: manifest for manifest in map(scheduler.manifest, backfilled)}
        assert sum(manifest.work.model_calls for manifest in versions.values()) == 0, "the contexts are there"
        distinct = {id_ for one in versions.values() for id_ in scheduler.world.indexes.open(one).rows}
        assert sum(manifest.work.embedded for manifest in versions.values()) == len(distinct)

    def test_of_a_day_like_the_one_before_makes_nothing_and_skips_the_rest(self, backfilled: list[Finished]) -> None:
        before, like_it = backfilled[EDITIONS.index(2) : EDITIONS.index(2) + 2]
        assert (before.states("publish"), like_it.states("publish")) == (["skipped"], ["skipped"])
        assert like_it.states("essays.embed") == ["skipped"]
        ran = [one["task_id"] for one in like_it.instances if not one["task_id"].startswith("essays.")]
        assert len(ran) <= 8
        assert before.published
        assert like_it.published
        assert (like_it.published["version"], like_it.published["published"]) == (before.published["version"], False)
        assert before.published["published"]
        assert "not to promote" in before.published["why"]

    def test_leaves_current_where_it_is_so_that_the_asset_has_events_of_the_three_days_alone(
        self, scheduler: Scheduler, first: Finished, second: Finished, third: Finished, backfilled: list[Finished]
    ) -> None:
        versions = [scheduler.manifest(run).version for run in (first, second, third)]
        assert scheduler.world.registry.resolve().version == versions[-1]
        moves = [(event["extra"]["from"], event["extra"]["to"]) for event in scheduler.events()]
        assert moves == list(zip([None, *versions], versions, strict=False))

    def test_a_second_time_makes_nothing(
        self, scheduler: Scheduler, days: list[date], backfilled: list[Finished]
    ) -> None:
        before = scheduler.world.registry.names()
        scheduler.provider.forget()
        made = days[EDITIONS.index(2)]
        (again,) = scheduler.backfill(made, made, again=True, **ANOTHER_RECIPE)
        assert again.states("publish") == ["skipped"]
        assert scheduler.world.registry.names() == before
        assert scheduler.provider.calls() == []

    def test_without_a_snapshot_is_skipped(self, scheduler: Scheduler) -> None:
        run = scheduler.run("2001-01-01T01:00:00Z")
        assert run.state == "success"
        assert {str(i["state"]) for i in run.instances} == {"skipped"}


class TestRefusals:
    def test_a_worse_index_is_refused_with_the_figures_and_what_answers_stays(
        self, scheduler: Scheduler, third: Finished
    ) -> None:
        scheduler.show(3)
        current = scheduler.world.registry.resolve().version
        refused = scheduler.run(
            recipe={"chunker": "fixed", "chunk_size": 50}, limit=3, promote=True, max_shrink_share=1.0
        )
        assert (refused.state, refused.states("publish")) == ("failed", ["failed"])
        message = scheduler.message(refused, "publish")
        assert f"it answers worse than {current}" in message
        assert re.search(r"known_item_recall@5 [01]\.\d{3} → 0\.\d{3}", message)
        assert "`max_quality_drop`" in message
        assert scheduler.world.registry.resolve().version == current
        check_told(scheduler, refused, "publish", "gate_quality", message)

    def test_a_wrong_parameter_ends_the_run_before_the_site_is_asked(self, scheduler: Scheduler) -> None:
        refused = scheduler.run(chunker="fixed", chunk_size=100, chunk_overlap=100)
        assert refused.state == "failed"
        assert refused.states("discover") == ["failed"]
        assert "chunk_overlap (100) must be smaller than chunk_size (100)" in scheduler.message(refused, "discover")
        assert next(i["try_number"] for i in refused.instances if i["task_id"] == "discover") == 1
        check_told(scheduler, refused, "discover", "setting", scheduler.message(refused, "discover"))

    def test_of_a_wrong_notifier_stop_no_run_and_are_in_the_log(self, scheduler: Scheduler, first: Finished) -> None:
        assert first.state == "success"
        log = scheduler.log(first, "discover")
        assert MISSPELT in log
        assert "adress" in log


class TestTheProvider:
    def test_serves_all_three_models_through_429s_and_500s(self, scheduler: Scheduler) -> None:
        scheduler.show(1)
        provider = scheduler.provider
        provider.forget()
        for path in ("chat", "embeddings", "rerank"):
            provider.fault("429", path=path, times=3, retry_after=0.1)
            provider.fault("500", path=path, times=2)
        # The provider's vectors are arithmetic, and find less than the version that answers.
        run = scheduler.run(limit=3, budget=0.5, promote="yes", max_shrink_share=1.0, max_quality_drop=1, **HOSTED)
        assert run.state == "success", scheduler.failures(run)
        assert {str(i["state"]) for i in run.instances} == {"success"}
        manifest = scheduler.manifest(run)
        assert manifest.recipe.embedding_model == HOSTED["embedding_model"]
        answered = [call for call in provider.calls() if call.fault is None]
        assert sum(call.path == "chat" for call in answered) == manifest.chunks == manifest.work.model_calls
        assert sum(call.texts for call in answered if call.path == "embeddings") >= manifest.chunks
        assert any(call.path == "rerank" for call in answered)
        assert {call.fault for call in provider.calls()} == {None, "429", "500"}
        spending = require(scheduler.world.store, keys.spending(keys.digest(f"{DAG} {run.id}")), Spending)
        assert len(spending.by_process) > 2, "a part for each task instance that asked"
        assert spending.spent_usd == pytest.approx(provider.billed_usd)
        # A measuring that was tried again paid for its first questions twice; the work has the last try alone.
        assert manifest.work.cost_usd == pytest.approx(provider.billed_usd, rel=0.01)
        self.check_answer(scheduler, manifest)

    def check_answer(self, scheduler: Scheduler, manifest: Manifest) -> None:
        world = scheduler.world
        index = world.indexes.open(manifest)
        embedder = world.embedding_model(manifest.recipe)
        answered = answer(
            index,
            world.vectors,
            embedder,
            "Why won't people write?",
            chat=world.chat_model(),
            reranker=world.rerank_model(),
        )
        assert answered.citations
        assert all(citation.verified for citation in answered.citations)

    def test_that_refuses_the_key_ends_the_run_at_once_and_names_the_variable(self, scheduler: Scheduler) -> None:
        scheduler.provider.forget()
        # Long enough to read its log while it runs.
        scheduler.provider.fault("429", path="chat", times=1, retry_after=5)
        scheduler.provider.fault("401", path="chat", times=1000)
        # One essay: of a mapped group whose only instance failed, Airflow hands on a value that is no sequence.
        run = scheduler.airflow.trigger(DAG, {"limit": 1, "chunk_size": 900, **HOSTED})
        log = scheduler.log_while_it_runs(run, "essays.contextualize")
        assert "status 429; trying again" in log
        assert "Could not read" not in log, "no server was asked for it"
        refused = scheduler.finished(run)
        assert refused.state == "failed"
        failed = [i for i in refused.instances if i["task_id"] == "essays.contextualize"]
        assert {(i["state"], i["try_number"]) for i in failed} == {("failed", 1)}
        assert "TOGETHER_API_KEY" in scheduler.message(refused, "assemble")
        assert scheduler.provider.key not in scheduler.message(refused, "essays.contextualize")
        check_told(scheduler, refused, "assemble", "credentials", scheduler.message(refused, "assemble"))
        assert {call.path for call in scheduler.provider.calls()} == {"chat"}

    def test_is_asked_again_after_a_kill_and_no_more_once_the_budget_is_spent(self, scheduler: Scheduler) -> None:
        scheduler.provider.forget()
        scheduler.provider.fault("429", path="chat", times=1, retry_after=30)
        run = scheduler.airflow.trigger(DAG, {"limit": 1, "chunk_size": 901, "budget": SOME_CONTEXTS, **HOSTED})
        scheduler.log_while_it_runs(run, "essays.contextualize")
        scheduler.task_process().kill()
        refused = scheduler.finished(run)
        tries = [i["try_number"] for i in refused.instances if i["task_id"] == "essays.contextualize"]
        assert (refused.state, tries) == ("failed", [2])
        message = scheduler.message(refused, "assemble")
        check_told(scheduler, refused, "assemble", "budget", message)
        assert "RAG_BUDGET_USD" in message
        answered = [call for call in scheduler.provider.calls() if call.fault is None]
        assert answered, "some contexts were paid for"
        assert scheduler.provider.billed_usd <= SOME_CONTEXTS
        # They are stored: another run makes the others alone.
        again = scheduler.run(limit=1, chunk_size=901, max_shrink_share=1.0, **HOSTED)
        assert again.state == "success"
        asked = [call.text for call in scheduler.provider.calls() if (call.path, call.fault) == ("chat", None)]
        assert len(asked) == len(set(asked)), "nothing was paid for twice"


class TestATaskThatTakesTooLong:
    """The provider keeps it waiting for longer than its time limit, for the first of its two essays."""

    def test_is_told_with_that_essay_by_log_notice_and_status_alike_once_the_other_was_made(
        self, scheduler: Scheduler, first: Finished
    ) -> None:
        assert first.state == "success"
        scheduler.show(1)
        scheduler.provider.forget()
        waiting, other = scheduler.snapshots[1].pages[:2]
        # The threads that wait for it are not waited for.
        scheduler.provider.fault("429", path="chat", times=1000, retry_after=60, match=waiting.title)
        # Other chunks than those of the tests above, whose contexts are kept.
        run = scheduler.airflow.trigger(DAG, {"limit": 2, "chunk_size": 640, **HOSTED})
        with scheduler.time_limit(run, "changes", SOME_SECONDS / 3600):
            scheduler.log_while_it_runs(run, "essays.contextualize")
            # The other essay waited behind it; now it is made first.
            scheduler.log_while_it_runs(run, "essays.contextualize", attempt=2)
        ended = scheduler.finished(run)
        scheduler.provider.forget()
        assert (ended.states("essays.contextualize"), ended.states("essays.chunk")) == (["failed"], ["success"])
        assert {i["try_number"] for i in ended.instances if i["task_id"] == "essays.contextualize"} == {2}
        told = f"{waiting.slug}: essays.contextualize took longer than RAG_TASK_HOURS ({SOME_SECONDS / 3600:g} h)"
        # It was half of the essays, so that a gate refuses what is left.
        check_told(scheduler, ended, "publish", "gate_failed_share", scheduler.message(ended, "publish"))
        assert told in scheduler.message(ended, "publish")
        assert told in scheduler.log(ended, "assemble")
        assert told in scheduler.status()["last_run"]["essays"]
        assert f"{other.slug}: " not in scheduler.log(ended, "assemble")
        log = scheduler.airflow.log(DAG, run, "essays.contextualize", 0, 2)
        assert told.partition(": ")[2] in log
        assert "Raise RAG_TASK_HOURS" in log

    def test_of_one_within_its_time_is_never_told(self, scheduler: Scheduler, third: Finished) -> None:
        assert "RAG_TASK_HOURS" not in scheduler.webhook.notice(third)["message"]
        assert "RAG_TASK_HOURS" not in scheduler.log(third, "assemble")


class TestNotices:
    def test_are_one_for_each_run_that_was_not_all_well_and_none_for_others(
        self, scheduler: Scheduler, first: Finished, second: Finished, third: Finished
    ) -> None:
        runs = [notice["run"] for notice in scheduler.webhook.notices]
        assert len(runs) == len(set(runs))
        assert {first.id, second.id} & set(runs) == set()
        assert third.id in runs


class TestMetrics:
    def test_are_sent_as_airflows_own_settings_say(self, scheduler: Scheduler) -> None:
        mine = [one for one in psutil.process_iter() if is_of(one, scheduler.services.data_dir)]
        assert {one.environ().get(METRICS) for one in mine if "airflow" in " ".join(one.cmdline())} == {"night"}


class TestSecretsOfTheConnection:
    def test_are_in_no_log_and_in_nothing_that_airflow_stores(self, scheduler: Scheduler, first: Finished) -> None:
        home = scheduler.services.data_dir / "airflow"
        files = [file for file in home.rglob("*") if file.is_file()]
        assert any("task_id=discover" in str(file) for file in files), "the logs of the tasks are among them"
        assert any("dag_processor" in str(file) for file in files), "and those of its callbacks"
        secrets = (MARKER.encode(), HOOK.encode())
        assert [file for file in files if any(secret in file.read_bytes() for secret in secrets)] == []


def check_told(scheduler: Scheduler, run: Finished, task: str, code: str, message: str) -> None:
    """Notice and status of a run that failed say the same: where, by what code, and what the error says."""
    notice, status = scheduler.webhook.notice(run), scheduler.status()
    assert (notice["dag"], notice["task"], notice["code"]) == (DAG, task, code)
    assert message in notice["message"]
    assert run.id in notice["message"]
    essays = status["last_run"].pop("essays")
    assert (essays or "") in notice["message"]
    last = {"run": run.id, "state": "failed", "task": task, "code": code, "message": message}
    assert status["last_run"] == last
    assert status["version"] == scheduler.world.registry.resolve().version


def chunks_that_are_new(scheduler: Scheduler, before: Manifest, after: Manifest) -> int:
    """How many chunks of a version have a text that no chunk of their essay had in the version before."""
    old, new = (scheduler.world.indexes.open(manifest) for manifest in (before, after))
    known = {(c.slug, c.text) for c in map(old.chunk, old.rows)}
    return sum((c.slug, c.text) not in known for c in map(new.chunk, new.rows))
