"""Every DAG file is read without fault, and the graph is as its documentation draws it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

DAGS = {name: f"{name}.py" for name in ("build_index", "manage_index", "prune_index")}
# Versions that a machine has opened: more than pruning keeps.
OPENED = [f"2026-03-{day:02}-0000000{day % 10}" for day in range(1, 18)]
_READ = '''
import json, os, sys
from datetime import timedelta
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables import trigger
from airflow.timetables.base import TimeRestriction

def waits(dag):
    """Whether the scheduler, had it met the DAG a minute after it was due, would wait for the next time."""
    timetable = decode_timetable(encode_timetable(dag.timetable))
    if not timetable.can_be_scheduled:
        return None
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    due = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction).run_after
    trigger.utcnow = lambda: due + timedelta(minutes=1)
    return timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction).run_after > due

def limits(hours):
    """The time limits that a setting of so many hours gives, in hours."""
    from contextual_rag.airflow.tasks import time_limits
    os.environ["RAG_TASK_HOURS"] = hours
    return [limit / timedelta(hours=1) for limit in time_limits()]

def suggested(**changed):
    """What is suggested with other settings."""
    from contextual_rag.airflow.tasks import suggested_versions
    os.environ |= changed
    return suggested_versions()

def batches(essays):
    """How many instances ask for the pages of so many essays, and how many work on them if each takes a second."""
    from contextual_rag.airflow.tasks import asking, batches
    from contextual_rag.building.batches import by_cost
    titles = [(f"essay{n}", f"Essay {n}") for n in range(essays)]
    return [len(batches(asking(titles), "order")), len(batches(by_cost(titles, [1.0] * essays), "order"))]

def titles(*lengths):
    """What the instances of such titles are called."""
    from contextual_rag.airflow.tasks import batches
    parts = [[(str(n), "A" * length) for n in range(essays)] for essays, length in lengths]
    return [batch["title"] for batch in batches(parts, "order")]

bag = DagBag(sys.argv[1])
json.dump({
    "errors": bag.import_errors,
    "batches": {str(essays): batches(essays) for essays in (1, 2, 17, 207, 1000, 100_000)},
    "titles": titles((1, 5), (3, 5), (1, 300), (50, 10)),
    "limits": {hours: limits(hours) for hours in ("0.5", "no number")},
    "dags": {
        dag.dag_id: {
            "file": dag.fileloc, "doc": dag.doc_md, "catchup": dag.catchup, "runs": dag.max_active_runs,
            "schedule": getattr(dag.schedule, "expression", None), "waits": waits(dag),
            "params": {name: dag.params.get_param(name).schema for name in dag.params},
            "paused": dag.is_paused_upon_creation, "limit": dag.dagrun_timeout and dag.dagrun_timeout.total_seconds(),
            "described": [name for name in dag.params if dag.params.get_param(name).description],
            "names": list(dag.params),
            "tasks": {task.task_id: {
                "upstream": sorted(task.upstream_task_ids), "rule": str(task.trigger_rule), "retries": task.retries,
                "limit": task.execution_timeout and task.execution_timeout.total_seconds(),
                "mapped": task.is_mapped or task.get_closest_mapped_task_group() is not None,
            } for task in dag.tasks},
        } for dag in bag.dags.values()
    },
    "suggested": [suggested(RAG_DATA_DIR="/nowhere"), suggested(RAG_KEEP_VERSIONS="no number")],
}, sys.stdout)
'''


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What Airflow itself reads in the folder, in a process that it may settle in."""
    home, data = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("data")
    for name in (*OPENED, ".2026-03-18-00000000.partial", "2026-03-18-00000000.copy"):
        (data / "indexes" / name).mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(ROOT / "dags")],
        # Nobody listens there: reading a file needs no store.
        env={
            **environment,
            "AIRFLOW_HOME": str(home),
            "RAG_DATA_DIR": str(data),
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout[done.stdout.index('{"errors"') :])
    return found


