"""Access to the API: who the client is, and the rate limit."""

from __future__ import annotations

import hmac
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from streamlit_app.services import services

__all__ = ["Asker", "admit", "asker"]

_bearer = HTTPBearer(auto_error=False, description="One of RAG_API_KEYS; required if any are set.")


def asker(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str | None:
    """Return the owner of a client's conversations: one per API key, or None if no keys are set."""
    api_keys = services().settings.api_keys
    if not api_keys:
        if services().settings.auth == "oidc":
            raise HTTPException(403, "With RAG_AUTH=oidc, the API requires a key. Set RAG_API_KEYS on the server.")
        if not _from_this_machine(request):
            raise HTTPException(403, "Without RAG_API_KEYS, the API only accepts requests from its own machine.")
        return None
    for key in api_keys:
        # Compare in constant time, so that the time reveals nothing about a key.
        if given and hmac.compare_digest(given.credentials.encode(), key.get_secret_value().encode()):
            return "key:" + sha256(key.get_secret_value().encode()).hexdigest()[:32]
    raise HTTPException(
        401,
        "Missing or wrong API key. Send a key of RAG_API_KEYS as `Authorization: Bearer …`.",
        {"WWW-Authenticate": "Bearer"},
    )


def _from_this_machine(request: Request) -> bool:
    """Whether a request comes from this machine and names it: another name may be a DNS rebinding attack."""
    return all(map(_is_loopback, (request.client.host if request.client else "", request.url.hostname or "")))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


Asker = Annotated[str | None, Depends(asker)]


def admit(request: Request, who: str | None) -> None:
    """Count a question. Raises HTTPException 429 with the time to wait."""
    client = who or f"api {request.client.host if request.client else ''}"
    if wait_s := services().allowance.take(client):
        raise HTTPException(
            429,
            f"Rate limit of {services().settings.questions_per_minute} a minute reached. Try again in {wait_s} s.",
            {"Retry-After": str(wait_s)},
        )
