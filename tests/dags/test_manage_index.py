"""What `manage_index` does with its form, and what is tried again: the tasks' own functions, without a scheduler.

`test_index_versions.py` has the scheduler run the DAG; here each way through the form is tried in one process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from typing import Any, NamedTuple

import pytest

from bench.days import FIRST, SOURCE, build_day, keep_day
from contextual_rag import errors
from contextual_rag.building import PER_ESSAY
from contextual_rag.building.order import Run
from contextual_rag.embedded.services import Services
from contextual_rag.errors import FatalError, PageUnavailableError, RagError, SkippableError
from contextual_rag.versions.records import Pointer
from contextual_rag.wiring import World
from tests.conftest import ROOT, environment_of, settings_of

USER = "ada"
ESSAYS = {"harbour": "The harbour freezes in March.", "lamp": "A lamp needs oil twice a day."}


def forms(older: str, newer: str) -> dict[str, dict[str, str | None]]:
    """The forms, in the order that they are given; before those that are refused come all that change something."""
    return {
        "pin": {"action": "pin", "version": older, "reason": "to compare with"},
        "unpin": {"action": "unpin", "version": older, "reason": "compared"},
        "rollback": {"action": "rollback", "version": None, "reason": "the newer one is worse"},
        "promote": {"action": "promote", "version": newer, "reason": "it was not"},
        "again": {"action": "promote", "version": newer, "reason": "to be sure"},
        "prune": {"action": "prune", "version": " ", "reason": "room"},
        "unknown": {"action": "promote", "version": "2026-01-01-00000000", "reason": "a good one"},
        "empty": {"action": "promote", "version": None, "reason": "a good one"},
        "too much": {"action": "rollback", "version": older, "reason": "a good one"},
    }


# As a task instance does, with the context that the scheduler would give it.
_DO = """
import json, sys
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout
from airflow.sdk.execution_time.context import OutletEventAccessors, set_current_context
from contextual_rag import errors, keys
from contextual_rag.airflow.connection import connect
from contextual_rag.airflow.tasks import ESSAY_INDEX

folder, user = sys.argv[1:]
asked = json.load(sys.stdin)
dags = DagBag(folder).dags
task = dags["manage_index"].get_task("manage")
policies = {name: dag.default_args["retry_policy"] for name, dag in dags.items()}

def context(task, events, **more):
    run = SimpleNamespace(triggering_user_name=user, run_id="manual")
    return set_current_context({"dag_run": run, "dag": task.dag, "outlet_events": events, **more})

def done(form):
    events = OutletEventAccessors()
    with context(task, events, params=form):
        try:
            said = task.python_callable()
        except errors.RagError as error:
            said = {"error": type(error).__name__, "message": str(error)}
    told = [event for outlet in task.outlets for event in events[outlet].asset_alias_events]
    assert all(event.dest_asset_key.name == ESSAY_INDEX.name for event in told)
    said["events"] = [event.extra for event in told]
    return said | {"pointer": connect().store.get(keys.CURRENT).body.decode()}

def published(order, version, measured):
    publish, events, pushed = dags["build_index"].get_task("publish"), OutletEventAccessors(), []
    instance = SimpleNamespace(xcom_pull=lambda **_: order, xcom_push=lambda key, value: pushed.append(value))
    with context(publish, events, ti=instance):
        try:
            state, said = "success", publish.python_callable(version, measured)
        except AirflowSkipException as skipped:
            state, said = "skipped", {**pushed[0], "log": str(skipped)}
        except errors.GateError as error:
            state, said = "failed", {"code": error.code}
    assert publish.outlets == [ESSAY_INDEX], "which has an event if the task succeeds, and only then"
    return {"state": state, "said": said, "event": events[ESSAY_INDEX].extra}

def action(policy, name):
    kind = AirflowTaskTimeout if name == "AirflowTaskTimeout" else getattr(errors, name)
    return policy.evaluate(kind("wrong"), 1, 3).action.name

