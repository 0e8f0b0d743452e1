"""The embedded object store: ministack, for our own programs alone, made to acknowledge only what it has stored.

ministack answers everybody: any web page, any Host, any key, and `POST /_ministack/reset` erases all. So this wrapper
refuses web pages, and demands a signature by the keys of the data folder for everything but the health check.
ministack's own check (`AUTH=true`) is no help: it takes requests without a key, or by the key `test`, for its owner's.

If ministack cannot write an object to its disk, it only logs this and answers 200: the next start loses the object.
So this wrapper refuses writes (507) while the disk is nearly full. If a write fails anyway, it ends the process before
the answer.

This file runs in ministack's environment, which has botocore but nothing else of the project's.
"""

from __future__ import annotations

import hmac
import importlib
import logging
import os
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from contextual_rag.embedded.guard import App, NoWebPages, Receive, Scope, Send, answer

__all__ = ["HEALTH", "Refusing", "Signed", "StopOnLoss", "guarded", "main"]

HEALTH = "/_ministack/health"
_RESERVE_BYTES = 100_000_000
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Za-z0-9_-]+)/([0-9]{8})/([a-z0-9-]+)/s3/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
# All but the signature, which comes last, is signed.
_ADDRESS = re.compile(
    r"(X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=([A-Za-z0-9_-]+)%2F[0-9]{8}%2F([a-z0-9-]+)%2Fs3%2Faws4_request"
    r"&X-Amz-Date=([0-9]{8}T[0-9]{6}Z)&X-Amz-Expires=([0-9]{1,6})&X-Amz-SignedHeaders=([a-z0-9%B;-]+))"
    r"&X-Amz-Signature=([0-9a-f]{64})"
)
# Without these in the signature, it would be one for any body, at any server; any other x-amz- says what is to be done.
_SIGNED_AT_LEAST = {"host", "x-amz-content-sha256", "x-amz-date"}


class Signed:
    """An ASGI application that answers only to requests signed (AWS signature 4) by one pair of keys, body included.

    Signatures do not expire: nobody else can read them on the loopback interface, and clocks may be set. Only a DELETE
    may be signed in its address, as pre-signed URLs are: then it says until when it is to be obeyed.
    """

    def __init__(self, app: App, access_key: str, secret_key: str) -> None:
        if not access_key or not secret_key:
            raise ValueError("the object store needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        self._app = app
        self._keys = Credentials(access_key, secret_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["method"] == "GET" and scope["path"] == HEALTH):
            await self._app(scope, receive, send)
            return
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            headers[key] = f"{headers[key]},{value.decode('latin-1')}" if key in headers else value.decode("latin-1")
        if scope["method"] == "DELETE" and b"X-Amz-Signature=" in scope["query_string"]:
            if refused := self._refusal_of_address(scope, headers):
                await _refuse(send, 403, refused, "The request is not signed by this store's keys, or came too late.")
            else:
                await self._app(scope, receive, send)
            return
        if refused := self._refusal(scope, headers):
            await _refuse(send, 403, refused, "The request is not signed by this store's keys.")
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if sha256(body).hexdigest() != headers["x-amz-content-sha256"]:
            await _refuse(send, 400, "XAmzContentSHA256Mismatch", "The body is not the one that was signed.")
            return
        whole = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def received() -> Scope:
            return whole.pop() if whole else await receive()

        await self._app(scope, received, send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> str | None:
        """Return the S3 error of a request, or None if it is signed."""
        claimed = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if claimed is None:
            return "AccessDenied"
        access_key, day, region, names, signature = claimed.groups()
        if not hmac.compare_digest(access_key, self._keys.access_key):
            return "InvalidAccessKeyId"
        signed = set(names.split(";"))
        wanted = _SIGNED_AT_LEAST | {name for name in headers if name.startswith("x-amz-")}
        if not wanted <= signed <= headers.keys() or not headers["x-amz-date"].startswith(day):
            return "SignatureDoesNotMatch"
        request = _request(scope, scope["query_string"].decode("latin-1"), {name: headers[name] for name in signed})
        return self._difference(S3SigV4Auth(self._keys, "s3", region), request, headers["x-amz-date"], signature)

    def _refusal_of_address(self, scope: Scope, headers: dict[str, str]) -> str | None:
        """Return the S3 error of a request that is signed in its address and is obeyed for so many seconds."""
        claimed = _ADDRESS.fullmatch(scope["query_string"].decode("latin-1"))
        if claimed is None or "authorization" in headers:
            return "AccessDenied"
        query, access_key, region, date, seconds, names, signature = claimed.groups()
        if not hmac.compare_digest(access_key, self._keys.access_key):
            return "InvalidAccessKeyId"
        signed = set(unquote(names).split(";"))
        if not {"host", *(name for name in headers if name.startswith("x-amz-"))} <= signed <= headers.keys():
            return "SignatureDoesNotMatch"
        request = _request(scope, query, {name: headers[name] for name in signed})
        if wrong := self._difference(S3SigV4QueryAuth(self._keys, "s3", region), request, date, signature):
            return wrong
        until = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + timedelta(seconds=int(seconds))
        return None if datetime.now(UTC) <= until else "AccessDenied"

    def _difference(self, signer: SigV4Auth, request: AWSRequest, date: str, signature: str) -> str | None:
        request.context["timestamp"] = date
        expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return None if hmac.compare_digest(signature, expected) else "SignatureDoesNotMatch"


def _request(scope: Scope, query: str, headers: dict[str, str]) -> AWSRequest:
    url = f"http://store/{scope['raw_path'].decode('latin-1').removeprefix('/')}"
    return AWSRequest(scope["method"], f"{url}?{query}" if query else url, headers)


class Refusing:
    """An ASGI application that answers 507 to writes while `folder` has less than `reserve` bytes free."""

    def __init__(self, app: App, folder: str, reserve: int) -> None:
        self._app, self._folder, self._reserve = app, folder, reserve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or shutil.disk_usage(self._folder).free >= self._reserve:
            await self._app(scope, receive, send)
        else:
            await _refuse(send, 507, "InsufficientStorage", "The disk of the object store is full.")


class StopOnLoss(logging.Handler):
    """Ends the process when ministack logs that an object is not on its disk."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Failed to persist"):
            sys.stderr.write(
                f"object store: {record.getMessage()}. Stopped, so that no lost object is acknowledged. Free some disk "
                "space and run `rag up` again.\n"
            )
            sys.stderr.flush()
            os._exit(1)  # an exception in a request's thread would not stop the answer


async def _refuse(send: Send, status: int, code: str, message: str) -> None:
    error = f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    await answer(send, status, error.encode(), b"application/xml")


def guarded(app: App, access_key: str, secret_key: str) -> App:
    """Return the application for the programs that have the keys, and for no web page even if it had them."""
    return NoWebPages(Signed(app, access_key, secret_key))


def main() -> None:
    """Serve until stopped; ministack reads its configuration from its own variables."""
    folder = os.environ["S3_DATA_DIR"]
    os.makedirs(folder, exist_ok=True)
    # ministack writes its process id to a temporary file of a known name: in /tmp, any user could put a link there.
    tempfile.tempdir = os.path.dirname(folder)
    reserve = int(os.environ.get("RAG_OBJECT_STORE_RESERVE_BYTES") or _RESERVE_BYTES)
    ministack: Any = importlib.import_module("ministack.app")
    keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    ministack.app = guarded(Refusing(ministack.app, folder, reserve), *keys)
    logging.getLogger("s3").addHandler(StopOnLoss(logging.WARNING))
    ministack.main()


if __name__ == "__main__":
    main()
