"""### Choose the index version that answers

Use **Trigger**: its form asks for the action, the version and the reason. It suggests the newest versions; the page
*Index versions* has all of them. The action is recorded there with the reason and the name of the Airflow user.

| action | effect | version |
| --- | --- | --- |
| promote | this version answers, whether newer or older | required |
| rollback | the parent of the current version answers again | none |
| pin | a version is not pruned and, while it answers, not replaced by a build | empty: the current one |
| unpin | ends this | empty: the current one |
| prune | removes old versions and everything that nothing refers to | none |

A version is checked before it answers: if one of its files is missing or damaged, `manage` fails with a message that
names the file, and the current version stays. If the gates of a build would have refused it, it answers all the same,
and `manage` returns what they object to. An action that cannot succeed is not tried again.

Whenever another version answers, the asset `essay_index` has an event that says from which one to which, who and why.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAlias, Param, dag, get_current_context, task

with suppress(ModuleNotFoundError):
    import include  # noqa: F401 - if only the project's root is on the path, this adds the package

from contextual_rag.airflow.connection import connect
from contextual_rag.airflow.notices import keep_error, tell_of_failure
from contextual_rag.airflow.tasks import ESSAY_INDEX, RETRY_POLICY, change, suggested_versions, time_limits, who
from contextual_rag.errors import SettingError
from contextual_rag.record import Record

__all__: list[str] = []

_BY_HAND = AssetAlias("essay_index_by_hand", group="contextual-rag")
_TASK_LIMIT, _RUN_LIMIT = time_limits()

_PARAMS = {
    "action": Param(
        "promote",
        type="string",
        enum=["promote", "rollback", "pin", "unpin", "prune"],
        values_display={
            "promote": "promote: the version answers, whether newer or older",
            "rollback": "rollback: the parent of the current version answers again",
            "pin": "pin: the version is not pruned and, while it answers, not replaced by a build",
            "unpin": "unpin: the version may be pruned and replaced again",
            "prune": "prune: old versions are removed, with everything that nothing refers to",
        },
        title="Action",
        description="What happens as soon as the run starts.",
    ),
    "version": Param(
        None,
        type=["null", "string"],
        examples=suggested_versions(),
        title="Version",
        description="Suggested are the newest that this machine has opened; the page Index versions has all. "
        "Empty for rollback and prune; pin, unpin: the current one.",
    ),
    "reason": Param(
        type="string",
        minLength=3,
        title="Reason",
        description="Recorded with your name in the history of versions.",
    ),
}


@dag(
    schedule=None,
    # It has no schedule, and a person who triggers it expects it to run.
    is_paused_upon_creation=False,
    max_active_runs=1,
    dagrun_timeout=_RUN_LIMIT,
    on_failure_callback=tell_of_failure,
    doc_md=__doc__,
    params=_PARAMS,
    tags=["contextual-rag"],
    default_args={
        "execution_timeout": _TASK_LIMIT,
        "retries": 2,
        "retry_delay": timedelta(seconds=3),
        "retry_policy": RETRY_POLICY,
        "on_failure_callback": keep_error,
    },
)
def manage_index() -> None:
    """The graph: one task."""

    # By the alias, an event is only what is added to it: most actions do not change what answers.
    @task(outlets=[_BY_HAND])
    def manage() -> dict[str, Any]:
        """Do what the form asks for."""
        from contextual_rag.versions import manage

        context = get_current_context()
        params = context["params"]
        action, version = params["action"], (params["version"] or "").strip() or None
        recorded = {"by": who(), "why": params["reason"]}
        done: Record
        match action, version:
            case "promote", str():
                done = manage.promote(connect(), version, **recorded)
            case "promote", None:
                raise SettingError("The form's field Version is empty. Enter the version to promote.")
            case "pin", _:
                done = manage.pin(connect(), version, **recorded)
            case "unpin", _:
                done = manage.unpin(connect(), version, **recorded)
            case _, str():
                raise SettingError(
                    f"{action} takes no version, but the form names {version}. Nothing was done. Empty the field."
                )
            case "rollback", _:
                done = manage.rollback(connect(), **recorded)
            case _:
                done = manage.prune(connect(), **recorded)
        if isinstance(done, manage.Changed) and done.moved_from:
            why = manage.reason(params["reason"])
            extra = change(done.version, moved_from=done.moved_from, why=why, action=action)
            context["outlet_events"][_BY_HAND].add(ESSAY_INDEX, extra=extra)
        return done.model_dump(mode="json")

    manage()


manage_index()
