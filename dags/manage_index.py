"""### Decide which index version answers

For a person, by **Trigger**: the form takes what to do, to which version, and why. What is done is recorded with the
reason and the name of the Airflow user who triggered it; the page *Index versions* shows that record, and the versions
to choose from.

| action | does | version |
| --- | --- | --- |
| promote | lets this version answer, whether newer or older | needed |
| rollback | lets the parent of what answers now answer again | none |
| pin | keeps a version from being pruned and, while it answers, from being replaced by a build | empty: what answers |
| unpin | takes that back | empty: what answers |
| prune | removes old versions and what nothing refers to any more | none |

A version is checked before it may answer: where a file of it is missing or damaged, `manage` fails with a message that
names it, and what answers stays. What could not succeed is not tried again.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

with suppress(ModuleNotFoundError):
    import include  # noqa: F401 - if only the project's root is on the path, this adds the package

from contextual_rag.airflow.connection import connect
from contextual_rag.airflow.tasks import RETRY_POLICY, who
from contextual_rag.errors import SettingError
from contextual_rag.record import Record

__all__: list[str] = []

_PARAMS = {
    "action": Param(
        "promote",
        type="string",
        enum=["promote", "rollback", "pin", "unpin", "prune"],
        title="Action",
        description="What to do; the table above says what each means.",
    ),
    "version": Param(
        None,
        type=["null", "string"],
        title="Version",
        description="As the page Index versions names it. Empty for rollback and prune; pin and unpin: what answers.",
    ),
    "reason": Param(
        type="string",
        minLength=3,
        title="Reason",
        description="Recorded with your name, for whoever asks later why this version answers.",
    ),
}


@dag(
    schedule=None,
    # Nothing runs by itself here, and whoever triggers it expects it to run.
    is_paused_upon_creation=False,
    max_active_runs=1,
    doc_md=__doc__,
    params=_PARAMS,
    tags=["contextual-rag"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=3), "retry_policy": RETRY_POLICY},
)
def manage_index() -> None:
    """The graph: one task."""

    @task
    def manage() -> dict[str, Any]:
        """Do what the form asks for."""
        from contextual_rag.versions import manage

        params = get_current_context()["params"]
        action, version = params["action"], (params["version"] or "").strip() or None
        recorded = {"by": who(), "why": params["reason"]}
        done: Record
        match action, version:
            case "promote", str():
                done = manage.promote(connect(), version, **recorded)
            case "promote", None:
                raise SettingError("Which version is to answer? The form's field Version is empty.")
            case "pin", _:
                done = manage.pin(connect(), version, **recorded)
            case "unpin", _:
                done = manage.unpin(connect(), version, **recorded)
            case _, str():
                raise SettingError(f"{action} takes no version, and the form names {version}; nothing was done.")
            case "rollback", _:
                done = manage.rollback(connect(), **recorded)
            case _:
                done = manage.prune(connect(), **recorded)
        return done.model_dump(mode="json")

    manage()


manage_index()
