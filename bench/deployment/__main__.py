"""Runs the services of docker-compose.yaml as processes and tries what a deployment must do: `make test-deployment`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console

from bench.deployment import checks
from bench.deployment.ground import Deployment, missing, running

__all__ = ["main"]

# What `.env` says here: the balancer lets one client of the campaign ask more than a person does.
_DOTENV = {"RAG_QUESTIONS_PER_MINUTE": "100000", "RAG_REQUEST_INTERVAL_S": "0"}
_CHECKS: dict[str, Callable[[Deployment], str]] = {
    "the main job": checks.main_job,
    "one machine": checks.same_as_embedded,
    "50 questions": checks.answers,
    "a backfill": checks.backfill,
    "a killed worker": checks.killed_worker,
    **{f"{name} away": partial(checks.away, service=name) for name in ("redis", "postgres", "seaweedfs", "milvus")},
}


def main() -> int:
    """Run the checks; return 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=[*_CHECKS], help="only these checks, after the main job")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    asked = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    if lacking := missing():
        console.print(f"missing: {', '.join(lacking)}; see docs/deployment.md")
        return 2
    folder, began, failed = Path(mkdtemp(prefix="deployment-")), time.monotonic(), 0

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.0f} s[/] {line}")

    try:
        with running(folder, say, _DOTENV) as deployment:
            for name, check in _CHECKS.items():
                if asked.only and name not in (*asked.only, "the main job"):
                    continue
                try:
                    say(f"[green]ok[/]     {name}: {check(deployment)}")
                except Exception as error:  # noqa: BLE001 - the other checks go on
                    failed += 1
                    say(f"[red]failed[/] {name}: {type(error).__name__}: {error}")
                    if not isinstance(error, checks.FaultError):
                        console.print(traceback.format_exc(), markup=False)
    finally:
        if asked.keep or failed:
            say(f"logs and data: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
