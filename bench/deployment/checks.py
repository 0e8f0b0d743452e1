"""What a deployment must do, tried on a running one. Each check says what it found, or raises FaultError."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx

from bench.deployment.ground import AIRFLOW, PAGE, Deployment
from contextual_rag import keys
from contextual_rag.embedded.airflow import DAG, Airflow
from contextual_rag.face import build, search
from contextual_rag.model import Snapshot
from contextual_rag.objects import require, save
from contextual_rag.settings import PROJECT
from contextual_rag.wiring import World

__all__ = [
    "FaultError",
    "answers",
    "away",
    "backfill",
    "doctor",
    "found",
    "health_checks",
    "killed_worker",
    "main_job",
    "questions",
    "same_as_embedded",
    "wild_titles",
    "world",
]

_AWAY_S: Final = 20.0
_HEALTH_S: Final = 120.0
_END_S: Final = 1800.0
_DAYS: Final = 3
_RECIPE: Final = {"chunk_size": 700}
_TASK: Final = re.compile(r"execute_workload\[[0-9a-f-]+\] (received|succeeded)")


class FaultError(Exception):
    """A deployment did not do what it must."""


@contextmanager
def airflow(deployment: Deployment) -> Iterator[Airflow]:
    """Give a client of Airflow."""
    client = deployment.airflow()
    try:
        yield client
    finally:
        client.close()


def world(deployment: Deployment) -> World:
    """Return the deployment's stores."""
    return World(deployment.settings())


def alone_with(deployment: Deployment, bucket: str) -> World:
    """Return the world of one machine: the same stores, another bucket."""
    update = {"bucket": bucket, "data_dir": deployment.folder / bucket}
    return World(deployment.settings().model_copy(update=update))


def main_job(deployment: Deployment, **conf: Any) -> str:
    """Build through Airflow; return the version and how the instances were shared."""
    before = _done_by(deployment)
    with airflow(deployment) as client:
        client.unpause(DAG)
        run = client.trigger(DAG, conf)
        state = _end(client, run)
        published = client.returned(DAG, run, "publish") or {}
        instances = client.instances(DAG, run)
    if state != "success":
        raise FaultError(f"the run ended {state}: {Counter((i['task_id'], i['state']) for i in instances)}")
    shared = {name: count - before[name] for name, count in _done_by(deployment).items()}
    if len(shared) < 2 or min(shared.values()) < 1:  # noqa: PLR2004
        raise FaultError(f"one worker did everything: {shared}")
    return f"{published['version']}; {len(instances)} instances, {shared}"


def same_as_embedded(deployment: Deployment, bucket: str = "embedded") -> str:
    """Build the same with `rag build` into another bucket, and compare versions and the order of 50 questions' hits."""
    here = world(deployment)
    other = alone_with(deployment, bucket)
    built = build(other, source=here.settings.source_url)
    pointer = here.registry.current()
    current = pointer.version if pointer else None
    if built.version != current:
        raise FaultError(f"the deployment published {current}, one machine {built.version}")
    asked = questions()
    if differ := [question for question in asked if found(here, question) != found(other, question)]:
        raise FaultError(f"{len(differ)} questions find something else on one machine: {differ[:3]}")
    return f"{current} both times; {len(asked)} questions find the same chunks in the same order"


def backfill(deployment: Deployment) -> str:
    """Backfill three days whose snapshots are three editions of the site, by Airflow's own command."""
    here = world(deployment)
    source = require(here.store, _snapshot_keys(here)[-1], Snapshot).source
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=_DAYS - n) for n in range(_DAYS)]
    site = deployment.ports["site"]
    for n, day in enumerate(days, 1):
        httpx.put(f"http://127.0.0.1:{site}/_edition", json={"edition": n}, trust_env=False).raise_for_status()
        build(here, source=source.url, promote=False)
        snapshot = require(here.store, _snapshot_keys(here)[-1], Snapshot)
        save(here.store, keys.snapshot(source.name, day), snapshot.model_copy(update={"date": day}))
    asked = ["--dag-id", DAG, "--from-date", str(days[0]), "--to-date", f"{days[-1]}T23:59", "--max-active-runs", "1"]
    asked += ["--dag-run-conf", json.dumps({"recipe": _RECIPE})]
    made = deployment.run(str(AIRFLOW / "airflow"), "backfill", "create", *asked, service="scheduler")
    if made.returncode:
        raise FaultError(f"airflow backfill create: {made.stderr[-1000:]}")
    with airflow(deployment) as client:
        _until(lambda: all(one["completed_at"] for one in client.backfills(DAG)), "the backfill does not end", _END_S)
        runs = [(run["dag_run_id"], str(run["logical_date"])[:10]) for run in client.runs(DAG, "backfill")]
        ended = {day: client.run(DAG, run)["state"] for run, day in runs}
        made_by_day = {day: (client.returned(DAG, run, "publish") or {}).get("version") for run, day in runs}
    if set(ended.values()) != {"success"} or len(ended) < _DAYS:
        raise FaultError(f"the backfill's runs ended {ended}")
    other = alone_with(deployment, "backfilled")
    for day in days:
        snapshot = require(here.store, keys.snapshot(source.name, day), Snapshot)
        for page in snapshot.pages:
            stored = here.store.get(keys.page(page.sha256))
            other.store.put_new(keys.page(page.sha256), stored.body if stored else b"")
        save(other.store, keys.snapshot(source.name, day), snapshot)
    alone = {str(day): build(other, source=source.url, day=day, recipe=_RECIPE).version for day in days}
    if alone != {day: made_by_day.get(day) for day in alone}:
        raise FaultError(f"the backfill made {made_by_day}, one machine {alone}")
    return f"{len(alone)} days, each the version of one machine: {', '.join(map(str, alone.values()))}"


