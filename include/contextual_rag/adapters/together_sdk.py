"""Together's SDK for any server: one with another path before the API, one that wants no key."""

from __future__ import annotations

import re
from typing import Any, Final

import httpx
import together

__all__ = ["TOGETHERS_URL", "Sdk"]

# Without a base URL, the SDK would send chat to another host, and would read the environment.
TOGETHERS_URL: Final = "https://api.together.ai"
# All paths of the SDK begin with it. Some servers have it elsewhere, as in `/v1beta/openai`.
_VERSION: Final = "/v1"


class Sdk(together.Together):
    """A base URL that names no version of the API gets `/v1`; with an empty key, no key is sent."""

    def __init__(self, *, api_key: str, base_url: str, **other: Any) -> None:
        versioned = base_url if re.search(r"./v\d", base_url.partition("//")[2]) else base_url + _VERSION
        super().__init__(api_key=api_key, base_url=versioned, **other)

    def _prepare_url(self, url: str) -> httpx.URL:
        return super()._prepare_url(url.removeprefix(_VERSION))

    @property
    def auth_headers(self) -> dict[str, str]:
        """The header with the key."""
        return super().auth_headers if self.api_key else {}
