"""The city of a network address, of a service that tells it in JSON."""

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
    """Looks up cities. `url` holds `{address}`; what it leads to answers with a JSON object that has a field `city`."""

    def __init__(self, url: str, *, timeout_s: float = 3.0) -> None:
        self._url = url
        self._services = JsonServices(timeout_s=timeout_s, attempts=1)

    def close(self) -> None:
        """Close the connections."""
        self._services.close()

    def city(self, address: str) -> str | None:
        """Return the city of an IP address; None where nobody knows, or nobody answers: no question waits for it."""
        try:
            known = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        try:
            url = self._url.replace("{address}", str(known))
            city = self._services.get("RAG_CITY_LOOKUP_URL", url, _Located).city
        except RagError as error:
            _log.warning("A person's city is not known: %s", error)
            return None
        return city.strip() or None if city and city.isprintable() else None
