"""The embedded object store: ministack, made to acknowledge only objects that it has stored.

If ministack cannot write an object to its disk, it only logs this and answers 200: the next start loses the object.
So this wrapper refuses writes (507) while the disk is nearly full. If a write fails anyway, it ends the process before
the answer.

This file is run by its path in ministack's environment, which does not contain the project.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["Refusing", "StopOnLoss", "main"]

_RESERVE_BYTES = 100_000_000
_FULL = (
    b"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>InsufficientStorage</Code>"
    b"<Message>The disk of the object store is full.</Message></Error>"
)

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Scope]]
_Send = Callable[[_Scope], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class Refusing:
    """An ASGI application that answers 507 to writes while `folder` has less than `reserve` bytes free."""

    def __init__(self, app: _App, folder: str, reserve: int) -> None:
        self._app, self._folder, self._reserve = app, folder, reserve

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or shutil.disk_usage(self._folder).free >= self._reserve:
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(_FULL)).encode())]
        await send({"type": "http.response.start", "status": 507, "headers": headers})
        await send({"type": "http.response.body", "body": _FULL})


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


def main() -> None:
    """Serve until stopped; ministack reads its configuration from its own variables."""
    folder = os.environ["S3_DATA_DIR"]
    os.makedirs(folder, exist_ok=True)
    reserve = int(os.environ.get("RAG_OBJECT_STORE_RESERVE_BYTES") or _RESERVE_BYTES)
    ministack: Any = importlib.import_module("ministack.app")
    ministack.app = Refusing(ministack.app, folder, reserve)
    logging.getLogger("s3").addHandler(StopOnLoss(logging.WARNING))
    ministack.main()


if __name__ == "__main__":
    main()
