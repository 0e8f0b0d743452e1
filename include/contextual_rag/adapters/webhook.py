"""Posts JSON to an address that is a secret, since whoever knows it may post there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import httpx

from contextual_rag.errors import ServiceUnavailableError, SettingError

__all__ = ["post"]

# It would log the address.
logging.getLogger("httpx").setLevel(logging.WARNING)


def post(url: str, body: Mapping[str, Any], *, timeout_s: float = 10.0) -> None:
    """Post once. Raises SettingError or ServiceUnavailableError, without the address."""
    try:
        answer = httpx.post(url, json=dict(body), timeout=timeout_s)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise SettingError("The address of the webhook is no URL that starts with http:// or https://.") from None
    except httpx.HTTPError as error:
        raise ServiceUnavailableError(f"The webhook did not answer ({type(error).__name__}).") from None
    if not answer.is_success:
        raise ServiceUnavailableError(f"The webhook answered with status {answer.status_code}.")
