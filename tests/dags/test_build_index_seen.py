"""What a person sees of nights that went wrong, in Airflow's grid and logs: pictures for RAG_SCREENSHOTS.

After `test_build_index.py`, these are nights of a failed page, a refusing gate, a wrong parameter, a refused key.
"""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, expect

from contextual_rag.embedded.airflow import DAG
from tests.chromium import Screenshots
from tests.dags.conftest import PATIENCE_MS, Scheduler

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not os.environ.get("RAG_SCREENSHOTS"), reason="RAG_SCREENSHOTS names no folder"),
]


def test_the_grid_shows_each_night_and_the_log_what_happened(
    scheduler: Scheduler, context: BrowserContext, screenshots: Screenshots
) -> None:
    assert scheduler.run(chunker="fixed", chunk_size=100, chunk_overlap=100).state == "failed"
    page = context.new_page()
    page.set_viewport_size({"width": 2200, "height": 1000})  # the grid has a quarter of it
    page.goto(f"/dags/{DAG}")
    expect(page.get_by_text("discover").first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    screenshots.take(page, "night-grid")
    for run in scheduler.airflow.runs(DAG, "manual"):
        instances = scheduler.airflow.instances(DAG, run["dag_run_id"])
        for task in {one["task_id"] for one in instances if (one["state"], one["map_index"]) == ("failed", -1)}:
            # A task that only followed another one has nothing to say of its own.
            if kept := scheduler.airflow.returned(DAG, run["dag_run_id"], task, "error"):
                page.goto(f"/dags/{DAG}/runs/{quote(run['dag_run_id'])}/tasks/{task}")
                expect(page.get_by_text(kept[1][:60]).first).to_be_visible(timeout=PATIENCE_MS)
                screenshots.take(page, f"night-{task}-{kept[0]}")
    page.close()
