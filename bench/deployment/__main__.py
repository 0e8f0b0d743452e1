"""Runs the services of docker-compose.yaml as processes and tries what a deployment must do: `make test-deployment`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console
from rich.markup import escape

from bench.chaos_chat.ground import ModelServer, model_server
from bench.deployment import checks
from bench.deployment.ground import Deployment, missing, running
from bench.deployment.restore import restored
from bench.deployment.talks import killed_often, many_ask
from contextual_rag.recipe import OFFLINE_CONTEXTS, OFFLINE_EMBEDDINGS
from tests.servers.together import DEFAULT_KEY

__all__ = ["main"]

_SEED = 20261127
_TOKENS_PER_S = 50.0
_AWAY = ("redis", "postgres", "seaweedfs", "milvus")


def _checks(asked: argparse.Namespace, server: ModelServer) -> dict[str, Callable[[Deployment], str]]:
    talk = partial(killed_often, server=server, turns=asked.turns, kills=asked.kills, seed=_SEED)
    return {
        "the main job": checks.main_job,
        "one machine": checks.same_as_embedded,
        "50 questions": checks.answers,
        "the doctor": checks.doctor,
        "killed pages and workers": talk,
        "a backfill": checks.backfill,
        "a killed Celery worker": checks.killed_worker,
        **{f"{name} away": partial(checks.away, service=name) for name in _AWAY},
        "health checks": checks.health_checks,
        "wild titles": checks.wild_titles,
        "a restore": restored,
        "load": partial(many_ask, a_minute=asked.a_minute, minutes=asked.minutes),
    }


def _dotenv(server: ModelServer) -> dict[str, str]:
    """Return what `.env` says here: a model that answers, and that one client may ask more than a person does."""
    return {
        "RAG_QUESTIONS_PER_MINUTE": "100000",
        "RAG_REQUEST_INTERVAL_S": "0",
        "TOGETHER_API_KEY": DEFAULT_KEY,
        "TOGETHER_BASE_URL": server.url,
        "RAG_REQUESTS_PER_MINUTE": "1000000",
        "RAG_TOKENS_PER_MINUTE": "1000000000",
        "RAG_CONTEXT_MODEL": OFFLINE_CONTEXTS,
        "RAG_EMBEDDING_MODEL": OFFLINE_EMBEDDINGS,
        "RAG_RERANK_MODEL": "none",
        "RAG_WEATHER_URL": "none",
    }


def main() -> int:
    """Run the checks; return 1 if one fails."""
    asked = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    if lacking := missing():
        console.print(f"missing: {', '.join(lacking)}; see docs/deployment.md")
        return 2
    # So that `kill` ends what runs, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder, began, failed, done = Path(mkdtemp(prefix="deployment-")), time.monotonic(), 0, False

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.0f} s[/] {line}")

    try:
        with model_server(_TOKENS_PER_S) as server, running(folder, say, _dotenv(server)) as deployment:
            for name, check in _checks(asked, server).items():
                if asked.only and name not in (*asked.only, "the main job"):
                    continue
                try:
                    say(f"[green]ok[/]     {name}: {escape(check(deployment))}")
                except Exception as error:  # noqa: BLE001 - the other checks go on
                    failed += 1
                    say(f"[red]failed[/] {name}: {type(error).__name__}: {escape(str(error))}")
                    if not isinstance(error, checks.FaultError):
                        console.print(traceback.format_exc(), markup=False)
        done = True
    finally:
        if asked.keep or failed or not done:
            say(f"logs and data: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="only these checks, after the main job")
    parser.add_argument("--turns", type=int, default=100, help="while pages and workers are killed, %(default)s")
    parser.add_argument("--kills", type=int, default=20, help="of them, %(default)s")
    parser.add_argument("--a-minute", type=int, default=200, help="questions under load, %(default)s")
    parser.add_argument("--minutes", type=float, default=10.0, help="of load, %(default)s")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
