"""Processes for the campaign, forked from one that has imported everything, because imports take seconds."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext

__all__ = ["PATIENCE_S", "context"]

# The time limit for a step of another process, on a busy machine; most take far less.
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
    "bench.chaos_index.stops",
)


def context() -> ForkServerContext:
    """Return the context that starts processes. Killing one process does not affect others."""
    started = multiprocessing.get_context("forkserver")
    started.set_forkserver_preload(list(_HEAVY))
    return started
