"""What `manage_index` does with its form, and what is tried again: the tasks' own functions, without a scheduler.

`test_index_versions.py` has the scheduler run the DAG; here each way through the form is tried in one process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from bench.days import FIRST, build_day, keep_day
from contextual_rag import errors
from contextual_rag.embedded.services import Services
from contextual_rag.errors import FatalError, PageUnavailableError, RagError, SkippableError
from contextual_rag.versions.records import Pointer
from contextual_rag.wiring import World
from tests.conftest import ROOT, environment_of, settings_of

USER = "ada"
ESSAYS = {"harbour": "The harbour freezes in March.", "lamp": "A lamp needs oil twice a day."}


def forms(older: str) -> dict[str, dict[str, str | None]]:
    """The forms, in the order that they are given; before those that are refused come all that change something."""
    return {
        "pin": {"action": "pin", "version": older, "reason": "to compare with"},
        "unpin": {"action": "unpin", "version": older, "reason": "compared"},
        "rollback": {"action": "rollback", "version": None, "reason": "the newer one is worse"},
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
from airflow.sdk.execution_time.context import set_current_context
from contextual_rag import errors, keys
from contextual_rag.airflow.connection import connect

folder, user = sys.argv[1:]
asked = json.load(sys.stdin)
dags = DagBag(folder).dags
task = dags["manage_index"].get_task("manage")
policies = {name: dag.default_args["retry_policy"] for name, dag in dags.items()}

def done(form):
    run = SimpleNamespace(triggering_user_name=user, run_id="manual")
    with set_current_context({"params": form, "dag_run": run, "dag": task.dag}):
        try:
            said = task.python_callable()
        except errors.RagError as error:
            said = {"error": type(error).__name__, "message": str(error)}
    return said | {"pointer": connect().store.get(keys.CURRENT).body.decode()}

def action(policy, name):
    return policy.evaluate(getattr(errors, name)("wrong"), 1, 3).action.name

json.dump({
    "forms": {name: done(form) for name, form in asked["forms"].items()},
    "policies": {dag: {name: action(policy, name) for name in asked["errors"]} for dag, policy in policies.items()},
}, sys.stdout)
"""
LEAVES = sorted(name for name in errors.__all__ if not getattr(errors, name).__subclasses__())


class Tried(NamedTuple):
    """Two versions, what became of each form, and what each DAG does about each error."""

    older: str
    newer: str
    forms: dict[str, dict[str, Any]]
    policies: dict[str, dict[str, str]]

    def pointer(self, form: str) -> Pointer:
        """What CURRENT says after a form."""
        return Pointer.model_validate_json(self.forms[form]["pointer"])


@pytest.fixture(scope="module")
def tried(stores: Services, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """Every form, one after the other, on two versions of which the newer one answers."""
    world = World(settings_of(stores, tmp_path_factory.mktemp("manage")))
    second_day = FIRST.replace(day=2)
    keep_day(world, FIRST, ESSAYS)
    keep_day(world, second_day, {**ESSAYS, "tide": "The tide table is wrong."})
    older, newer = (build_day(world, day, promote=True).version for day in (FIRST, second_day))
    given = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW_CONN_CONTEXTUAL_RAG": json.dumps({"conn_type": "generic"}),
    }
    finished = subprocess.run(
        [sys.executable, "-c", _DO, str(ROOT / "dags"), USER],
        env={**os.environ, **environment_of(stores, world.settings), **given},
        input=json.dumps({"forms": forms(older), "errors": LEAVES}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return Tried(older, newer, **json.loads(finished.stdout[finished.stdout.index('{"forms"') :]))


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


class TestWhatIsTriedAgain:
    @pytest.mark.parametrize("dag", ["build_index", "manage_index", "prune_index"])
    def test_is_never_what_a_person_must_cure_nor_what_concerns_one_essay(self, tried: Tried, dag: str) -> None:
        decided = tried.policies[dag]
        failed = {name for name, action in decided.items() if action == "FAIL"}
        kinds: dict[str, type[RagError]] = {name: getattr(errors, name) for name in LEAVES}
        assert failed == {
            name
            for name, kind in kinds.items()
            if issubclass(kind, (FatalError, SkippableError)) and not issubclass(kind, PageUnavailableError)
        }
        assert {"BudgetError", "CredentialsError", "GateError", "SettingError", "PageError"} <= failed
        assert {"ServiceUnavailableError", "ConflictError", "PageUnavailableError"} <= set(decided) - failed
