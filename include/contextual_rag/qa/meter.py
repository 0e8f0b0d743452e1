"""Counts what the model calls of one answer take: the question's embedding and the reranking as well as the words."""

from __future__ import annotations

from contextual_rag.ports import Usage

__all__ = ["Meter"]


class Meter:
    """A budget without a limit, for one thread: models that are given it are priced, and count here."""

    limit_usd: float | None = None

    def __init__(self) -> None:
        self.used = Usage()

    def reserve(self, usd: float) -> None:
        """Nothing is reserved."""

    def settle(self, reserved: float, paid: float) -> None:
        """Nothing is settled."""

    def count(self, usage: Usage) -> None:
        """Count what an answered call took."""
        self.used += usage
