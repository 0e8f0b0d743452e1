"""What the tasks of the DAGs share: what a run is asked to do, and how an instance that fails still reports.

An instance over several essays hands on the outcome of all of them and then fails for those that failed, so that the
grid shows it in red and nothing of the others is lost. Airflow keeps what was pushed before the failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from contextual_rag import keys
from contextual_rag.airflow.connection import connect
from contextual_rag.airflow.notices import ERROR, described
from contextual_rag.building.batches import INSTANCES, evenly, has_another_turn, in_turn
from contextual_rag.building.endings import without_report
from contextual_rag.errors import FatalError, PageUnavailableError, RagError, SettingError, SkippableError
from contextual_rag.noun import noun
from contextual_rag.settings import Settings, read_one, read_settings
from contextual_rag.versions.event import ASSET, ASSET_URI, event

if TYPE_CHECKING:
    from contextual_rag.building.order import Run
    from contextual_rag.building.outcome import Outcome

__all__ = [
    "ESSAY_INDEX",
    "POLITE",
    "RETRY_POLICY",
    "asking",
    "batches",
    "change",
    "follow",
    "order_of_run",
    "outcomes",
    "report",
    "run_asked_for",
    "suggested_versions",
    "time_limits",
    "who",
]

T = TypeVar("T")

# What answers. It has an event whenever that has changed, and no other.
ESSAY_INDEX = Asset(ASSET, uri=ASSET_URI, group="contextual-rag")

# How many instances ask a site at once. There are more if each would ask for more pages than this, so that it ends
# within RAG_TASK_HOURS even if a minute is between its requests.
POLITE = 2
_PAGES = 110
_TITLE = 240

# What a person must cure fails at once, and so does what concerns one essay alone; all else is tried again. An essay
# that used up the time of its instance would use it up again; those that share it are tried first (see `report`).
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=PageUnavailableError, action=RetryAction.RETRY, reason="the site may answer later"),
        RetryRule(exception=FatalError, action=RetryAction.FAIL, reason="a person must act"),
        RetryRule(exception=SkippableError, action=RetryAction.FAIL, reason="these documents alone are left out"),
        RetryRule(exception=AirflowTaskTimeout, action=RetryAction.FAIL, reason="it would take as long again"),
    ]
)


def time_limits() -> tuple[timedelta, timedelta]:
    """Return after which time a task instance is ended, and a run.

    A page, a model or a store that never ends costs a run its instance, and no later run its turn. Settings that are
    wrong are named by the tasks, which read them too: here they would take away the DAG itself.
    """
    try:
        hours = read_one("task_hours")
    except SettingError:
        hours = float(Settings.model_fields["task_hours"].default)
    return timedelta(hours=hours), timedelta(hours=10 * hours)


def suggested_versions() -> list[str]:
    """Return the newest versions that this machine has opened, as many as pruning keeps: for a form to suggest.

    Airflow reads a DAG file again and again. That must not wait for a store or need its keys, so the disk is asked.
    """
    try:
        settings = read_settings()
        opened = [path.name for path in (settings.data_dir / "indexes").iterdir() if keys.is_version(path.name)]
    except (SettingError, OSError):
        return []
    return sorted(opened, reverse=True)[: settings.keep_versions]


def report(step: str, batch: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Do a step for a batch and return its outcome, joined to the one of the step before.

    Where essays failed the outcome is pushed and their reasons raised; where a fatal error ended this step or the one
    before, later steps are not run. A time limit or an error that nobody expected ends the step for the essays that are
    not made yet. After a first time limit, those of several are tried once more, from the other end.
    """
    from contextual_rag.building.outcome import Outcome

    ti, outcome = get_current_context()["ti"], Outcome.model_validate(before or {})
    if outcome.fatal:
        _push(outcome)
        raise FatalError(outcome.fatal, code=outcome.fatal_code)
    try:
        made: Outcome = getattr(connect().steps, step)(batch["order"], in_turn(batch["slugs"], ti.try_number))
    except FatalError as error:
        _push(outcome + Outcome(fatal=str(error), fatal_code=error.code))
        raise
    except (Exception, AirflowTaskTimeout) as error:
        why = described(error, ti).message
        _push(outcome + Outcome(ended=dict.fromkeys(batch["slugs"], why)))
        first = ti.max_tries - (ti.task.retries or 0) + 1
        if isinstance(error, AirflowTaskTimeout) and has_another_turn(batch["slugs"], ti.try_number, first):
            raise AirflowException(
                f"{why} The others of its {noun().many} are tried once more, the last one first."
            ) from None
        raise
    if made.failed:
        _push(outcome + made)
        _raise(made)
    return (outcome + made).model_dump(mode="json")


