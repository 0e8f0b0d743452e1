"""Access to the API: who the client is, and the rate limit."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contextual_rag.hosts import is_loopback
from streamlit_app.api_errors import RefusedError
from streamlit_app.limits import client_at
from streamlit_app.services import services

__all__ = ["Asker", "admit", "asker", "bearer", "city_of"]

bearer = HTTPBearer(auto_error=False, description="One of RAG_API_KEYS; required if any are set.")


def asker(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str | None:
    """Return the owner of a client's conversations: one per API key, or None if no keys are set."""
    api_keys = services().settings.api_keys
    if not api_keys:
        if services().settings.auth == "oidc":
            refused = "With RAG_AUTH=oidc, the API requires a key. Set RAG_API_KEYS on the server."
            raise RefusedError(refused, 403, code="request_keys")
        if not _from_this_machine(request):
            refused = "Without RAG_API_KEYS, the API only accepts requests from its own machine."
            raise RefusedError(refused, 403, code="request_keys")
        return None
    for key in api_keys:
        # Compare in constant time, so that the time reveals nothing about a key.
        if given and hmac.compare_digest(given.credentials.encode(), key.get_secret_value().encode()):
            return "key:" + sha256(key.get_secret_value().encode()).hexdigest()[:32]
    raise RefusedError(
        "Missing or wrong API key. Send a key of RAG_API_KEYS as `Authorization: Bearer …`.",
        401,
        code="request_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _from_this_machine(request: Request) -> bool:
    """Whether a request comes from this machine and names it: another name may be a DNS rebinding attack."""
    return all(map(is_loopback, (_address(request) or "", request.url.hostname or "")))


Asker = Annotated[str | None, Depends(asker)]


def admit(request: Request, who: str | None, what: str = "questions") -> None:
    """Count a question, or something else that has the same limit. Raises RefusedError with the time to wait."""
    client = who or client_at(_address(request))
    if wait_s := services().wait_s(client, what):
        raise RefusedError(
            f"Rate limit of {services().settings.questions_per_minute} {what} a minute reached. Try again in "
            f"{wait_s} s.",
            429,
            code="request_limit",
            headers={"Retry-After": str(wait_s)},
        )


def city_of(given: str | None, request: Request) -> str | None:
    """Return the city of a client: the given one, or the one of its address if a service that knows it is set."""
    return services().city(given, _address(request))


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None