def answers(deployment: Deployment, count: int = 50) -> str:
    """Ask through the balancer; every answer must come, and a thread begun on one page must go on with the other."""
    pages, moved = Counter[str](), 0
    thread = last = None
    with asking(deployment) as http:
        for n, question in enumerate(questions()[:count]):
            http.cookies.clear()
            asked = {"question": question, "stream": False, "thread": thread if n % 5 else None}
            response = http.post("/api/ask", json=asked)
            if response.status_code != httpx.codes.OK or not response.json()["answer"]:
                raise FaultError(f"{question!r}: HTTP {response.status_code} {response.text[:300]}")
            page = str(response.cookies.get("page"))
            moved += page != last and thread == response.json()["thread_id"]
            thread, last = response.json()["thread_id"], page
            pages[page] += 1
        http.base_url = f"http://127.0.0.1:{deployment.ports['metrics']}"
        metrics = http.get("/api/metrics")
    if "rag_questions_total" not in metrics.text:
        raise FaultError(f"the metrics: HTTP {metrics.status_code} {metrics.text[:200]}")
    if not moved:
        raise FaultError(f"no thread went on with another page: {pages}")
    return f"{count} questions, by page: {sorted(pages.values())}; {moved} times a thread went on with the other page"


def doctor(deployment: Deployment) -> str:
    """Run `rag doctor` as the deployment's users do."""
    ran = deployment.run(str(PAGE / "rag"), "doctor", "--json")
    findings = json.loads(ran.stdout)
    if bad := {one["check"]: one["detail"] for one in findings if not one["ok"] or one["warning"]}:
        raise FaultError(f"rag doctor: {bad}")
    if not any(one["check"] == "Airflow" and "scheduler" in one["detail"] for one in findings):
        raise FaultError("rag doctor did not ask Airflow")
    return f"{len(findings)} checks are well: {', '.join(one['check'] for one in findings)}"


def health_checks(deployment: Deployment) -> str:
    """Run the health check of each of our services while it runs, and after it was killed."""
    said = []
    for name in ("page-1", "worker-1", "api-server", "scheduler", "dag-processor", "triggerer", "celery-worker-1"):
        _until(partial(deployment.healthy, name), f"{name} runs and is not healthy")
        deployment.kill(name)
        began = time.monotonic()
        _until(partial(deployment.ill, name), f"{name} is gone and said to be healthy")
        said.append(f"{name} {time.monotonic() - began:.0f} s")
        deployment.restart(name)
    deployment.wait("api-server", "balancer")
    return f"each says that it is well, and that it is not after it was killed: {', '.join(said)}"


def _until(what: Callable[[], bool], else_: str, seconds: float = _HEALTH_S) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise FaultError(else_)
        time.sleep(0.5)


