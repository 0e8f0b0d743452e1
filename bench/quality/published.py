"""Published results of others, for comparison."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PASS", "RECALL", "Published"]


class Published(NamedTuple):
    """A published setup, and its figures in per cent."""

    name: str
    figures: tuple[float, ...]


# Pass@5, @10, @20 of Anthropic's guide to contextual embeddings, on the same data as here.
PASS = (
    Published("embeddings (voyage-2)", (80.92, 87.15, 90.06)),
    Published("+ contexts by a model", (86.37, 92.81, 93.78)),
    Published("+ contextual BM25", (86.43, 93.21, 94.99)),
    Published("contexts + rerank", (91.24, 94.79, 96.30)),
    Published("the same, newer run", (92.15, 95.26, 97.45)),
)
# recall@5 of Chroma's evaluation of chunking, on all five of its corpora.
RECALL = (
    Published("published best: cut by a language model, a large hosted embedding model", (92.0,)),
    Published("published: recursive chunks of about 400 tokens", (88.0, 89.0)),
)
