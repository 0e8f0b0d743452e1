"""What alerts and the dashboard ask for is counted by somebody, and each alert has its runbook."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from contextual_rag.settings import PROJECT

FOLDER = PROJECT / "deploy" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "contextual-rag.json").read_text("utf-8"))
ASKED = [rule["expr"] for rule in RULES]
ASKED += [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def counted() -> set[str]:
    """The names of what the page and the tasks count."""
    page = (PROJECT / "streamlit_app" / "metrics.py").read_text("utf-8")
    steps = (PROJECT / "include" / "contextual_rag" / "building" / "account.py").read_text("utf-8")
    essays = {f"rag_build_essays_{name}" for name in re.findall(r'"(unchanged|changed|new|gone)"', steps)}
    tasks = {f"rag_build_{name.replace('.', '_')}" for name in re.findall(r'"([a-z]+\.[a-z]+|cost_usd)"', steps)}
    return essays | tasks | set(re.findall(r'"(rag_[a-z_]+)"', page))


@pytest.mark.parametrize("expression", ASKED)
def test_what_is_asked_for_is_counted(expression: str) -> None:
    names = set(re.findall(r"\brag_[a-z_]+", expression))
    assert names
    assert {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in names} <= counted()


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
