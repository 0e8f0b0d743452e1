"""Looks up the city of a network address, at a service that answers in JSON."""

from __future__ import annotations

import ipaddress
import logging
from typing import Annotated

from pydantic import BaseModel, Field

from contextual_rag.adapters.json_services import JsonServices
from contextual_rag.errors import RagError

__all__ = ["CityLookup"]

_log = logging.getLogger(__name__)


class _Located(BaseModel):
    city: Annotated[str | None, Field(max_length=100)] = None


class CityLookup:
    """Looks up cities. `url` contains `{address}`; the service answers with a JSON object with a field `city`."""

    def __init__(self, url: str, *, timeout_s: float = 3.0) -> None:
        self._url = url
        self._services = JsonServices(timeout_s=timeout_s, attempts=1)

    def close(self) -> None:
        """Close the connections."""
        self._services.close()

    def city(self, address: str) -> str | None:
        """Return the city of an IP address, or None if it is unknown or the service fails, so no question waits."""
        try:
            known = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        try:
            url = self._url.replace("{address}", str(known))
            city = self._services.get("RAG_CITY_LOOKUP_URL", url, _Located).city
        except RagError as error:
            _log.warning("The city of an address could not be looked up: %s", error)
            return None
        return city.strip() or None if city and city.isprintable() else None
