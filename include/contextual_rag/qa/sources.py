"""The passages of an answer by number: how an answer cites them, whichever search brought them.

Numbers go on from one search of a turn to the next, and a passage keeps the one that it got first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from contextual_rag.model import IndexedChunk
from contextual_rag.qa.retrieve import Hit

__all__ = ["Numbered", "Passage", "numbered"]


class Passage(Protocol):
    """A passage that is cited as `[n]`."""

    @property
    def n(self) -> int:
        """Its number, from 1."""

    @property
    def chunk(self) -> IndexedChunk:
        """What it says, and where."""


class Numbered(NamedTuple):
    """A retrieved passage with its number."""

    n: int
    hit: Hit

    @property
    def chunk(self) -> IndexedChunk:
        """What it says, and where."""
        return self.hit.chunk


def numbered(hits: Iterable[Hit], known: Sequence[Passage] = ()) -> list[Numbered]:
    """Number hits on from those passages that are known; a hit that is one of them has its number."""
    numbers = {passage.chunk.chunk_id: passage.n for passage in known}
    following = max(numbers.values(), default=0) + 1
    found = []
    for hit in hits:
        n = numbers.setdefault(hit.chunk.chunk_id, following)
        following += n == following
        found.append(Numbered(n, hit))
    return found
