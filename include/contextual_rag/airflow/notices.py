"""Tells people how a run ended, by the Airflow notifiers that RAG_NOTIFIERS names: once a run, when it is over.

A task that failed for good leaves its error as an XCom, where the callbacks of the DAG find it. Airflow runs these in
the DAG processor after the run, so a notifier that raises or never ends can neither change a run nor delay it.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import BaseNotifier, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout
from airflow.sdk.execution_time.xcom import XCom

from contextual_rag.airflow.connection import supplied
from contextual_rag.building.endings import Ending, run_took_too_long, took_too_long, without_report
from contextual_rag.errors import RagError, SettingError
from contextual_rag.noun import noun
from contextual_rag.settings import read_one

if TYPE_CHECKING:
    from contextual_rag.model import Failure

__all__ = [
    "ERROR",
    "Notice",
    "check_notifiers",
    "described",
    "keep_error",
    "keep_failed",
    "tell_of_failure",
    "tell_of_success",
]

_log = logging.getLogger(__name__)

# What tasks leave, by the keys of their XComs.
ERROR, _FAILED = "error", "failed_essays"


class Notice(NamedTuple):
    """What is told about a run; templates of notifiers find it as `rag`, as in `{{ rag.message }}`."""

    subject: str
    message: str
    dag: str
    run: str
    task: str
    code: str


def keep_error(context: Mapping[str, Any]) -> None:
    """Keep what made a task fail for good. As a callback of all tasks, it leaves out those that others report.

    These are the instances of mapped tasks, whose failures later tasks sum up, and tasks that only follow another one.
    """
    error, ti = context.get("exception"), context["ti"]
    if error is None or isinstance(error, AirflowFailException):
        return
    found = described(error, ti)
    _log.error("%s", found.message)
    if ti.map_index < 0:
        ti.xcom_push(key=ERROR, value=list(found))


def keep_failed(failed: Sequence[Failure]) -> None:
    """Keep which essays failed in this run, which goes on without them."""
    from contextual_rag.building.account import of_failures

    if failed:
        get_current_context()["ti"].xcom_push(key=_FAILED, value=of_failures(failed))


def tell_of_failure(context: Mapping[str, Any]) -> None:
    """Tell which task of a run failed and why, as a callback of its DAG."""
    last = getattr(context.get("ti"), "task_id", None)
    tasks = [*filter(None, [last]), *context["dag"].task_ids]
    kept = ((task, found) for task in tasks if (found := _kept(context, task, ERROR)))
    match context["reason"]:
        case "timed_out":
            task, (code, message) = "", run_took_too_long(context["dag"].dagrun_timeout)
        case "task_failure":
            task, (code, message) = next(kept, (last or "", without_report(last or "A task")))
        case reason:
            task, (code, message) = next(kept, (last or "", Ending(reason, "See the run in Airflow.")))
    subject = f"{context['dag'].dag_id} failed{f' at {task}' if task else ''} ({code})"
    _tell(context, subject, [message, _essays(context)], task, code)


def tell_of_success(context: Mapping[str, Any]) -> None:
    """Tell which essays failed in a run that succeeded without them, as a callback of its DAG; if none, nothing."""
    if essays := _essays(context):
        published = _kept(context, "publish", "return_value") or {}
        came = "What answers has changed" if published.get("moved") else "What answers stays"
        subject = f"{context['dag'].dag_id} succeeded, but {noun().many} failed"
        _tell(context, subject, [essays, f"{came}: {published.get('why')}."], "assemble", "essays_failed")


def check_notifiers() -> None:
    """Log what is wrong with RAG_NOTIFIERS: an error that stops no run, and that nobody would be told of otherwise."""
    for named in _named():
        try:
            _made(named)
        except SettingError as error:
            _log.error("%s", error)


def _tell(context: Mapping[str, Any], subject: str, said: Sequence[str], task: str, code: str) -> None:
    dag, run = context["dag"].dag_id, context["run_id"]
    address = f": {context['ti'].log_url.partition('/tasks/')[0]}" if context.get("ti") else ""
    lines = [f"{subject}.", *filter(None, said), "`rag status` says what answers now.", f"Run {run}{address}"]
    notice = Notice(subject, "\n".join(lines), dag, run, task, code)
    for named in _named():
        try:
            notifier = _made(named)
            told: Any = {**context, "rag": notice}
            # Calling it would do the same, and log what it raises: a text that might hold an address that is a secret.
            notifier.render_template_fields(told)
            notifier.notify(told)
        except SettingError as error:
            _log.error("%s", error)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the others are still to tell
            why = str(error) if isinstance(error, RagError) else type(error).__name__
            _log.error("The notifier %s failed: %s", named["class"], why)


def _named() -> Sequence[Mapping[str, Any]]:
    """Return what RAG_NOTIFIERS names, also if other settings are wrong: that may be what is to be told."""
    try:
        given = supplied().get("RAG_NOTIFIERS")
    except SettingError:
        given = None
    try:
        named: Sequence[Mapping[str, Any]] = read_one("notifiers", **({"notifiers": given} if given else {}))
    except SettingError as error:
        _log.error("%s", error)
        return ()
    return named


def _made(named: Mapping[str, Any]) -> BaseNotifier:
    arguments = dict(named)
    name = str(arguments.pop("class", ""))
    try:
        kind = pkgutil.resolve_name(name)
    except Exception as error:  # noqa: BLE001 - what a foreign module raises is not known
        raise _wrong(name, f"it cannot be imported ({type(error).__name__})") from None
    if not (isinstance(kind, type) and issubclass(kind, BaseNotifier)):
        raise _wrong(name, "it is no Airflow notifier")
    try:
        return kind(**arguments)
    except Exception as error:  # noqa: BLE001 - nor what its class raises
        # Python's own message names the argument; any other one may show its value.
        why = str(error) if isinstance(error, TypeError) else type(error).__name__
        raise _wrong(name, f"its arguments are wrong ({why})") from None


def _wrong(name: str, why: str) -> SettingError:
    repair = 'Correct "class" and arguments there; docs/operating.md has examples.'
    return SettingError(f"RAG_NOTIFIERS names {name or 'no class'}, which tells nothing: {why}. {repair}")


def _kept(context: Mapping[str, Any], task: str, key: str) -> Any:
    return XCom.get_one(dag_id=context["dag"].dag_id, run_id=context["run_id"], task_id=task, key=key)


def _essays(context: Mapping[str, Any]) -> str:
    """Say which essays failed, if any did; of a DAG that has none, nothing."""
    kept = _kept(context, "assemble", _FAILED) if context["dag"].has_task("assemble") else None
    return f"{noun().heading}: {kept}. What was there of them before stays as it was." if kept else ""


def described(error: BaseException, ti: Any) -> Ending:
    """Return what is known of an error that ended a task; the text of a foreign one might hold a secret."""
    if isinstance(error, RagError):
        return Ending(error.code, str(error))
    if isinstance(error, AirflowTaskTimeout):
        return took_too_long(ti.task_id, ti.task.execution_timeout)
    name = type(error).__name__
    return Ending(name, f"{ti.task_id} ended with an error that nobody expected ({name}). See its log.")