_IMPORT = """
import sys
folder, plugins, *places = sys.argv[1:]
# As where nothing is installed but what the project depends on.
sys.path = [*places, *(place for place in sys.path if not place.endswith("/include") and place != ""), plugins]
from airflow._shared.plugins_manager.plugins_manager import _load_plugins_from_plugin_directory
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(folder)
assert not bag.import_errors, bag.import_errors
assert all("include" not in stats.file for stats in bag.dagbag_stats), bag.dagbag_stats
found, wrong = _load_plugins_from_plugin_directory(plugins)
assert not wrong and [plugin.name for plugin in found] == ["index_versions"], (found, wrong)
sys.argv = ["airflow", "scheduler"]
sys.modules.pop("airflow_local_settings", None)
import airflow_local_settings
found[0].fastapi_apps[0]["app"].__globals__["_app"]()
print(sorted(bag.dags), sys.modules["contextual_rag"].__file__)
"""


class TestLayouts:
    """Where files are put elsewhere than here."""

    def read(self, home: Path, folder: Path, plugins: Path, *places: Path) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, folder, plugins, *places],
            env={**environment, "AIRFLOW_HOME": str(home)},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    def test_in_a_sub_folder_beside_others_of_bare_names_with_the_projects_root_alone_on_the_path_are_read(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "dags" / "team"
        shutil.copytree(ROOT / "dags", folder)
        for name in ("world", "reporting", "tasks", "connection"):
            (folder / f"{name}.py").write_text("VALUE = 'of another project'")
        read = self.read(tmp_path, folder.parent, ROOT / "plugins", ROOT)
        assert str(sorted(DAGS)) in read
        assert str(ROOT / "include" / "contextual_rag") in read

    def test_with_the_package_among_the_plugins_as_mwaa_needs_it_are_read(self, tmp_path: Path) -> None:
        # There, the web server has the plugins alone.
        for name in ("dags", "plugins"):
            shutil.copytree(ROOT / name, tmp_path / name)
            (tmp_path / name / "include").symlink_to(ROOT / "include")
        read = self.read(tmp_path, tmp_path / "dags", tmp_path / "plugins")
        assert str(sorted(DAGS)) in read
        assert str(tmp_path / "plugins" / "include") in read


class TestEveryFile:
    def test_is_read_without_fault(self, read: Mapping[str, Any]) -> None:
        assert read["errors"] == {}

    def test_is_accounted_for(self, read: Mapping[str, Any]) -> None:
        assert {dag: Path(found["file"]).name for dag, found in read["dags"].items()} == DAGS

    @pytest.mark.parametrize("dag", DAGS)
    def test_documents_its_dag_and_each_parameter(self, read: Mapping[str, Any], dag: str) -> None:
        found = read["dags"][dag]
        assert len(found["doc"]) > 500
        assert found["described"] == found["names"]


class TestTimeLimits:
    @pytest.mark.parametrize("dag", DAGS)
    def test_end_every_task_and_every_run_before_the_next_night(self, read: Mapping[str, Any], dag: str) -> None:
        found = read["dags"][dag]
        assert found["tasks"]
        for name, task in found["tasks"].items():
            assert task["limit"], name
            assert 0 < task["limit"] < found["limit"] < 24 * 3600, name

    def test_are_those_of_the_setting(self, read: Mapping[str, Any]) -> None:
        assert read["limits"]["0.5"] == [0.5, 5]

    def test_of_a_wrong_setting_take_no_dag_away(self, read: Mapping[str, Any]) -> None:
        assert read["limits"]["no number"] == [2, 20]


class TestBuildIndex:
    def test_says_for_each_choice_of_promote_what_it_will_do(self, read: Mapping[str, Any]) -> None:
        promote = read["dags"]["build_index"]["params"]["promote"]
        # Airflow paints a list for the first type if that is a string, and a switch for a boolean.
        assert next(one for one in promote["type"] if one != "null") == "string"
        assert promote["values_display"].keys() == {json.dumps(one).strip('"') for one in promote["enum"]}
        assert {True, False, None} <= set(promote["enum"]), "as programs give it"

    def test_has_the_shape_that_it_is_drawn_with(self, read: Mapping[str, Any]) -> None:
        tasks = read["dags"]["build_index"]["tasks"]
        assert {name: task["upstream"] for name, task in tasks.items()} == {
            "discover": [],
            "fetch": ["discover"],
            "changes": ["discover", "fetch"],
            "essays.chunk": ["changes"],
            "essays.contextualize": ["changes", "essays.chunk"],
            "essays.embed": ["changes", "essays.contextualize"],
            "assemble": ["changes", "essays.embed", "fetch"],
            "evaluate": ["assemble"],
            "publish": ["assemble", "evaluate"],
        }

    def test_maps_over_essays(self, read: Mapping[str, Any]) -> None:
        tasks = read["dags"]["build_index"]["tasks"]
        assert {name for name, task in tasks.items() if task["mapped"]} == {
            "fetch",
            "essays.chunk",
            "essays.contextualize",
            "essays.embed",
        }

    def test_takes_as_few_instances_as_a_day_needs(self, read: Mapping[str, Any]) -> None:
        tasks, batches = read["dags"]["build_index"]["tasks"], read["batches"]
        once = [name for name, task in tasks.items() if not task["mapped"]]
        per_essay = [name for name in tasks if name.startswith("essays.")]
        asking, working = batches["207"][0], batches["1"][1]
        assert len(once) + asking <= 8, "nothing changed"
        assert len(once) + asking + working * len(per_essay) <= 12, "one document changed"

    def test_takes_more_where_one_would_take_long(self, read: Mapping[str, Any]) -> None:
        assert read["batches"] == {
            "1": [1, 1],
            "2": [2, 1],
            "17": [2, 1],
            "207": [2, 10],
            "1000": [10, 12],
            "100000": [12, 12],
        }

    def test_names_an_instance_by_its_essays_and_never_at_greater_length_than_airflow_keeps(
        self, read: Mapping[str, Any]
    ) -> None:
        one, three, long, many = read["titles"]
        assert (one, three) == ("AAAAA", "3 essays: AAAAA, AAAAA, AAAAA")
        assert many.startswith("50 essays: ")
        assert {len(long), len(many)} == {240}

    def test_runs_daily_and_one_run_at_a_time(self, read: Mapping[str, Any]) -> None:
        dag = read["dags"]["build_index"]
        assert (dag["schedule"], dag["catchup"], dag["runs"]) == ("0 1 * * *", False, 1)

    def test_makes_up_for_no_day_before_it_was_unpaused(self, read: Mapping[str, Any]) -> None:
        assert read["dags"]["build_index"]["waits"] is True

    def test_documents_each_task(self, read: Mapping[str, Any]) -> None:
        dag = read["dags"]["build_index"]
        for task in dag["tasks"]:
            assert f"`{task}`" in dag["doc"] or f"`.{task.split('.')[-1]}`" in dag["doc"]


class TestManageIndex:
    def test_is_one_task_that_only_a_person_starts(self, read: Mapping[str, Any]) -> None:
        dag = read["dags"]["manage_index"]
        assert list(dag["tasks"]) == ["manage"]
        assert (dag["schedule"], dag["runs"], dag["paused"]) == (None, 1, False)

    def test_asks_for_one_of_its_actions_and_a_reason(self, read: Mapping[str, Any]) -> None:
        dag = read["dags"]["manage_index"]
        assert set(dag["params"]) == {"action", "version", "reason"}
        assert dag["params"]["reason"]["minLength"] == 3
        actions = dag["params"]["action"]["enum"]
        assert actions == ["promote", "rollback", "pin", "unpin", "prune"]
        assert [action for action in actions if f"| {action} |" not in dag["doc"]] == []
        assert list(dag["params"]["action"]["values_display"]) == actions

    def test_suggests_the_newest_versions_that_this_machine_has_opened_and_takes_others(
        self, read: Mapping[str, Any]
    ) -> None:
        version = read["dags"]["manage_index"]["params"]["version"]
        assert version["examples"] == sorted(OPENED, reverse=True)[:14]
        assert "enum" not in version

    def test_suggests_none_where_none_was_opened_or_a_setting_is_wrong(self, read: Mapping[str, Any]) -> None:
        assert read["suggested"] == [[], []]


class TestPruneIndex:
    def test_runs_weekly_and_makes_up_for_nothing(self, read: Mapping[str, Any]) -> None:
        dag = read["dags"]["prune_index"]
        assert list(dag["tasks"]) == ["prune"]
        assert (dag["schedule"], dag["catchup"], dag["runs"]) == ("0 3 * * 0", False, 1)
        assert dag["waits"] is True
