"""Fetches small JSON answers from services at configured URLs."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, TypeVar

import httpx
import tenacity
from pydantic import BaseModel, ValidationError

from contextual_rag.adapters.trust import trusted
from contextual_rag.errors import ServiceUnavailableError, SettingError

__all__ = ["JsonServices", "Parameters"]

Parameters = Mapping[str, str | int | float]

_T = TypeVar("_T", bound=BaseModel)

_MAX_BYTES: Final = 64 * 1024
_AGAIN: Final = {408, 425, 429, *range(500, 600)}

# It would log complete URLs, which may contain a key.
logging.getLogger("httpx").setLevel(logging.WARNING)


class _AgainError(Exception):
    """A fault that another attempt may avoid; never leaves this module.

    `code` is that of the ServiceUnavailableError which ends the last attempt.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class JsonServices:
    """A client of services that answer GET with JSON. Messages name the setting, not the URL, which may contain a key.

    `timeout_s` limits each wait for the network and, roughly, a whole answer. Temporary faults (408, 425, 429, 5xx, a
    timeout, a broken connection, an unreadable answer) are retried, up to `attempts` in total.
    """

    def __init__(self, *, timeout_s: float, attempts: int, backoff_s: float = 0.2) -> None:
        self._timeout_s = timeout_s
        # Without compression, the limit counts the bytes that are read.
        self._http = httpx.Client(verify=trusted(), timeout=timeout_s, headers={"Accept-Encoding": "identity"})
        self._retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_random_exponential(multiplier=backoff_s, max=5),
            retry=tenacity.retry_if_exception_type(_AgainError),
            reraise=True,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, setting: str, url: str, kind: type[_T], parameters: Parameters | None = None) -> _T:
        """Return the answer of the URL in a setting.

        Raises ServiceUnavailableError for temporary faults, SettingError for permanent ones.
        """
        try:
            return self._retrying(lambda: self._get(setting, url, kind, parameters))
        except _AgainError as fault:
            raise ServiceUnavailableError(
                f"The service of {setting} did not answer: {fault}.", code=fault.code
            ) from None

    def _get(self, setting: str, url: str, kind: type[_T], parameters: Parameters | None) -> _T:
        over_at = time.monotonic() + self._timeout_s
        body = bytearray()
        try:
            with self._http.stream("GET", url, params=parameters) as response:
                _check(setting, response.status_code)
                for piece in response.iter_raw():
                    body += piece
                    if len(body) > _MAX_BYTES:
                        raise _AgainError(f"its answer is larger than {_MAX_BYTES} bytes")
                    if time.monotonic() > over_at:
                        raise _AgainError("its answer was not complete in time", code="service_unavailable_timeout")
            return kind.model_validate_json(bytes(body))
        except httpx.TimeoutException:
            raise _AgainError("no answer in time", code="service_unavailable_timeout") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise SettingError(f"Invalid {setting}. Use a URL that starts with http:// or https://.") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _AgainError(f"the connection failed ({type(error).__name__})") from None
        except ValidationError:
            raise _AgainError("its answer is malformed") from None


def _check(setting: str, status: int) -> None:
    if status in _AGAIN:
        raise _AgainError(f"status {status}")
    if status != HTTPStatus.OK:
        raise SettingError(
            f'The service of {setting} refused a request (status {status}). Correct {setting}, or set it to "none".'
        )
