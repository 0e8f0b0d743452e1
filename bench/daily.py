"""What a day costs when Airflow runs it: an unchanged day, a day with one edited document, and a cold build.

    python -m bench.daily [--documents N] [--days N] [--rounds N] [--data FOLDER] [--only PART …]

A real Airflow, with scheduler, DAG processor and API server, follows a small site on loopback. Counts the task
instances that ran, and takes the time of each run and of each of its tasks from Airflow's own records. Cold builds
are of real pages, each into a bucket of its own, and take turns with `rag build`, the same steps in a plain loop. The
first is told apart: Airflow's processes have done nothing before it. On a machine that does other work too, the
processor time (`cpu s`) says more than the seconds. Prints a table and writes `bench/results/daily.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from shutil import copy
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import psutil
from rich.console import Console
from rich.table import Column, Table

from contextual_rag.embedded.airflow import DAG, Airflow
from contextual_rag.embedded.services import BUILDING, Services, running
from contextual_rag.recipe import OFFLINE_CONTEXTS, OFFLINE_EMBEDDINGS

__all__ = ["Day", "main", "write_site"]

RESULTS = Path(__file__).parent / "results" / "daily.json"
_DATA = Path(__file__).parents[2] / "shared" / "data"
_PAGES = "paulgraham_site"
_NOUNS = ("lamp", "ferry", "orchard", "bell", "ledger", "kiln", "bridge", "harbour", "mill", "tower", "market", "well")
_PARAGRAPHS = 2


class Day(NamedTuple):
    """A run of the DAG: its state, its instances and how many of them ran, seconds that it and its tasks took.

    `cpu_s` is the processor time of all services meanwhile. Of each task: how many instances ran, when the first began,
    and the sums of the seconds that they took and that they had waited since they could begin.
    """

    state: str
    instances: int
    ran: int
    wall_s: float
    cpu_s: float
    tasks: dict[str, dict[str, float]]


def write_site(root: Path, documents: int, days: int) -> None:
    """Write a site of small documents; each day but the first edits one of them."""
    for day in range(1, days + 1):
        folder = root / f"day{day}"
        folder.mkdir(parents=True)
        for number in range(documents) if day == 1 else (day,):
            (folder / f"{_slug(number)}.html").write_text(_document(number, day))
    _list(root / "day1", {_slug(number): _title(number) for number in range(documents)})


def _list(folder: Path, titles: Mapping[str, str]) -> None:
    links = "".join(f'<li><a href="{slug}.html">{title}</a></li>' for slug, title in titles.items())
    (folder / "articles.html").write_text(f"<html><body><h1>Essays</h1><ul>{links}</ul></body></html>")


def _slug(number: int) -> str:
    return f"{_NOUNS[number % len(_NOUNS)]}{number}"


def _title(number: int) -> str:
    return f"The {_NOUNS[number % len(_NOUNS)].title()} of House {number}"


def _document(number: int, day: int) -> str:
    noun, other = _NOUNS[number % len(_NOUNS)], _NOUNS[(number // len(_NOUNS) + 5) % len(_NOUNS)]
    edited = f" It was looked over again on day {day}." if day > 1 else ""
    paragraphs = "".join(
        f"<p>Paragraph {n} tells of the {noun} that belonged to house {number}. Its keeper wrote {number * 7 + n} "
        f"lines about the {other} across the street, and sold the {noun} in {1700 + (number * 13 + n * 31) % 300} "
        f"for {number + n * 3} coins.{edited if n == 1 else ''}</p>"
        for n in range(_PARAGRAPHS)
    )
    return (
        f"<html><head><title>{_title(number)}</title></head><body><h1>{_title(number)}</h1>{paragraphs}</body></html>"
    )


@contextmanager
def _started(site: Path) -> Iterator[tuple[Services, Airflow]]:
    with TemporaryDirectory(prefix="daily-") as folder:
        os.environ |= {"RAG_CONTEXT_MODEL": OFFLINE_CONTEXTS, "RAG_EMBEDDING_MODEL": OFFLINE_EMBEDDINGS}
        with running(BUILDING, data_dir=Path(folder), site=site) as services:
            airflow = Airflow(services.airflow_url, services.airflow_password)
            airflow.unpause(DAG)
            yield services, airflow
            airflow.close()


def _day(services: Services, airflow: Airflow) -> Day:
    before = _cpu_s(services)
    run = airflow.trigger(DAG, {})
    state = airflow.ended(DAG, run, every_s=0.1)
    described, instances = airflow.run(DAG, run), airflow.instances(DAG, run)
    times: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for one in instances:
        if one["state"] != "skipped" or one["duration"]:
            scheduled = one["scheduled_when"] or one["start_date"]
            times[one["task_id"]].append((_at(one["start_date"]), _at(one["end_date"]), _at(scheduled)))
    began = _at(described["queued_at"])
    tasks = {
        name: {
            "instances": len(spans),
            "began_s": round(min(start for start, _, _ in spans) - began, 2),
            "waited_s": round(sum(start - scheduled for start, _, scheduled in spans), 2),
            "seconds": round(sum(end - start for start, end, _ in spans), 2),
        }
        for name, spans in sorted(times.items(), key=lambda item: min(item[1]))
    }
    return Day(
        state,
        len(instances),
        sum(map(len, times.values())),
        round(_at(described["end_date"]) - began, 2),
        round(_cpu_s(services) - before, 2),
        tasks,
    )


def _at(said: str) -> float:
    return datetime.fromisoformat(said).timestamp()


def _cpu_s(services: Services) -> float:
    """Return the processor time of all services and of what they started, also of what has ended."""
    total = 0.0
    for pid in services.processes.pids.values() if services.processes else ():
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            try:
                total += sum(one.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
    return total


def measure_days(documents: int, days: int) -> dict[str, Any]:
    """Return the first build of a small site, days without a change, and days with one edited document."""
    with TemporaryDirectory(prefix="site-") as site:
        write_site(Path(site), documents, days + 1)
        with _started(Path(site)) as (services, airflow):
            first = _day(services, airflow)
            unchanged = [_day(services, airflow) for _ in range(days)]
            changed = []
            for edition in range(2, days + 2):
                address = services.site_url.replace("articles.html", "_edition")
                httpx.put(address, json={"edition": edition}, trust_env=False).raise_for_status()
                changed.append(_day(services, airflow))
    return {"documents": documents, "first": first._asdict()} | {
        name: {"median_s": median(day.wall_s for day in found), "runs": [day._asdict() for day in found]}
        for name, found in (("unchanged", unchanged), ("one changed", changed))
    }


def measure_cold(pages: Path, rounds: int) -> dict[str, Any]:
    """Return cold builds of real pages: the first through Airflow, and then rounds of one by `rag build` and one so.

    Each is in a bucket of its own. `airflow` is the run whose ratio is the median.
    """
    with TemporaryDirectory(prefix="site-") as site, ExitStack() as stack:
        found = [page for page in pages.glob("*.html") if page.name != "articles.html"]
        for page in found:
            copy(page, site)
        # The site's own index names many pages that are not there.
        _list(Path(site), {page.stem: page.stem for page in sorted(found)})
        services, airflow = stack.enter_context(_started(Path(site)))
        first = _day(services, airflow)
        plain, through = [], []
        for number in range(rounds):
            plain.append(_plain(services, f"plain-{number}"))
            airflow.connect("contextual_rag", {"RAG_BUCKET": f"airflow-{number}"})
            through.append(_day(services, airflow))
    walls = [day.wall_s / one["wall_s"] for day, one in zip(through, plain, strict=True)]
    cpus = [day.cpu_s / one["cpu_s"] for day, one in zip(through, plain, strict=True)]
    chosen = sorted(range(rounds), key=walls.__getitem__)[rounds // 2]
    return {
        "first": first._asdict(),
        "airflow": through[chosen]._asdict(),
        "runs": [{"wall_s": day.wall_s, "cpu_s": day.cpu_s, "ran": day.ran} for day in through],
        "plain": plain,
        "wall_ratio": round(median(walls), 3),
        "cpu_ratio": round(median(cpus), 3),
    }


def _plain(services: Services, bucket: str) -> dict[str, float]:
    environment = services.environment | {"RAG_BUCKET": bucket}
    spent_s, began = _cpu_s(services) + sum(os.times()[2:4]), time.perf_counter()
    subprocess.run(  # noqa: S603
        [Path(sys.executable).parent / "rag", "build", "--json"], env=environment, check=True, stdout=subprocess.PIPE
    )
    wall_s, cpu_s = time.perf_counter() - began, _cpu_s(services) + sum(os.times()[2:4]) - spent_s
    return {"wall_s": round(wall_s, 2), "cpu_s": round(cpu_s, 2)}


def main() -> None:
    """Measure, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=207)
    parser.add_argument("--days", type=int, default=3, help="without a change, and as many with one")
    parser.add_argument("--rounds", type=int, default=3, help="of cold builds")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder of the public data")
    parser.add_argument("--only", nargs="+", choices=("days", "cold"), default=("days", "cold"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the services are stopped then too
    found: dict[str, Any] = json.loads(asked.results.read_text()) if asked.results.exists() else {}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "days": lambda: measure_days(asked.documents, asked.days),
        "cold": lambda: measure_cold(asked.data / _PAGES, asked.rounds),
    }
    for name in asked.only:
        found[name] = {"load": round(os.getloadavg()[0], 1)} | parts[name]()
    asked.results.write_text(json.dumps(found, indent=1) + "\n")
    _show(found, asked.only)


def _show(found: dict[str, Any], parts: Sequence[str]) -> None:
    right = [Column(name, justify="right") for name in ("ran", "all", "wall s", "cpu s")]
    table = Table(Column("day"), Column("state"), *right, Column("tasks: instances, seconds"), box=None)
    days: list[tuple[str, dict[str, Any]]] = []
    if "days" in parts:
        days += [("first", found["days"]["first"])]
        days += [(name, run) for name in ("unchanged", "one changed") for run in found["days"][name]["runs"]]
    if "cold" in parts:
        days += [(f"cold, {name}", found["cold"][name]) for name in ("first", "airflow")]
    for name, day in days:
        tasks = ", ".join(
            f"{task} {one['instances']} {one['seconds']} (waited {one['waited_s']})"
            for task, one in day["tasks"].items()
        )
        figures = (str(day["ran"]), str(day["instances"]), f"{day['wall_s']:.1f}", f"{day['cpu_s']:.1f}")
        table.add_row(name, day["state"], *figures, tasks)
    console = Console(width=200)
    console.print(table)
    console.print("load of the machine before:", ", ".join(f"{name} {found[name]['load']}" for name in parts))
    if "cold" in parts:
        cold = found["cold"]
        console.print(f"plain loop {cold['plain']}; ratio of seconds {cold['wall_ratio']}, of cpu {cold['cpu_ratio']}")


if __name__ == "__main__":
    main()
