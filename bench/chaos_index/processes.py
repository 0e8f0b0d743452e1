"""Processes for the campaign: forked from one that has imported everything, since imports take seconds."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext

__all__ = ["PATIENCE_S", "context"]

# So long a step of another process may take before the campaign gives up; on a busy machine, most take far less.
PATIENCE_S = 240.0

_HEAVY = (
    "contextual_rag.building.build",
    "contextual_rag.manage",
    "contextual_rag.adapters.index_cache",
    "contextual_rag.adapters.milvus",
    "contextual_rag.adapters.minilm",
    "contextual_rag.adapters.object_store",
    "bench.chaos_index.kills",
    "bench.chaos_index.publishers",
    "bench.chaos_index.readers",
)


def context() -> ForkServerContext:
    """Return what starts processes. A process that is killed takes nobody with it."""
    started = multiprocessing.get_context("forkserver")
    started.set_forkserver_preload(list(_HEAVY))
    return started
