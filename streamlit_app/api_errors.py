"""Errors as the API answers them: one JSON object with a message for people and a code for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from contextual_rag.errors import (
    QuestionError,
    RagError,
    RequestError,
    RetriableError,
    UnknownDocumentError,
    UnknownThreadError,
    UnknownTurnError,
    UnknownVersionError,
    UploadError,
)

__all__ = ["Problem", "RefusedError", "answer_errors", "problem", "problems", "unknown_address"]

_STATUS: Final[dict[type[RagError], int]] = {
    UnknownDocumentError: 404,
    UnknownThreadError: 404,
    UnknownTurnError: 404,
    UnknownVersionError: 404,
    QuestionError: 422,
    UploadError: 422,
    RetriableError: 503,
}
_OF_CODES: Final = {"question_reused": 409, "upload_size": 413, "upload_type": 415, "upload_count": 429}
_MEANINGS: Final = {
    401: "The API key is missing or wrong.",
    403: "The client may not use this server.",
    404: "There is no such thing, or it belongs to somebody else.",
    408: "The body took too long to arrive.",
    409: "The id of the question is already used for another question.",
    411: "The body has no declared length.",
    413: "The body is too large.",
    415: "The body is not JSON, or a file is of a type that is not read.",
    422: "A part of the request is wrong; the message names it.",
    429: "The rate limit is reached, and `Retry-After` has the seconds to wait; or there are too many uploads.",
    500: "An unexpected error.",
    503: "A service is down or overloaded; try again later.",
}


class Problem(BaseModel):
    """An error. `code` stays the same when the message is rewritten; docs/errors.md lists the codes."""

    error: str
    code: str


class RefusedError(RequestError):
    """A request that is refused, with the status and the headers of the response."""

    def __init__(self, message: str, status: int, *, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.headers = headers


def unknown_address() -> RefusedError:
    """Return the error for an address that the API does not have."""
    return RefusedError("There is no such address. See /api/docs.", 404, code="request_address")


def problem(error: RefusedError) -> Response:
    """Return the response to a refused request."""
    return _problem(str(error), error.code, error.status, error.headers)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says about errors with these statuses."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in statuses}


def answer_errors(api: FastAPI) -> None:
    """Let an app answer all errors in this form, the framework's own too."""
    api.add_exception_handler(RagError, _ours)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _of_the_framework)
    api.add_exception_handler(Exception, _unexpected)


def _ours(_: Request, error: Exception) -> Response:
    """Return the message of our own error; it contains no secret."""
    assert isinstance(error, RagError)  # noqa: S101
    if isinstance(error, RefusedError):
        return problem(error)
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    return _problem(str(error), error.code, _OF_CODES.get(error.code, status))


def _invalid(_: Request, error: Exception) -> Response:
    """Name each wrong part and what is wrong with it, but never repeat the value."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = "; ".join(f"{'.'.join(map(str, _named(fault)))}: {fault['msg']}" for fault in error.errors())
    return problem(RefusedError(f"Invalid request. {faults}.", 422, code="request_invalid"))


def _named(fault: Mapping[str, Any]) -> Sequence[int | str]:
    """Return which part of a request is wrong. A name that is not ours is the client's: then what has it is named."""
    place: Sequence[int | str] = fault["loc"]
    return place[:-1] if fault["type"] == "extra_forbidden" else place


def _of_the_framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 404:  # noqa: PLR2004
        refused = unknown_address()
    elif error.status_code == 405:  # noqa: PLR2004
        refused = RefusedError(
            "This address does not support the method. See /api/docs.",
            405,
            code="request_method",
            headers=error.headers,
        )
    else:
        refused = RefusedError(str(error.detail), error.status_code, code="request_invalid", headers=error.headers)
    return problem(refused)


def _unexpected(_: Request, __: Exception) -> Response:
    """Hide the details of an unexpected error; the server's log has them."""
    return _problem("An unexpected error occurred. The server's log has the details.", RagError.code, 500)


def _problem(message: str, code: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    # A message may name what a client sent, and not every text can be sent back.
    readable = message.encode(errors="replace").decode()
    return JSONResponse({"error": readable, "code": code}, status, headers)