json.dump({
    "runs": [published(*run) for run in asked["runs"]],
    "forms": {name: done(form) for name, form in asked["forms"].items()},
    "policies": {dag: {name: action(policy, name) for name in asked["errors"]} for dag, policy in policies.items()},
}, sys.stdout)
"""
LEAVES = sorted(name for name in errors.__all__ if not getattr(errors, name).__subclasses__())


class Tried(NamedTuple):
    """Two versions, what became of each form, and what each DAG does about each error."""

    older: str
    newer: str
    runs: list[dict[str, Any]]
    forms: dict[str, dict[str, Any]]
    policies: dict[str, dict[str, str]]

    def pointer(self, form: str) -> Pointer:
        """What CURRENT says after a form."""
        return Pointer.model_validate_json(self.forms[form]["pointer"])


def assembled(world: World, day: date, **asked: object) -> tuple[str, str, dict[str, Any]]:
    """Do all steps of a day but the last; return its order, version and figures."""
    run = {"day": day, "by": "tests", "past": True, "source": SOURCE, **asked}
    order, titles, _ = world.steps.discover(Run.model_validate(run))
    slugs = [slug for slug, _ in titles]
    world.steps.changes(order)
    outcomes = [getattr(world.steps, step)(order, slugs) for step in PER_ESSAY]
    version = world.steps.assemble(order, outcomes).version
    return order, version, world.steps.evaluate(order, version).model_dump(mode="json")


@pytest.fixture(scope="module")
def tried(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """Every form, one after the other, on two versions of which the newer one answers."""
    world = World(settings_of(stores, tmp_path_factory.mktemp("manage")))
    second_day = FIRST.replace(day=2)
    keep_day(world, FIRST, ESSAYS)
    keep_day(world, second_day, {**ESSAYS, "tide": "The tide table is wrong."})
    older = build_day(world, FIRST, promote=True).version
    newer = assembled(world, second_day, promote=True)
    first_again = assembled(world, FIRST, promote=True)
    past = assembled(world, FIRST, chunk_size=500)
    keep_day(world, FIRST.replace(day=3), {"harbour": ESSAYS["harbour"]})
    fewer = assembled(world, FIRST.replace(day=3), promote=True)
    given = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW_CONN_CONTEXTUAL_RAG": json.dumps({"conn_type": "generic"}),
    }
    finished = subprocess.run(
        [sys.executable, "-c", _DO, str(ROOT / "dags"), USER],
        env={**os.environ, **environment_of(stores, world.settings), **given},
        input=json.dumps(
            {
                "runs": [newer, newer, first_again, past, fewer],
                "forms": forms(older, newer[1]),
                "errors": [*LEAVES, "AirflowTaskTimeout"],
            }
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return Tried(older, newer[1], **json.loads(finished.stdout[finished.stdout.index('{"runs"') :]))


class TestTheForm:
    def test_pins_and_unpins(self, tried: Tried) -> None:
        assert tried.pointer("pin").pinned == (tried.older,)
        assert tried.pointer("unpin").pinned == ()
        assert tried.older in tried.forms["pin"]["message"]

    def test_rolls_back_to_the_parent_and_records_who_and_why(self, tried: Tried) -> None:
        assert tried.pointer("unpin").version == tried.newer
        now = tried.pointer("rollback")
        assert (now.version, now.action) == (tried.older, "rollback")
        assert (now.changed_by, now.why) == (USER, "the newer one is worse")

    def test_prunes_where_the_version_is_only_spaces(self, tried: Tried) -> None:
        assert "removed" in tried.forms["prune"]["message"]

    def test_changes_nothing_for_a_version_that_is_not_there(self, tried: Tried) -> None:
        assert tried.forms["unknown"]["error"] == "UnknownVersionError"
        assert tried.pointer("unknown") == tried.pointer("prune")

    @pytest.mark.parametrize(("form", "said"), [("empty", "field Version is empty"), ("too much", "takes no version")])
    def test_says_which_field_is_wrong_and_changes_nothing(self, tried: Tried, form: str, said: str) -> None:
        assert tried.forms[form]["error"] == "SettingError"
        assert said in tried.forms[form]["message"]
        assert tried.pointer(form) == tried.pointer("prune")


class TestTheAssetsEvent:
    def test_of_a_build_comes_if_what_answers_changed_and_says_from_what_to_what_and_why(self, tried: Tried) -> None:
        changed, again, *_ = tried.runs
        assert (changed["state"], again["state"]) == ("success", "skipped")
        event = changed["event"]
        assert (event["from"], event["to"], event["by"]) == (tried.older, tried.newer, USER)
        assert event["why"] == changed["said"]["why"] == "a new version was published"

    def test_comes_of_no_build_after_which_the_same_answers_and_its_log_says_why(self, tried: Tried) -> None:
        for run, why in zip(
            tried.runs[1:4], ("nothing has changed", "later logical date", "not to promote"), strict=True
        ):
            assert (run["state"], run["event"], run["said"]["moved"]) == ("skipped", {}, False)
            assert why in run["said"]["log"]

    def test_comes_of_no_build_that_is_refused(self, tried: Tried) -> None:
        assert (tried.runs[4]["state"], tried.runs[4]["event"]) == ("failed", {})
        assert tried.runs[4]["said"]["code"].startswith("gate_")

    def test_comes_of_a_person_who_changes_what_answers(self, tried: Tried) -> None:
        for form, before, after in (("rollback", tried.newer, tried.older), ("promote", tried.older, tried.newer)):
            (event,) = tried.forms[form]["events"]
            assert (event["from"], event["to"], event["by"]) == (before, after, USER)
            assert event["why"] == tried.pointer(form).why

    def test_comes_of_no_person_who_does_not(self, tried: Tried) -> None:
        told = {form for form, said in tried.forms.items() if said["events"]}
        assert told == {"rollback", "promote"}


class TestWhatIsTriedAgain:
    @pytest.mark.parametrize("dag", ["build_index", "manage_index", "prune_index"])
    def test_is_never_what_a_person_must_cure_nor_what_concerns_one_essay(self, tried: Tried, dag: str) -> None:
        decided = tried.policies[dag]
        assert decided.pop("AirflowTaskTimeout") == "FAIL"
        failed = {name for name, action in decided.items() if action == "FAIL"}
        kinds: dict[str, type[RagError]] = {name: getattr(errors, name) for name in LEAVES}
        assert failed == {
            name
            for name, kind in kinds.items()
            if issubclass(kind, (FatalError, SkippableError)) and not issubclass(kind, PageUnavailableError)
        }
        assert {"BudgetError", "CredentialsError", "GateError", "SettingError", "PageError"} <= failed
        assert {"ServiceUnavailableError", "ConflictError", "PageUnavailableError"} <= set(decided) - failed
