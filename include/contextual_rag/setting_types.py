"""What a setting may be: lists, JSON, prices, paths of buckets, addresses, and secrets that cannot be guessed."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

__all__ = ["BucketPath", "ChosenSecret", "Price", "UrlOrNone", "from_json", "listed"]

_SHORTEST_SECRET: Final = 16


def listed(value: Any) -> Any:
    """Read a list whose items are separated by commas or spaces."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def from_json(value: Any) -> Any:
    """Read JSON."""
    return json.loads(value) if isinstance(value, str) else value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _SHORTEST_SECRET:
        raise ValueError(
            f"a secret has fewer than {_SHORTEST_SECRET} characters; use a long random one, such as that of "
            "`openssl rand -hex 32`"
        )
    return value


def _bucket_path(value: Any) -> Any:
    return value.removeprefix("s3://").rstrip("/") if isinstance(value, str) else value


ChosenSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A secret that a person chooses, and that others could guess."""
BucketPath = Annotated[
    str,
    BeforeValidator(_bucket_path),
    Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,9}$"),
]
UrlOrNone = Annotated[str, Field(pattern=r"^(none|https?://[^/].*)$")]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
