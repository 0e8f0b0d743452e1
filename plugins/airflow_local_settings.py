"""Airflow imports this at its start. For the scheduler, it imports what almost every task needs.

LocalExecutor forks its workers from the scheduler, and each worker its tasks. So modules imported by the scheduler are
available at once; importing them would take each task two seconds of a core. Nothing here opens a connection or starts
a thread, because forks do not keep them.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.util import find_spec

__all__: list[str] = []

if "scheduler" in sys.argv:
    with suppress(ModuleNotFoundError):
        import include  # noqa: F401 - if only the project's root is on the path, this adds the package

# Where a scheduler does not have the package, its tasks do.
if "scheduler" in sys.argv and find_spec("contextual_rag"):
    import contextual_rag.adapters.http
    import contextual_rag.adapters.index_files
    import contextual_rag.adapters.milvus
    import contextual_rag.adapters.minilm
    import contextual_rag.adapters.object_store
    import contextual_rag.building.steps

    contextual_rag.adapters.object_store.preload()
