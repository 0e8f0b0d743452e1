"""The parts of the default recipe, each changed separately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from contextual_rag.parameters import Parameters, parsed

__all__ = ["PARTS", "Part", "applied", "overridden"]

_CUTS = frozenset({"chunker", "chunk_size", "chunk_overlap"})


class Part(NamedTuple):
    """A change of the recipe, with its name and an explanation for people outside the field."""

    name: str
    says: str
    overrides: Mapping[str, Any]

    @property
    def cuts(self) -> bool:
        """Whether it changes how texts are cut; this has no effect on given chunks."""
        return bool(self.overrides.keys() & _CUTS)


PARTS = (
    Part("no contexts", "no words say where a chunk stands", {"context_model": "offline/none"}),
    Part("words alone", "nothing is found by its meaning", {"keyword_weight": 1.0}),
    Part("vectors alone", "nothing is found by its words", {"keyword_weight": 0.0}),
    Part("no closer look", "how near to each other the question’s words stand does not count", {"window_weight": 0.0}),
    Part("each chunk for itself", "what is found beside a chunk does not count", {"nearby_weight": 0.0}),
    Part("three of an essay", "no more than three chunks of one essay are found", {"per_essay": 3}),
    Part("whole identifiers", "names in code are one word each", {"split_identifiers": False}),
    Part("all words", "“the” and “of” count as words too", {"stop_words": "none"}),
    Part("no stemming", "“boats” is another word than “boat”", {"stemmer": "none"}),
    Part("BM25 with b = 0.4", "the length of a chunk counts for less", {"bm25_b": 0.4}),
    Part("BM25 with b = 0.75", "the length of a chunk counts as it usually does", {"bm25_b": 0.75}),
    Part("chunks of 800", "no chunk is longer than 800 characters", {"chunk_size": 800}),
)  # fmt: skip


def overridden(parameters: Parameters, overrides: Mapping[str, Any]) -> Parameters:
    """Return the recipe with other values. Raises ValidationError for an invalid parameter or value."""
    return parsed({**parameters.recipe.model_dump(), **parameters.ranking.model_dump(), **overrides})


def applied(default: Parameters) -> list[tuple[Part, Parameters]]:
    """Return the parts with their recipes, without parts that equal the default."""
    changed = [(part, overridden(default, part.overrides)) for part in PARTS]
    return [(part, recipe) for part, recipe in changed if recipe != default]
