"""Airflow imports this at its start. For the scheduler, it imports what almost every task needs.

Where all runs on one machine, workers are forked from the scheduler, and tasks from the workers. So what the scheduler
has is there at once. Nothing here opens a connection or starts a thread, because forks do not keep them.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.util import find_spec

from airflow.configuration import conf

__all__: list[str] = []

_FORKING = ("LocalExecutor", "OneMachineExecutor")

if "scheduler" in sys.argv and conf.get("core", "executor").endswith(_FORKING):
    with suppress(ModuleNotFoundError):
        import include  # noqa: F401 - if only the project's root is on the path, this adds the package
    # Where a scheduler does not have the package, its tasks do.
    if find_spec("contextual_rag"):
        from contextual_rag.wiring import preload

        preload()
