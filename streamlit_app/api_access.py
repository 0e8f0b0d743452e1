"""Who asks the API, and whether they may ask once more."""

from __future__ import annotations

import hmac
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from streamlit_app.services import services

__all__ = ["Asker", "admit", "asker"]

_bearer = HTTPBearer(auto_error=False, description="One of RAG_API_KEYS; needed where there are any.")


def asker(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str | None:
    """Return whose conversations a request is about: a key's own, or nobody's where there are no keys."""
    api_keys = services().settings.api_keys
    if not api_keys:
        if services().settings.auth == "oidc":
            raise HTTPException(403, "Where people log in, the API serves holders of RAG_API_KEYS alone; none are set.")
        if not _from_here(request):
            raise HTTPException(403, "Without RAG_API_KEYS, the API serves its own machine alone.")
        return None
    for key in api_keys:
        # Each is compared, and each in the same time.
        if given and hmac.compare_digest(given.credentials.encode(), key.get_secret_value().encode()):
            return "key:" + sha256(key.get_secret_value().encode()).hexdigest()[:32]
    raise HTTPException(
        401, "Send one of the keys of RAG_API_KEYS as `Authorization: Bearer …`.", {"WWW-Authenticate": "Bearer"}
    )


def _from_here(request: Request) -> bool:
    """Whether a request comes from this machine, and was meant for it: not for a name that somebody led here."""
    return all(map(_is_loopback, (request.client.host if request.client else "", request.url.hostname or "")))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


Asker = Annotated[str | None, Depends(asker)]


def admit(request: Request, who: str | None) -> None:
    """Count a question. Raises HTTPException 429 that says when the next may be asked."""
    client = who or f"api {request.client.host if request.client else ''}"
    if wait_s := services().allowance.take(client):
        raise HTTPException(
            429,
            f"More than {services().settings.questions_per_minute} questions in a minute; ask again in {wait_s} s.",
            {"Retry-After": str(wait_s)},
        )