def wild_titles(deployment: Deployment) -> str:
    """Build essays with titles of 2,000 characters, of emoji, and from right to left."""
    day = deployment.site / "day4"
    day.mkdir()
    page = (deployment.site / "day1" / "uncertain.html").read_bytes()
    titles = {
        "long": "A very long title " * 112,
        "emoji": "🦊🌧️👩‍👩‍👧 " * 30,
        "rtl": "\u202eعنوان طويل من اليمين إلى اليسار " * 8,
    }
    index = httpx.get(f"http://127.0.0.1:{deployment.ports['site']}/articles.html", trust_env=False).content
    # Each has a bullet as the others have, and stands above them, so that a batch's name begins with it.
    start = index.index(b"<tr", index.rindex(b"<table", 0, index.index(b"bullet.gif")))
    row = index[start : index.index(b"</tr>", index.index(b"bullet.gif")) + len(b"</tr>")]
    link = re.compile(rb"<a href=[^>]*>.*?</a>", re.DOTALL)
    links = (
        f'<a href="wild-{name}.html">{title}</a>'.encode("ascii", "xmlcharrefreplace") for name, title in titles.items()
    )
    marked = index[:start] + b"".join(link.sub(one, row, count=1) for one in links) + index[start:]
    (day / "articles.html").write_bytes(marked)
    for name in titles:
        (day / f"wild-{name}.html").write_bytes(page.replace(b"uncertain", f"uncertain ({name})".encode()))
    deployment.kill("site")
    deployment.restart("site")
    site = f"http://127.0.0.1:{deployment.ports['site']}/_edition"
    httpx.put(site, json={"edition": 4}, trust_env=False).raise_for_status()
    built = main_job(deployment, promote="yes")
    with airflow(deployment) as client:
        run = max(str(one["dag_run_id"]) for one in client.runs(DAG, "manual"))  # they begin with the time
        shown = [str(i["rendered_map_index"]) for i in client.instances(DAG, run) if i["map_index"] >= 0]
    if not any("🦊" in title or "A very long" in title for title in shown):
        raise FaultError(f"no instance has a wild title: {shown}")
    return f"{built}; the longest title in the grid has {max(map(len, shown))} characters"


def killed_worker(deployment: Deployment) -> str:
    """Kill a Celery worker in the middle of a run that makes everything again. The run must end well."""
    return _interrupted(deployment, "celery-worker-1", lambda: deployment.kill("celery-worker-1"))


def away(deployment: Deployment, service: str) -> str:
    """Take a service away for 20 s in the middle of a run. The run ends well, or does so when it is run again."""
    return _interrupted(deployment, service, lambda: deployment.kill(service))


def _interrupted(deployment: Deployment, service: str, interrupt: Any) -> str:
    began = time.monotonic()
    with airflow(deployment) as client:
        run = client.trigger(DAG, {"force": True})
        while not any(
            i["task_id"].startswith("essays.") and i["state"] == "running" for i in client.instances(DAG, run)
        ):
            if client.run(DAG, run)["state"] in {"success", "failed"}:
                raise FaultError("the run ended before it could be interrupted")
    interrupt()
    time.sleep(_AWAY_S)
    deployment.restart(service)
    revived = deployment.revive()
    deployment.wait("api-server", "balancer")
    with airflow(deployment) as client:
        state = _end(client, run)
        words = f"the run ended {state}"
        if state != "success":
            failed = Counter(i["task_id"] for i in client.instances(DAG, run) if i["state"] == "failed")
            again = client.trigger(DAG, {})
            second = _end(client, again)
            words += f" ({dict(failed)}), run again {second}"
            if second != "success":
                raise FaultError(words)
    here = world(deployment)
    index = here.reader.index()
    rows, chunks = here.vectors.count(index.collection), len(index.rows)
    if rows < chunks:
        raise FaultError(f"{words}; the version has {chunks} chunks, the collection {rows} vectors")
    answers(deployment, 6)
    words += f"; started again: {', '.join(revived)};" if revived else ""
    return f"{words} after {time.monotonic() - began:.0f} s; {chunks} chunks, {rows} vectors; conversations went on"


def _end(client: Airflow, run: str) -> str:
    _until(lambda: client.run(DAG, run)["state"] in {"success", "failed"}, f"{run} does not end", _END_S)
    return str(client.run(DAG, run)["state"])


@contextmanager
def asking(deployment: Deployment) -> Iterator[httpx.Client]:
    """Give a client of the API, with its key, through the balancer."""
    url = f"http://127.0.0.1:{deployment.ports['balancer']}"
    headers = {"Authorization": f"Bearer {deployment.secret('RAG_API_KEYS')}"}
    with httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False) as http:
        yield http


def found(one: World, question: str) -> list[str]:
    return [hit.chunk.chunk_id for hit in search(one, question, k=8).hits]


def _done_by(deployment: Deployment) -> Counter[str]:
    done = Counter[str]()
    for log in sorted((deployment.folder / "logs").glob("celery-worker-?*.log")):
        words = _TASK.findall(log.read_text("utf-8", "replace"))
        done[log.name.split(".")[0]] += sum(word == "succeeded" for word in words)
    return done


def questions() -> list[str]:
    lines = (PROJECT / "sample_site" / "questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines][:50]


def _snapshot_keys(here: World) -> list[str]:
    return sorted(key for key in here.store.list("1_pages/snapshots/"))
