"""Recipes written down in a file, so that one can be measured against another."""

from __future__ import annotations

import json
import tomllib

from pydantic import ValidationError

from contextual_rag.errors import SettingError
from contextual_rag.recipe import Recipe

__all__ = ["read_recipe"]


def read_recipe(body: bytes, name: str) -> Recipe:
    """Return the recipe of a TOML or JSON file, told apart by the name's end; what it does not say is the default.

    Raises SettingError that names file, parameter and repair.
    """
    try:
        text = body.decode("utf-8-sig")
        fields = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # what is no UTF-8, JSON or TOML
        form = "JSON" if name.endswith(".json") else "TOML"
        raise SettingError(f"{name} is not {form} ({error}). A recipe is a .toml or .json file.") from None
    if not isinstance(fields, dict):
        raise SettingError(
            f"{name} is not a recipe: it must be an object of parameters, such as {{'chunk_size': 600}}."
        )
    try:
        return Recipe.model_validate(fields, strict=False)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() for fault in error.errors()]
        raise SettingError(
            f"{name} is not a recipe: {'; '.join(faults)}. Its parameters are {', '.join(Recipe.model_fields)}."
        ) from None
