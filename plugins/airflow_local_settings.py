"""What Airflow imports as it starts; here, for the process that starts tasks, what almost every task needs.

LocalExecutor forks its workers from the scheduler, and each worker its tasks: what the scheduler has imported is there
at once, where a task would spend two seconds of a core on importing it. Nothing here opens a connection or starts a
thread, which a fork would not carry over.
"""

from __future__ import annotations

import sys

__all__: list[str] = []

if "scheduler" in sys.argv:
    import contextual_rag.adapters.http
    import contextual_rag.adapters.index_files
    import contextual_rag.adapters.minilm
    import contextual_rag.adapters.object_store
    import contextual_rag.building.steps

    contextual_rag.adapters.object_store.preload()
