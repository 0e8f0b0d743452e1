"""How essays are divided over task instances: by what they will cost, since an instance costs about a second itself.

A large essay has an instance of its own, small ones share one. An essay that ends its instance, by a kill or by using
up its time, must not take along those that share it: another attempt takes them in the opposite order (`in_turn`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from contextual_rag.recipe import Recipe
    from contextual_rag.versions.records import Work

__all__ = [
    "INSTANCES",
    "WORTH_S",
    "by_cost",
    "evenly",
    "expected_chunks",
    "has_another_turn",
    "in_turn",
    "seconds_per_chunk",
]

T = TypeVar("T")

# The work that is worth an instance, in seconds, and how many there are at most: three for each slot of `make up`.
WORTH_S: Final = 20.0
INSTANCES: Final = 12

# So many chunks say how long one takes; a few edited ones say how long it takes to begin.
_MANY: Final = 100
# Until a version says it: what a chunk takes on two slow cores, and how long a server thinks about one.
_OFFLINE_S: Final = 0.02
_HOSTED_CONTEXT_S: Final = 1.0
_HOSTED_EMBEDDING_S: Final = 0.02
# Chunks end with a paragraph or a sentence, so that they are about two thirds full.
_FULL: Final = 2 / 3
# Of pages that an earlier release read, it is not known.
_CHARACTERS: Final = 10_000


def evenly(essays: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Divide essays over at most `most` batches, in order."""
    size = max(1, -(-len(essays) // most))
    return (essays[start : start + size] for start in range(0, len(essays), size))


def by_cost(essays: Sequence[T], seconds: Sequence[float]) -> list[list[T]]:
    """Divide essays, in order, into batches of about equal cost: each worth an instance, if all of them are.

    No batch costs more than its share by more than its largest essay.
    """
    total = math.fsum(seconds)
    most = min(INSTANCES, max(1, int(total / WORTH_S)))
    batches: list[list[T]] = [[] for _ in range(most)]
    for essay, cost, after in zip(essays, seconds, accumulate(seconds), strict=True):
        middle = (after - cost / 2) / total if total else 0.0
        batches[min(most - 1, int(most * middle))].append(essay)
    return [batch for batch in batches if batch]


def expected_chunks(characters: int | None, recipe: Recipe) -> float:
    """Return about how many chunks a text has; None if its length is not known."""
    return 1 + (_CHARACTERS if characters is None else characters) / (_FULL * recipe.chunk_size)


def seconds_per_chunk(recipe: Recipe, done: Iterable[Work], concurrency: int) -> float:
    """Return what a chunk takes: in the first of these works that has enough of them, or by rule.

    `done` is the work of versions of this recipe; of a hosted model, `concurrency` contexts are made at once.
    """
    for work in done:
        if min(work.model_calls, work.embedded) >= _MANY:
            contexts, embeddings = (work.seconds.get(stage, 0.0) for stage in ("contexts", "embeddings"))
            return contexts / work.model_calls + embeddings / work.embedded
    context = 0.0 if recipe.context_model.startswith("offline/") else _HOSTED_CONTEXT_S / concurrency
    return context + (_OFFLINE_S if recipe.embedding_model.startswith("offline/") else _HOSTED_EMBEDDING_S)


def in_turn(slugs: Sequence[str], attempt: int) -> list[str]:
    """Return the essays in the order in which an attempt takes them; the first attempt is 1."""
    return list(slugs) if attempt % 2 else list(reversed(slugs))


def has_another_turn(slugs: Sequence[str], attempt: int, first: int) -> bool:
    """Whether essays are tried again after an attempt used up its time; `first` is the number of the first one.

    One that is alone would use it up again. Of several, the second attempt comes to all that wait behind it.
    """
    return len(slugs) > 1 and attempt == first
