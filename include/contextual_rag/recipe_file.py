"""A recipe written down in a file: to be measured against another, and to be built by."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contextual_rag.errors import SettingError
from contextual_rag.recipe import Recipe

__all__ = ["parameters", "read_recipe"]

_SAYS = {"extra_forbidden": "is none of its parameters"}


def read_recipe(file: Path) -> Recipe:
    """Return the recipe of a file; what it does not say is the offline default."""
    return Recipe.model_validate(parameters(file))


def parameters(file: Path) -> dict[str, Any]:
    """Return the recipe's parameters that a TOML or JSON file says, told apart by the name's end.

    Raises SettingError that names file, parameter and repair.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
        fields = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingError(f"The recipe {file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # what is no UTF-8, JSON or TOML
        form = "JSON" if file.suffix == ".json" else "TOML"
        raise SettingError(f"{file} is not {form} ({error}). A recipe is a .toml or .json file.") from None
    if not isinstance(fields, dict):
        raise SettingError(
            f"{file} is not a recipe: it must be an object of parameters, such as {{'chunk_size': 600}}."
        )
    try:
        Recipe.model_validate(fields)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc']))} {_SAYS.get(fault['type'], fault['msg'])}".strip()
            for fault in error.errors()
        ]
        raise SettingError(
            f"{file} is not a recipe: {'; '.join(faults)}. Its parameters are {', '.join(Recipe.model_fields)}."
        ) from None
    return fields
