"""Parameters of a recipe and of a ranking, as people choose them: in one file, in the settings, or for one build."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from contextual_rag.errors import SettingError
from contextual_rag.ranking import Ranking
from contextual_rag.recipe import Recipe, known_prefixes
from contextual_rag.roles import Role
from contextual_rag.settings import Settings

__all__ = [
    "RANKING",
    "Parameters",
    "chosen_parameters",
    "explained",
    "parsed",
    "read_parameters",
    "validated_parameters",
]

RANKING = frozenset(Ranking.model_fields)
_BUILT_WITH: Final[tuple[Role, ...]] = ("context", "embedding")
# What is said of a hosted embedding model, and nothing of the offline one.
_OF_EMBEDDINGS: Final = ("embedding_dimension", "embedding_query_prefix", "embedding_passage_prefix")
# What else a setting of its own chooses.
_SINGLE: Final = ("context_model", "embedding_model", "chunker", "chunk_size", "chunk_overlap", "keyword_search")
# The default overlap of the fixed chunker.
_FIXED_OVERLAP = 30


class Parameters(NamedTuple):
    """What is built, and how it is asked."""

    recipe: Recipe = Recipe()
    ranking: Ranking = Ranking()

    @property
    def summary(self) -> str:
        """Both in a line."""
        return ", ".join(filter(None, (self.recipe.summary, self.ranking.summary)))


def parsed(fields: Mapping[str, Any]) -> Parameters:
    """Return the recipe and the ranking that the parameters give, with the defaults. Raises ValidationError."""
    ranking = {name: value for name, value in fields.items() if name in RANKING}
    recipe = {name: value for name, value in fields.items() if name not in RANKING}
    return Parameters(Recipe.model_validate(recipe), Ranking.model_validate(ranking))


def read_parameters(file: Path) -> dict[str, Any]:
    """Return the parameters that a TOML or JSON file sets, told apart by the end of its name.

    Raises SettingError that names file, parameter and repair.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
        fields = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingError(f"Cannot read the recipe {file}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, JSON or TOML
        form = "JSON" if file.suffix == ".json" else "TOML"
        raise SettingError(f"{file} is not {form} ({error}). A recipe is a .toml or .json file.") from None
    if not isinstance(fields, dict):
        raise SettingError(
            f"{file} is not a recipe: it must be an object of parameters, such as {{'chunk_size': 600}}."
        )
    try:
        parsed(fields)
    except ValidationError as error:
        raise SettingError(
            f"{file} is not a recipe: {explained(error)}. The parameters are "
            f"{', '.join([*Recipe.model_fields, *Ranking.model_fields])}."
        ) from None
    return fields


def chosen_parameters(settings: Settings) -> dict[str, Any]:
    """Return the parameters of recipe and ranking that the settings choose. A setting of a single parameter overrides
    the recipe's file."""
    names = {*_OF_EMBEDDINGS, *_SINGLE}
    given = {name: value for name in names if (value := getattr(settings, name)) is not None}
    # An empty prefix is chosen, an empty name of a model is not.
    chosen = {name: value for name, value in given.items() if value != "" or name in _OF_EMBEDDINGS}
    return (read_parameters(settings.recipe) if settings.recipe else {}) | chosen


def validated_parameters(settings: Settings, **overrides: Any) -> Parameters:
    """Return the recipe and the ranking of the settings, with some parameters replaced.

    Raises SettingError that names each wrong parameter.
    """
    wanted = chosen_parameters(settings) | overrides
    for role in _BUILT_WITH:
        wanted[f"{role}_model"] = wanted.get(f"{role}_model") or settings.model_for(role)
    model = str(wanted["embedding_model"])
    if model.startswith("offline/"):
        wanted = {name: value for name, value in wanted.items() if name not in _OF_EMBEDDINGS}
    else:
        known = known_prefixes(model)
        wanted = {"embedding_query_prefix": known.query, "embedding_passage_prefix": known.passage} | wanted
    if wanted.get("chunker") == "fixed":
        wanted.setdefault("chunk_overlap", _FIXED_OVERLAP)
    try:
        return parsed(wanted)
    except ValidationError as error:
        raise SettingError(f"Wrong parameters (of the build, or RAG_… settings): {explained(error)}.") from None


def explained(error: ValidationError) -> str:
    """Return each wrong parameter and the rule that it breaks, never its value, which may be a secret."""
    faults = []
    for fault in error.errors():
        name = ".".join(map(str, fault["loc"]))
        unknown = fault["type"] == "extra_forbidden"
        faults.append(f"unknown parameter {name}" if unknown else f"{name}: {fault['msg']}" if name else fault["msg"])
    return "; ".join(faults)
