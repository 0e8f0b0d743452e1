"""### From the essays of a site to an index that answers

Every day at 01:00 UTC: read the index page, ask for each essay, find out what changed, make chunks, contexts and
embeddings of that alone, put the index together, measure it, and publish it as a new version.

| task | does | when it fails |
| --- | --- | --- |
| `discover` | lists the essays that the index page names | the run fails, nothing changes |
| `fetch` | asks for each page, conditionally | the instance is red, its essays keep their last content |
| `changes` | plans what has to be made; stores the day's snapshot | the run fails |
| `essays.chunk` `.contextualize` `.embed` | work on the essays that changed | as for `fetch` |
| `assemble` | puts the index together and upserts new vectors | tried again; what is stored is not made again |
| `evaluate` | measures it, and what answers now by the same questions | tried again |
| `publish` | writes the manifest, then moves CURRENT | refused by a gate: what answers now stays |

**Nothing changed?** Then `publish` is skipped and no version is made. **A backfill** builds each past day from the
snapshot stored that day, never from the live site, and does not move CURRENT unless `promote` is set. A run can be
cleared and run again at any point: objects that exist are not made again.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, CronTriggerTimetable, Param, TriggerRule, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException
from reporting import RETRY_POLICY, batches, follow, outcomes, report
from world import connect

__all__ = ["ESSAY_INDEX"]

_log = logging.getLogger(__name__)

ESSAY_INDEX = Asset("essay_index", uri="essays://index", group="contextual-rag")

# Few enough that a cold build of hundreds of essays spends seconds, not minutes, on starting instances.
_INSTANCES = 12

_PARAMS = {
    "source": Param(
        None, type=["null", "string"], title="Source", description="URL of the index page. Empty: RAG_SOURCE_URL."
    ),
    "limit": Param(
        None, type=["null", "integer"], minimum=1, title="Limit", description="Take only the first so many essays."
    ),
    "chunker": Param(
        None,
        type=["null", "string"],
        enum=[None, "recursive", "fixed"],
        title="Chunker",
        description="recursive keeps paragraphs and sentences whole, fixed cuts windows. Empty: RAG_CHUNKER.",
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
        description="Who explains each chunk's place in its essay. Empty: RAG_CONTEXT_MODEL.",
        section="Recipe",
    ),
    "embedding_model": Param(
        None,
        type=["null", "string"],
        title="Embedding model",
        description="A model that the vectors come from. Empty: RAG_EMBEDDING_MODEL.",
        section="Recipe",
    ),
    "recipe": Param(
        None,
        type=["null", "object"],
        title="Other parameters",
        description='Of the recipe, such as {"keyword_weight": 0.5}; docs/settings.md lists them. Empty: RAG_RECIPE.',
        section="Recipe",
    ),
    "carry_over": Param(
        True,
        type="boolean",
        title="Carry over",
        description="Chunks of an edited essay whose text did not change keep their context.",
        section="Work",
    ),
    "force": Param(
        False, type="boolean", title="Force", description="Make everything again, changed or not.", section="Work"
    ),
    "budget": Param(
        None,
        type=["null", "number"],
        minimum=0,
        title="Budget",
        description="USD that this run's models may cost; it stops before it costs more. Empty: RAG_BUDGET_USD.",
        section="Work",
    ),
    "promote": Param(
        None,
        type=["null", "boolean"],
        enum=[None, True, False],
        title="Promote",
        description="Move CURRENT to the new version. Empty: yes, except in a backfill.",
        section="Publishing",
    ),
    "max_failed_share": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Failed essays allowed",
        description="Refuse to publish when a larger share failed. Empty: RAG_MAX_FAILED_SHARE.",
        section="Publishing",
    ),
    "max_shrink_share": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Shrinking allowed",
        description="Refuse when the index page lost a larger share of its essays. Empty: RAG_MAX_SHRINK_SHARE.",
        section="Publishing",
    ),
    "max_quality_drop": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Drop in quality allowed",
        description="Refuse when a figure of the evaluation is lower than the current version's by more. "
        "Empty: RAG_MAX_QUALITY_DROP.",
        section="Publishing",
    ),
}


@dag(
    # Once unpaused it waits for the next 01:00. By default Airflow makes up for the last, where that was less than a
    # tenth of the interval ago; run_immediately=False does so too (airflow/timetables/trigger.py).
    schedule=CronTriggerTimetable("0 1 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    params=_PARAMS,
    tags=["contextual-rag"],
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=3),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=2),
        "retry_policy": RETRY_POLICY,
    },
)
def build_index() -> None:
    """The graph; every task is one call into `contextual_rag`."""

    @task
    def discover() -> list[dict[str, Any]]:
        """List the essays, from the site or, for a past day, from its snapshot."""
        from contextual_rag import build

        run = _run()
        digest, essays = build.discover(connect(), run)
        if digest is None:
            raise AirflowSkipException(f"No snapshot of {run.day} or of an earlier day is stored.")
        # A past day's pages are there already: nothing to fetch.
        return batches(essays, digest, 1 if run.past else _INSTANCES)

    @task(map_index_template="{{ task.op_kwargs['batch']['title'] }}", max_active_tis_per_dagrun=2)
    def fetch(batch: dict[str, Any]) -> dict[str, Any]:
        """Ask for each essay's page; two instances at once are polite."""
        from contextual_rag import build

        return report(lambda: build.fetch(connect(), _run(), batch["digest"], batch["slugs"]))

    # Failed pages must not stop the others: their essays keep their last content.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def changes(listed: list[dict[str, Any]], fetched: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Plan what has to be made again."""
        from contextual_rag import build

        digest, essays = build.changes(connect(), _run(), listed[0]["digest"], outcomes(fetched))
        get_current_context()["ti"].xcom_push(key="plan", value=digest)
        return batches(essays, digest, _INSTANCES)

    @task_group
    def essays(batch: dict[str, Any]) -> Any:
        """Make what changed; a stage goes on with the essays that the one before could make."""
        title = "{{ task.op_kwargs['batch']['title'] }}"

        @task(map_index_template=title)
        def chunk(batch: dict[str, Any]) -> dict[str, Any]:
            from contextual_rag import build

            return report(lambda: build.chunk(connect(), batch["digest"], batch["slugs"]))

        @task(map_index_template=title, trigger_rule=TriggerRule.ALL_DONE)
        def contextualize(batch: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
            from contextual_rag import build

            return report(lambda: build.contextualize(connect(), _run(), batch["digest"], batch["slugs"]), before)

        @task(map_index_template=title, trigger_rule=TriggerRule.ALL_DONE)
        def embed(batch: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
            from contextual_rag import build

            return report(lambda: build.embed(connect(), _run(), batch["digest"], batch["slugs"]), before)

        # By name: the rows are titled from op_kwargs.
        chunked = chunk(batch=batch)
        contextualized = contextualize(batch=batch, before=chunked)
        return embed(batch=batch, before=contextualized)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def assemble(fetched: list[dict[str, Any]], made: list[dict[str, Any]] | None) -> str:
        """Put the index of all essays together."""
        from contextual_rag import build

        follow("changes")
        plan = get_current_context()["ti"].xcom_pull(task_ids="changes", key="plan")
        return build.assemble(connect(), plan, [*outcomes(fetched), *outcomes(made)])

    @task
    def evaluate(version: str) -> dict[str, Any]:
        """Measure the version, and what it is to replace by the same questions."""
        from contextual_rag import build

        return build.evaluate(connect(), _run(), version).model_dump(mode="json")

    @task(outlets=[ESSAY_INDEX])
    def publish(version: str, measured: dict[str, Any]) -> dict[str, Any]:
        """Make it the version that answers."""
        from contextual_rag import build
        from contextual_rag.model import Measured

        context = get_current_context()
        published = build.publish(connect(), _run(), version, Measured.model_validate(measured)).model_dump()
        if not published["published"]:
            context["ti"].xcom_push(key="return_value", value=published)
            raise AirflowSkipException(f"Nothing changed since {version}; no new version was made.")
        if published["uncompared"]:
            _log.warning("Quality was not compared: %s", published["uncompared"])
        context["outlet_events"][ESSAY_INDEX].extra = published | {"quality": measured["quality"]}
        return published

    listed = discover()
    fetched = fetch.expand(batch=listed)
    changed = changes(listed, fetched)
    made = essays.expand(batch=changed)
    version = assemble(fetched, made)
    changed >> version  # also where nothing changed and the mapped group is skipped
    publish(version, evaluate(version))


def _run() -> Any:
    """What this DAG run is asked to do."""
    from contextual_rag.build import Run

    context = get_current_context()
    dag_run, params = context["dag_run"], context["params"]
    date = dag_run.logical_date or dag_run.run_after
    past = dag_run.run_type == "backfill" or date < datetime.now(UTC) - timedelta(days=1)
    return Run(day=date.astimezone(UTC).date(), past=past, by=f"build_index {dag_run.run_id}", **params)


build_index()
