"""The embedded object store: ministack, kept from acknowledging what it cannot keep.

ministack only logs that an object could not be written to its disk, and answers 200: the object would be gone after the
next start. So a write is refused (507) while the disk has little room, and one that fails nevertheless ends the process
before it is answered. What answers after a start then is what is on the disk.

This file is run by its path, in the environment of ministack, where the project itself is not installed.
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
    """An ASGI application that answers 507 to what would write while `folder` has less than `reserve` bytes free."""

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
                f"object store: {record.getMessage()}. Stopped, so that nothing is acknowledged that is not kept; free "
                "some room and start it again (`rag up`).\n"
            )
            sys.stderr.flush()
            os._exit(1)  # in a request's thread: an exception would be answered, and the object shown as stored


def main() -> None:
    """Serve until stopped; where and what, ministack reads from its own variables."""
    folder = os.environ["S3_DATA_DIR"]
    os.makedirs(folder, exist_ok=True)
    reserve = int(os.environ.get("RAG_OBJECT_STORE_RESERVE_BYTES") or _RESERVE_BYTES)
    ministack: Any = importlib.import_module("ministack.app")
    ministack.app = Refusing(ministack.app, folder, reserve)
    logging.getLogger("s3").addHandler(StopOnLoss(logging.WARNING))
    ministack.main()


if __name__ == "__main__":
    main()
