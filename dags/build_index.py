"""### From the essays of a site to an index that answers

Every day at 01:00 UTC: read the index page, ask for each essay, find out what changed, make chunks, contexts and
embeddings of only that, put the index together, measure it, and publish it as a new version.

| task | does | when it fails |
| --- | --- | --- |
| `discover` | decides what the run does; lists the essays of the index page | the run fails, nothing changes |
| `fetch` | asks for each page, conditionally | the instance is red, its essays keep their last content |
| `changes` | plans what has to be made; stores the day's snapshot | the run fails |
| `essays.chunk` `.contextualize` `.embed` | work on the essays that changed | as for `fetch` |
| `assemble` | puts the index together and upserts new vectors | tried again; what is stored is not made again |
| `evaluate` | measures it, and the current version with the same questions | tried again |
| `publish` | writes the manifest, then moves CURRENT | refused by a gate: the current version stays |

**The state of `publish` tells what became of the version that answers.** Green: it changed, and the asset `essay_index`
has an event that says from which version to which and why. Pink: it stayed, and the log says why (nothing changed, a
past day, a limit, a pinned version). Red: a gate refused the new version, and the log has the figures.

**A backfill** builds each past day from the snapshot of its source on that day, never from the live site, and does not
move CURRENT unless `promote` says so. Neither does a run with a `limit`; and a run of another source than the one that
answers is refused without it.

**Essays share an instance** if they are small; its row names them. One with work for more than 20 seconds has its own.

**No instance runs for ever**: after `RAG_TASK_HOURS` it is ended like one that failed, and the others go on. One of
several essays is tried once more, from the last essay to the first: what waited behind a slow one comes before it.

`discover` decides once what the run does, and stores it. So a task that is cleared, minutes or weeks later, does the
same work, and what exists is not made again. Once `changes` has run, cleared `fetch` instances ask the site nothing. To
fetch failed pages again, trigger a new run.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, TriggerRule, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

with suppress(ModuleNotFoundError):
    import include  # noqa: F401 - if only the project's root is on the path, this adds the package

from contextual_rag.airflow.connection import connect
from contextual_rag.airflow.notices import check_notifiers, keep_error, keep_failed, tell_of_failure, tell_of_success
from contextual_rag.airflow.tasks import (
    ESSAY_INDEX,
    POLITE,
    RETRY_POLICY,
    asking,
    batches,
    change,
    follow,
    order_of_run,
    outcomes,
    report,
    run_asked_for,
    time_limits,
)
from contextual_rag.building import PER_ESSAY
from contextual_rag.building.batches import evenly

__all__: list[str] = []

_log = logging.getLogger(__name__)

_TASK_LIMIT, _RUN_LIMIT = time_limits()
_TITLE = "{{ task.op_kwargs['batch']['title'] }}"

_PARAMS = {
    "source": Param(
        None,
        type=["null", "string"],
        title="Source",
        description="URL of an index page, feed or sitemap. Empty: RAG_SOURCE_URL.",
    ),
    "limit": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Limit",
        description="Take only this many, from the top of the list. The version answers only if Promote is yes.",
    ),
    "chunker": Param(
        None,
        type=["null", "string"],
        enum=[None, "recursive", "fixed"],
        title="Chunker",
        description="recursive keeps paragraphs and sentences whole; fixed cuts equal windows. Empty: RAG_CHUNKER.",
        section="Recipe",
    ),
    "chunk_size": Param(
        None,
        type=["null", "integer"],
        minimum=50,
        maximum=8000,
        title="Chunk size",
        description="Characters. Empty: RAG_CHUNK_SIZE.",
        section="Recipe",
    ),
    "chunk_overlap": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=4000,
        title="Chunk overlap",
        description="Characters, less than the size; for the fixed chunker.",
        section="Recipe",
    ),
    "context_model": Param(
        None,
        type=["null", "string"],
        title="Context model",
        description="The model that explains each chunk's place in its document. Empty: RAG_CONTEXT_MODEL.",
        section="Recipe",
    ),
    "embedding_model": Param(
        None,
        type=["null", "string"],
        title="Embedding model",
        description="The model that makes the vectors. Empty: RAG_EMBEDDING_MODEL.",
        section="Recipe",
    ),
    "recipe": Param(
        None,
        type=["null", "object"],
        title="Other parameters",
        description='Of recipe and ranking, such as {"keyword_weight": 0.5}; see docs/settings.md. Empty: RAG_RECIPE.',
        section="Recipe",
    ),
    "carry_over": Param(
        True,
        type="boolean",
        title="Carry over",
        description="In an edited document, chunks with the same text keep their context.",
        section="Work",
    ),
    "force": Param(
        False, type="boolean", title="Force", description="Make everything again, changed or not.", section="Work"
    ),
    "uploads_only": Param(
        False,
        type="boolean",
        title="Uploads only",
        description="Do not ask the site again if it was asked today, only what people upload.",
        section="Work",
    ),
    "budget": Param(
        None,
        type=["null", "number"],
        minimum=0,
        title="Budget",
        description="The most that this run may spend on models, in USD. Empty: RAG_BUDGET_USD.",
        section="Work",
    ),
    "promote": Param(
        None,
        # A list of strings, because Airflow shows a boolean as a switch, which looks off while nothing is chosen.
        type=["null", "string", "boolean"],
        enum=[None, "yes", "no", True, False],
        values_display={
            "null": "As usual: yes for a whole build of today's site, no for a past day or with a limit",
            "yes": "Yes: the new version answers, if the gates allow it; also of another source",
            "no": "No: what answers now stays",
            "true": "true (yes, as a program says it)",
            "false": "false (no, as a program says it)",
        },
        title="Promote",
        description="Whether CURRENT moves to the new version.",
        section="Publishing",
    ),
    "max_failed_share": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Failed documents allowed",
        description="Do not publish if a larger share failed. Empty: RAG_MAX_FAILED_SHARE.",
        section="Publishing",
    ),
    "max_shrink_share": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Shrinking allowed",
        description="Do not publish if a larger share of the current version's documents is gone. "
        "Empty: RAG_MAX_SHRINK_SHARE.",
        section="Publishing",
    ),
    "max_quality_drop": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Drop in quality allowed",
        description="Do not publish if a figure of the evaluation is lower than the current version's by more. "
        "1 allows any drop, also one that cannot be measured. Empty: RAG_MAX_QUALITY_DROP.",
        section="Publishing",
    ),
    "max_answers_drop": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Drop in answers allowed",
        description="Do not publish if a figure of the answers is lower than the current version's by more. "
        "Empty: RAG_MAX_ANSWERS_DROP.",
        section="Publishing",
    ),
}


@dag(
    # After it is unpaused, it waits for the next 01:00. By default, and with run_immediately=False, Airflow also runs a
    # missed interval that ended less than a tenth of its length ago (airflow/timetables/trigger.py).
    schedule=CronTriggerTimetable("0 1 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=_RUN_LIMIT,
    on_failure_callback=tell_of_failure,
    on_success_callback=tell_of_success,
    doc_md=__doc__,
    params=_PARAMS,
    tags=["contextual-rag"],
    default_args={
        "execution_timeout": _TASK_LIMIT,
        "retries": 2,
        "retry_delay": timedelta(seconds=3),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=2),
        "retry_policy": RETRY_POLICY,
        "on_failure_callback": keep_error,
    },
)
def build_index() -> None:
    """The graph; every task is one call into `contextual_rag`."""

    @task
    def discover() -> list[dict[str, Any]]:
        """Decide what the run does, and list the essays: of the site, or of a past day's snapshot."""
        from contextual_rag.errors import UnknownSnapshotError

        check_notifiers()
        try:
            order, essays, asks_site = connect().steps.discover(run_asked_for())
        except UnknownSnapshotError as error:
            raise AirflowSkipException(str(error)) from None
        get_current_context()["ti"].xcom_push(key="order", value=order)
        # A past day's pages are there already: nothing to fetch.
        return batches(asking(essays) if asks_site else evenly(essays, 1), order)

    @task(map_index_template=_TITLE, max_active_tis_per_dagrun=POLITE)
    def fetch(batch: dict[str, Any]) -> dict[str, Any]:
        """Ask for each essay's page. If one fails, its instance fails, and the next attempt asks for that one alone."""
        return report("fetch", batch)

    # Failed pages must not stop the others: their essays keep their last content.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def changes(listed: list[dict[str, Any]], fetched: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Plan what has to be made again, and divide the work by what it will cost."""
        order, steps = listed[0]["order"], connect().steps
        return batches(steps.shared_out(order, steps.changes(order, outcomes(fetched))), order)

    @task_group
    def essays(batch: dict[str, Any]) -> Any:
        """Make what changed. Each step works on the essays that the step before could make."""
        before: Any = None
        for step in PER_ESSAY:
            rule = TriggerRule.ALL_DONE if before else TriggerRule.ALL_SUCCESS
            make = task(task_id=step, map_index_template=_TITLE, trigger_rule=rule)(_make)
            before = make(step, batch=batch, before=before)  # by name: the rows are titled from op_kwargs
        return before

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def assemble(fetched: list[dict[str, Any]], made: list[dict[str, Any]] | None) -> str:
        """Put the index of all essays together."""
        follow("discover", "changes")
        version, failed = connect().steps.assemble(order_of_run(), [*outcomes(fetched), *outcomes(made)])
        keep_failed(failed)
        return version

    @task
    def evaluate(version: str) -> dict[str, Any]:
        """Measure the version, and the one it will replace, with the same questions."""
        return connect().steps.evaluate(order_of_run(), version).model_dump(mode="json")

    @task(outlets=[ESSAY_INDEX])
    def publish(version: str, measured: dict[str, Any]) -> dict[str, Any]:
        """Make it the current version."""
        from contextual_rag.versions.records import Measured

        context = get_current_context()
        published = connect().steps.publish(order_of_run(), version, Measured.model_validate(measured))
        returned = published.model_dump()
        if not published.moved:
            context["ti"].xcom_push(key="return_value", value=returned)
            raise AirflowSkipException(f"What answers stays: {published.why}. This run came to {version}.")
        if published.uncompared:
            _log.error("Quality was not compared: %s", published.uncompared)
        context["outlet_events"][ESSAY_INDEX].extra = change(**returned, quality=measured["quality"])
        return returned

    listed = discover()
    fetched = fetch.expand(batch=listed)
    changed = changes(listed, fetched)
    made = essays.expand(batch=changed)
    version = assemble(fetched, made)
    changed >> version  # also if nothing changed and the mapped group is skipped
    publish(version, evaluate(version))


def _make(step: str, batch: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Do one step for a batch of essays that changed."""
    return report(step, batch, before)


build_index()
