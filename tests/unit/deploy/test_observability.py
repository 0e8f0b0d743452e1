"""What alerts and the dashboard ask for is counted by somebody, and each alert has its runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from contextual_rag.settings import PROJECT

FOLDER = PROJECT / "deploy" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "contextual-rag.json").read_text("utf-8"))
ASKED = [rule["expr"] for rule in RULES]
ASKED += [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


MAPPINGS = yaml.safe_load((FOLDER / "statsd.yaml").read_text("utf-8"))["mappings"]


def mapped(name: str) -> str:
    """The name in Prometheus of one in StatsD: of the first pattern with as many parts, a `*` for any of them."""
    parts = name.split(".")
    for mapping in MAPPINGS:
        pattern = mapping["match"].split(".")
        if len(pattern) == len(parts) and all(p in {"*", part} for p, part in zip(pattern, parts, strict=True)):
            found: str = mapping["name"]
            for n, part in enumerate((part for p, part in zip(pattern, parts, strict=True) if p == "*"), 1):
                found = found.replace(f"${{{n}}}", part).replace(f"${n}", part)
            return found
    return name.replace(".", "_")


def counted() -> set[str]:
    """The names of what the page and the tasks count."""
    page = (PROJECT / "streamlit_app" / "metrics.py").read_text("utf-8")
    steps = (PROJECT / "include" / "contextual_rag" / "building" / "account.py").read_text("utf-8")
    names = {f"essays.{name}" for name in re.findall(r'"(unchanged|changed|new|gone)"', steps)}
    names |= set(re.findall(r'"([a-z]+\.[a-z]+|cost_usd)"', steps))
    # As `contextual_rag.airflow.connection.count` names them, and Airflow's prefix.
    return {mapped(f"airflow.contextual_rag.{name}") for name in names} | set(re.findall(r'"(rag_[a-z_]+)"', page))


def test_what_the_tasks_count_keeps_a_name_of_ours() -> None:
    assert mapped("airflow.contextual_rag.cost_usd") == "rag_build_cost_usd"
    assert mapped("airflow.contextual_rag.versions.refused") == "rag_build_versions_refused"
    assert mapped("airflow.scheduler_heartbeat") == "airflow_scheduler_heartbeat"
    assert [name for name in counted() if not name.startswith("rag_")] == []


@pytest.mark.parametrize("expression", ASKED)
def test_what_is_asked_for_is_counted(expression: str) -> None:
    names = set(re.findall(r"\brag_[a-z_]+", expression))
    assert names
    assert {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in names} <= counted()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_sees_what_a_new_counter_has_counted(rule: dict[str, str]) -> None:
    # Prometheus says that a counter which appears with 1 has increased by 0.
    increases = re.findall(r"increase\((\w+)\[(\w+)\]\)", rule["expr"])
    assert increases == re.findall(r"\(\w+ unless (\w+) offset (\w+)\)", rule["expr"])


LISTED, FAILED, REFUSED, COST = (
    f"rag_build_{name}" for name in ("essays_listed", "essays_failed", "versions_refused", "cost_usd")
)
# An alert, the hour in which it is asked for, what was counted hour by hour (`_`: nothing yet), and whether it fires.
CASES = [
    ("VersionRefused", 3, {REFUSED: "_ _ _ 1"}, True),
    ("VersionRefused", 3, {REFUSED: "1 1 1 2"}, True),
    ("VersionRefused", 5, {REFUSED: "_ _ 1 1 1 1"}, False),
    ("Spending", 3, {COST: "_ _ 30 30"}, True),
    ("Spending", 3, {COST: "_ _ 9 9"}, False),
    ("Spending", 30, {COST: "30 " * 31}, False),
    ("ManyEssaysFailed", 3, {LISTED: "_ _ 100 100", FAILED: "_ _ _ 11"}, True),
    ("ManyEssaysFailed", 3, {LISTED: "_ _ 100 100", FAILED: "_ _ _ 9"}, False),
    ("ManyEssaysFailed", 9, {LISTED: "100 " * 8 + "200 200", FAILED: "0 " * 9 + "30"}, True),
    ("ManyEssaysFailed", 9, {LISTED: "100 " * 8 + "200 200", FAILED: "30 " * 9 + "35"}, False),
    ("ManyEssaysFailed", 9, {LISTED: "100 " * 8 + "200 200", FAILED: "_ " * 9 + "12"}, True),
    ("ManyEssaysFailed", 9, {LISTED: "100 " * 8 + "200 200", FAILED: "_ " * 9 + "8"}, False),
    ("ManyEssaysFailed", 9, {LISTED: "100 " * 10, FAILED: "30 " * 10}, False),
    ("NoNewVersion", 24, {}, False),
    ("NoNewVersion", 27, {}, True),
    ("NoNewVersion", 27, {LISTED: "_ " * 10 + "100 " * 20}, False),
    ("NoNewVersion", 27, {LISTED: "100 " * 20 + "200 " * 10}, False),
    ("NoNewVersion", 28, {LISTED: "100 " * 30}, True),
    ("WorkerLost", 1, {"rag_worker_up": "1 1"}, False),
    ("WorkerLost", 1, {"rag_worker_up": "0 0"}, True),
    ("WorkerLost", 1, {}, True),
    ("QuestionsWait", 1, {"rag_oldest_question_seconds": "70 70"}, True),
    ("QuestionsWait", 1, {"rag_oldest_question_seconds": "50 50"}, False),
]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    assert {case[0] for case in CASES} == {rule["alert"] for rule in RULES}
    tests = []
    for alert, hour, counts, fires in CASES:
        rule = next(rule for rule in RULES if rule["alert"] == alert)
        expected = [{"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}] if fires else []
        # An hour is a value and 59 more, or 60 that are missing; the question comes in the middle of its hour.
        series = [
            {"series": name, "values": " ".join(one + ("x60" if one == "_" else "x59") for one in values.split())}
            for name, values in counts.items()
        ]
        asked = [{"eval_time": f"{hour}h30m", "alertname": alert, "exp_alerts": expected}]
        tests.append({"interval": "1m", "input_series": series, "alert_rule_test": asked})
    whole = {"rule_files": [str(FOLDER / "alerts.yaml")], "evaluation_interval": "5m", "tests": tests}
    (file := tmp_path / "test.yaml").write_text(yaml.safe_dump(whole))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_asks_what_answers_it() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yaml").read_text("utf-8"))["scrape_configs"]
    targets = [target for job in jobs for one in job["static_configs"] for target in one["targets"]]
    assert targets == ["statsd:9102", "balancer:8502"]
    assert "bind :8502" in (PROJECT / "docker" / "haproxy.cfg").read_text("utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_has_a_runbook(rule: dict[str, dict[str, str]]) -> None:
    assert (PROJECT / rule["annotations"]["runbook"]).is_file()


def test_each_runbook_has_an_alert() -> None:
    named = {rule["annotations"]["runbook"] for rule in RULES}
    assert {f"docs/runbooks/{path.name}" for path in (PROJECT / "docs" / "runbooks").iterdir()} == named
