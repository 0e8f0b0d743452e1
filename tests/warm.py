"""What each command would import and read for itself: imported once, by the process that all are forked from."""

from __future__ import annotations

import contextual_rag.adapters.together_chat
import contextual_rag.adapters.together_embeddings
import contextual_rag.adapters.together_rerank
import contextual_rag.cli
import contextual_rag.commands.trial  # noqa: F401
from contextual_rag.wiring import preload

__all__: list[str] = []

preload()
