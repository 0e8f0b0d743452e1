"""The setup of the campaign: a model server in its own process, a small corpus, workers that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
import psutil
from pydantic import SecretStr

from bench.days import FIRST, build_day, edition, keep_day
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.servers.together import DEFAULT_KEY

__all__ = ["ModelServer", "Worker", "model_server", "prepared"]

_ROOT = Path(__file__).parents[2]
_ESSAYS = 12
_HEAVY = (
    "contextual_rag.adapters.index_cache",
    "contextual_rag.adapters.milvus",
    "contextual_rag.adapters.object_store",
    "contextual_rag.adapters.open_meteo",
    "contextual_rag.adapters.together_chat",
    "contextual_rag.adapters.together_embeddings",
    "contextual_rag.adapters.together_rerank",
    "contextual_rag.conversation.worker",
    "bench.chaos_chat.ground",
)


class ModelServer(NamedTuple):
    """The tests' model server, in another process."""

    url: str

    def calls(self) -> list[dict[str, Any]]:
        """Return its calls in order; see `tests.servers.together.Call`."""
        calls: list[dict[str, Any]] = httpx.get(f"{self.url}/_calls", timeout=60, trust_env=False).json()["calls"]
        return calls

    def forget(self) -> None:
        """Forget its calls."""
        httpx.delete(f"{self.url}/_calls", timeout=60, trust_env=False).raise_for_status()


@contextmanager
def model_server(tokens_per_second: float | None) -> Iterator[ModelServer]:
    """Run the model server in its own process, so that it shares no interpreter with the measured code."""
    pace = [] if tokens_per_second is None else ["--tokens-per-second", str(tokens_per_second)]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "tests.servers.together", *pace], stdout=subprocess.PIPE, text=True, cwd=_ROOT
    )
    with process:
        try:
            yield ModelServer(process.stdout.readline().strip() if process.stdout else "")
        finally:
            process.kill()


def prepared(settings: Settings, server: ModelServer) -> Settings:
    """Build a small corpus with the server's models; return settings for questions about it."""
    settings = settings.model_copy(
        update={
            "together_api_key": SecretStr(DEFAULT_KEY),
            "together_base_url": server.url,
            "requests_per_minute": 1_000_000,
            "tokens_per_minute": 1_000_000_000,
            "weather_url": "none",
        }
    )
    world = World(settings)
    keep_day(world, FIRST, edition("every day", essays=_ESSAYS))
    build_day(world, FIRST, promote=True)
    return settings


class Worker:
    """A worker in its own process, forked from one that has imported everything."""

    def __init__(self, settings: Settings) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_HEAVY))
        self._process: BaseProcess = context.Process(target=_live, args=(settings,))
        self._process.start()

    def kill(self) -> None:
        """End it like a crash."""
        os.kill(self._process.pid or 0, signal.SIGKILL)
        self._process.join()

    def memory_mb(self) -> float:
        """Return its own memory."""
        return float(psutil.Process(self._process.pid).memory_full_info().uss) / 1e6

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self.kill()


def _live(settings: Settings) -> None:
    from contextual_rag.conversation.worker import work

    def ends(seconds: float) -> bool:
        time.sleep(seconds)
        return False

    work(World(settings), ready=lambda _: None, ends=ends)