def _push(outcome: Outcome) -> None:
    get_current_context()["ti"].xcom_push(key="return_value", value=outcome.model_dump(mode="json"))


def _raise(outcome: Outcome) -> None:
    reasons = "; ".join(f"{failure.slug}: {failure.reason}" for failure in outcome.failed)
    kind: type[RagError] = PageUnavailableError if outcome.retriable else SkippableError
    raise kind(f"{len(outcome.failed)} failed, the others are done. {reasons}")


def follow(*task_ids: str) -> None:
    """Fail or skip as the first of these tasks did that did not succeed.

    For a task that runs once a mapped group is over, whatever became of its instances and even where it was empty; no
    trigger rule says that and looks at another task too. It reports for a task that could not.
    """
    ti = get_current_context()["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=list(task_ids), run_ids=[ti.run_id]).get(ti.run_id, {})
    for task_id in task_ids:
        state = states.get(task_id)
        if state == "skipped":
            raise AirflowSkipException(f"{task_id} was skipped.")
        if state == "failed" and not ti.xcom_pull(task_ids=task_id, key=ERROR):
            ending = without_report(task_id)
            raise FatalError(ending.message, code=ending.code)
        if state != "success":
            raise AirflowFailException(f"{task_id} did not succeed ({state}).")


def outcomes(reported: Iterable[dict[str, Any] | None] | dict[str, Any] | None) -> list[Outcome]:
    """Return what the instances of a mapped task reported. Raises FatalError where one of them was fatal."""
    from contextual_rag.building.outcome import Outcome

    # Seen of a mapped group whose only instance failed: Airflow hands on its value alone, not in a sequence.
    if isinstance(reported, dict):
        reported = [reported]
    found = [Outcome.model_validate(one) for one in reported or () if one]
    for outcome in found:
        if outcome.fatal:
            raise FatalError(outcome.fatal, code=outcome.fatal_code)
    return found


def batches(parts: Iterable[Sequence[tuple[str, str]]], order: str) -> list[dict[str, Any]]:
    """Return what each task instance gets: its essays, and the digest of the order that they are part of."""
    return [
        {"order": order, "slugs": [slug for slug, _ in part], "title": _title([title for _, title in part])}
        for part in parts
    ]


def asking(essays: Sequence[T]) -> Iterator[Sequence[T]]:
    """Divide essays over task instances that ask for their pages."""
    return evenly(essays, min(max(POLITE, -(-len(essays) // _PAGES)), INSTANCES))


def run_asked_for() -> Run:
    """Return what this DAG run is asked to do. Only `discover` may ask: it decides, and the clock goes on."""
    from contextual_rag.building.order import Run

    context = get_current_context()
    dag_run, params = context["dag_run"], context["params"]
    date = dag_run.logical_date or dag_run.run_after
    past = dag_run.run_type == "backfill" or date < datetime.now(UTC) - timedelta(days=1)
    return Run(day=date.astimezone(UTC).date(), past=past, by=f"build_index {dag_run.run_id}", **params)


def change(version: str, *, moved_from: str | None, why: str, **more: Any) -> dict[str, Any]:
    """Return the extra of an asset event for what this task changed."""
    return event(version, moved_from=moved_from, why=why, by=who(), **more)


def order_of_run() -> str:
    """Return the digest of the order that `discover` decided for this run."""
    return str(get_current_context()["ti"].xcom_pull(task_ids="discover", key="order"))


def who() -> str:
    """Return who asked for this run: the Airflow user who triggered it, or else the run itself."""
    context = get_current_context()
    run = context["dag_run"]
    return run.triggering_user_name or f"{context['dag'].dag_id} {run.run_id}"


def _title(titles: Sequence[str]) -> str:
    """Return what Airflow's grid calls an instance. Its column has 250 characters, on PostgreSQL in earnest."""
    if len(titles) == 1:
        return _cut(titles[0], _TITLE)
    return _cut(f"{noun().counted(len(titles))}: {', '.join(titles)}", _TITLE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
