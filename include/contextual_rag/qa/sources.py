"""The numbers by which an answer cites its passages.

Numbering continues from one search of a turn to the next. A passage keeps its first number.
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
        """Its text and position."""


class Numbered(NamedTuple):
    """A retrieved passage with its number."""

    n: int
    hit: Hit

    @property
    def chunk(self) -> IndexedChunk:
        """Its text and position."""
        return self.hit.chunk


def numbered(hits: Iterable[Hit], known: Sequence[Passage] = ()) -> list[Numbered]:
    """Number hits after the known passages; a hit that is already known keeps its number."""
    numbers = {passage.chunk.chunk_id: passage.n for passage in known}
    following = max(numbers.values(), default=0) + 1
    found = []
    for hit in hits:
        n = numbers.setdefault(hit.chunk.chunk_id, following)
        following += n == following
        found.append(Numbered(n, hit))
    return found
