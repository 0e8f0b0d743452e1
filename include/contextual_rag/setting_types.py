"""What a setting may be: lists, JSON, prices, paths of buckets, addresses, and secrets that cannot be guessed."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from contextual_rag.noun import Noun

__all__ = [
    "BucketPath",
    "ChosenSecret",
    "Environment",
    "Prefix",
    "Price",
    "ServerKey",
    "ServerUrl",
    "UrlOrNone",
    "from_json",
    "listed",
    "named",
    "noun_of",
]

_SHORTEST_SECRET: Final = 16


class Environment(BaseSettings):
    """The base of all settings: names in the environment begin with RAG_, and an empty one counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        # Nothing waits for ever, and a comparison with what is no number says nothing.
        allow_inf_nan=False,
    )


def named(name: str) -> Any:
    """Let a setting have a name of its own in the environment, as other tools call it."""
    return Field(validation_alias=AliasChoices(name, name.lower()))


def listed(value: Any) -> Any:
    """Read a list whose items are separated by commas or spaces."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def noun_of(value: Any) -> Any:
    """Read what documents are called, such as `recipe,recipes`."""
    if not isinstance(value, str):
        return value
    names = [name.strip() for name in value.split(",")]
    if len(names) != len(Noun._fields) or not all(re.fullmatch(r"[^\W\d_][\w ’'-]{0,39}", name) for name in names):
        raise ValueError("it names one document and several, with a comma between: recipe,recipes")
    return Noun(*names)


def from_json(value: Any) -> Any:
    """Read JSON."""
    return json.loads(value) if isinstance(value, str) else value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().strip()) < _SHORTEST_SECRET:
        raise ValueError(
            f"a secret has fewer than {_SHORTEST_SECRET} characters; use a long random one, such as that of "
            "`openssl rand -hex 32`"
        )
    return value


def _sendable(value: SecretStr) -> SecretStr:
    key = value.get_secret_value().strip()
    if not re.fullmatch(r"[!-~]+", key):
        raise ValueError("a key has characters that cannot be sent")
    return SecretStr(key)


def _bucket_path(value: Any) -> Any:
    return value.removeprefix("s3://").rstrip("/") if isinstance(value, str) else value


def _text(value: Any) -> Any:
    """Read a text in which `none` is the empty one, and \\n a line break."""
    return "" if value == "none" else value.replace("\\n", "\n") if isinstance(value, str) else value


ChosenSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A secret that a person chooses, and that others could guess."""
BucketPath = Annotated[
    str,
    BeforeValidator(_bucket_path),
    Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,9}$"),
]
UrlOrNone = Annotated[str, Field(pattern=r"^(none|https?://[^/].*)$")]
ServerKey = Annotated[SecretStr, AfterValidator(_sendable)]
ServerUrl = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")]
"""The address of a server. A key has its own setting: an address is shown in messages."""
Prefix = Annotated[str, BeforeValidator(_text), Field(max_length=1000)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
